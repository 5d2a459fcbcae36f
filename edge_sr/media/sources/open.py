"""From an address on the command line to a source of frames."""

from __future__ import annotations

import io
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial

from edge_sr.media.address import Address, Kind, parse_address
from edge_sr.media.animation.frames import AnimationSource
from edge_sr.media.codec.demuxer import Demuxer
from edge_sr.media.codec.y4m import MAGIC, Y4mSource, is_read
from edge_sr.media.frame import Frame, StreamInfo
from edge_sr.media.protocols import Source, SourceBase
from edge_sr.media.sources.camera import Camera
from edge_sr.media.sources.capture import FORMATS, Device, Opened, open_capture, open_csi
from edge_sr.media.sources.clip import DemoClip
from edge_sr.media.sources.file import VideoFile
from edge_sr.media.sources.pattern import Pattern
from edge_sr.media.sources.reconnect import Reconnecting
from edge_sr.media.sources.sound import FileSound, LiveSound, Sound
from edge_sr.media.sources.stream import NetworkStream
from edge_sr.media.stills.formats import is_animation
from edge_sr.types import Size

logger = logging.getLogger(__name__)
CAMERA_SIZE = Size(1280, 720)


def open_source(
    address: str | Address,
    *,
    size: tuple[int, int] = CAMERA_SIZE,
    fps: float = 30,
    pixels: str = FORMATS[0],
    max_reconnect: int | None = None,
    keep_depth: bool = False,
    rate: Fraction | None = None,
    strict: bool = False,
) -> Source:
    """Open a camera, a network stream, a file, ``-`` (standard input) or ``test://``.

    Cameras and network streams are opened again when they break; see `Reconnecting`. What a camera
    gives, and each attempt, is logged.

    Args:
        address: as for `parse_address`.
        size: width and height asked of a camera.
        fps: asked of a camera.
        pixels: asked of a camera: "MJPG", "YUYV" or "NV12".
        max_reconnect: attempts in a row; None for no limit.
        rate: frames per second of a raw H.264, HEVC or AV1 stream.
        strict: refuse a file whose end is missing, where it could be read up to there.
        keep_depth: give the samples of files and pipes as they are; else all come as 8-bit 4:2:0.

    Raises:
        MediaError: it cannot be read.
        UsageError: the address is not understood.
    """
    found = parse_address(address) if isinstance(address, str) else address
    if found.live:
        sound = LiveSound()
        opener = partial(_open_live, found, Size(*size), fps, pixels, sound)
        return Reconnecting(opener, max_reconnect=max_reconnect, sound=sound)
    if found.kind is Kind.PATTERN:
        if found.text.startswith("test://clip"):
            return DemoClip.from_url(found.text)
        return Pattern.from_url(found.text)
    if found.kind is Kind.STDIN:
        return _open_stdin(rate, keep_depth=keep_depth)
    if is_animation(found.path):
        return AnimationSource(found.path)
    return VideoFile(found.path, keep_depth=keep_depth, rate=rate, strict=strict)


def _open_stdin(rate: Fraction | None, *, keep_depth: bool) -> Source:
    """YUV4MPEG2 as it is; everything else through FFmpeg, which cannot go back in it."""
    stream, name = sys.stdin.buffer, "standard input"
    if not isinstance(stream, io.BufferedReader):
        return Y4mSource(stream, keep_depth=keep_depth)
    begin = stream.peek(1)
    if begin[:1] in (b"", MAGIC[:1].encode()) and is_read(begin):
        return Y4mSource(stream, keep_depth=keep_depth)
    return VideoFile(name, stream=stream, rate=rate, keep_depth=keep_depth)


def _open_live(address: Address, size: Size, fps: float, pixels: str, sound: LiveSound) -> Source:
    if address.kind is Kind.NETWORK:
        return NetworkStream(address.text, sound=sound)
    opener: Callable[[Device, int, int, float], Opened] = partial(open_capture, pixels=pixels)
    if address.kind is Kind.CSI:
        opener = open_csi
    camera = Camera(address.text, width=size.width, height=size.height, fps=fps, opener=opener)
    logger.info("%s", camera.given)
    return camera


class Paced(SourceBase):
    """A file handed out at its own pace, as if it were live: for ``--drop-policy newest``."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._zero: float | None = None  # the moment of time zero
        self._sound = self._find_sound()

    @property
    def info(self) -> StreamInfo:
        """As the file's."""
        return self._source.info

    @property
    def sound(self) -> Sound | None:
        """The file's first sound."""
        return self._sound

    def __iter__(self) -> Iterator[Frame]:
        """Frames, none before its time."""
        for frame in self._source:
            at = float(frame.pts * frame.time_base)
            if self._zero is None:
                self._zero = time.perf_counter() - at
            time.sleep(max(0.0, self._zero + at - time.perf_counter()))
            yield replace(frame, taken_s=self._zero + at)

    @property
    def beside(self) -> Demuxer | None:
        """As the file's."""
        return self._source.beside

    @property
    def notices(self) -> Sequence[str]:
        """As the file's."""
        return self._source.notices

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def _find_sound(self) -> Sound | None:
        beside = self._source.beside
        if beside is None or not beside.path.is_file():
            return None
        if not any(stream.type == "audio" for stream in beside.others):
            return None
        return FileSound(beside.path, moved_s=beside.start_offset, zero=lambda: self._zero)
