"""From what stands on the command line to a source of frames."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from edge_sr.media.address import is_network, resolve_address
from edge_sr.media.frame import Frame, StreamInfo
from edge_sr.media.protocols import Source, SourceBase
from edge_sr.media.sources.capture import FORMATS, Capture, Device, open_capture


def is_live_address(address: str) -> bool:
    """Whether frames come at their own pace: cameras and network streams."""
    text = address.lower()
    return text.isdigit() or is_network(text) or text.startswith(("csi://", "/dev/video"))


def open_source(
    address: str,
    *,
    size: tuple[int, int] = (1280, 720),
    fps: float = 30,
    pixels: str = FORMATS[0],
    max_reconnect: int | None = None,
    say: Callable[[str], None] = lambda _text: None,
) -> Source:
    """Open a camera, a network stream, a file, ``-`` (YUV4MPEG2 on stdin) or ``test://``.

    Cameras and network streams are opened again when they break; see `Reconnecting`.

    Args:
        address: "0", /dev/video0, csi://0, rtsp://..., http://..., test://..., a path, "-", or
            env:NAME for an address in an environment variable.
        size: columns and rows asked of a camera.
        fps: asked of a camera.
        pixels: asked of a camera: "MJPG", "YUYV" or "NV12".
        max_reconnect: attempts in a row; None for no limit.
        say: told what a camera gives, and when a source breaks and is tried again.

    Raises:
        MediaError: it cannot be read.
        UsageError: the address is not understood.
    """
    address = resolve_address(address)
    if is_live_address(address):
        from edge_sr.media.sources.reconnect import Reconnecting

        def again() -> Source:
            return _open_live(address, size, fps, pixels, say)

        return Reconnecting(again, max_reconnect=max_reconnect, say=say)
    if address.startswith("test://"):
        from edge_sr.media.sources.pattern import Pattern

        return Pattern.from_url(address)
    if address == "-":
        from edge_sr.media.codec.y4m import Y4mSource

        return Y4mSource(sys.stdin.buffer)
    from edge_sr.media.sources.file import VideoFile

    return VideoFile(Path(address))


def _open_live(
    address: str, size: tuple[int, int], fps: float, pixels: str, say: Callable[[str], None]
) -> Source:
    if is_network(address):
        from edge_sr.media.sources.stream import NetworkStream

        return NetworkStream(address)
    from edge_sr.media.sources.camera import Camera

    opener: Callable[[Device, int, int, float], Capture] = partial(open_capture, pixels=pixels)
    if address.lower().startswith("csi://"):
        from edge_sr.media.sources.csi import open_csi

        opener = open_csi
    camera = Camera(address, width=size[0], height=size[1], fps=fps, opener=opener)
    say(camera.given)
    return camera


class Paced(SourceBase):
    """A file handed out at its own pace, as if it were live: for ``--drop-policy newest``."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def info(self) -> StreamInfo:
        """As the file's."""
        return self._source.info

    def __iter__(self) -> Iterator[Frame]:
        """Frames, none before its time."""
        start, first = time.perf_counter(), None
        for frame in self._source:
            at = float(frame.pts * frame.time_base)
            first = at if first is None else first
            time.sleep(max(0.0, start + at - first - time.perf_counter()))
            yield frame

    @property
    def notices(self) -> Sequence[str]:
        """As the file's."""
        return self._source.notices

    def close(self) -> None:
        """Close the file."""
        self._source.close()
