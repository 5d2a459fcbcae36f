"""One stream of pictures for browsers: every frame a JPEG, or H.264 without delay."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from edge_sr.errors import MediaError
from edge_sr.live.compare import compose
from edge_sr.media.codec.encoder import RANGES
from edge_sr.media.frame import Frame
from edge_sr.media.libraries import load_av
from edge_sr.media.screen import to_bgr, to_jpeg, to_picture
from edge_sr.page.fragments import fragment
from edge_sr.page.view import View
from edge_sr.pipeline.shot import Shot

JPEG_QUALITY = 90  # at 80, JPEG's own blocks are seen at 2:1
STILL_QUALITY = 97
TIME_BASE = Fraction(1, 1000)
ENCODERS: tuple[tuple[str, dict[str, str]], ...] = (
    ("h264_nvenc", {"preset": "p3", "tune": "ull", "rc": "vbr", "cq": "23", "zerolatency": "1",
                    "delay": "0", "forced-idr": "1", "maxrate": "7M", "bufsize": "2M"}),
    ("libx264", {"preset": "superfast", "tune": "zerolatency", "crf": "23", "forced-idr": "1",
                 "maxrate": "7M", "bufsize": "2M"}),
)  # fmt: skip
GROUP = 600  # frames between key frames; others come when a browser needs one
EVEN_RATE = 30


@dataclass(frozen=True)
class Unit:
    """What is sent for one frame."""

    data: bytes
    key: bool  # can be shown without those before
    size: tuple[int, int]  # of the picture, pixels
    codec: str  # "jpeg", or what a browser calls this H.264: "avc1.640028"
    time_ms: int  # rises by 1 at least; the clock of the whole page


class PageEncoder(Protocol):
    """Makes units of shots, in order. Calls come from any thread, one at a time."""

    def encode(self, shot: Shot, *, key: bool) -> Unit:
        """One frame.

        Args:
            key: it must be shown without those before.

        Raises:
            MediaError: the encoder refuses.
        """
        ...


def open_encoder(view: View, clock: Clock) -> PageEncoder:
    """The encoder for a view."""
    return JpegEncoder(view, clock) if view.codec == "jpeg" else H264Encoder(view, clock)


class Clock:
    """Milliseconds since the page began, never the same twice in one stream."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    def at(self, moment_s: float) -> float:
        """A moment on the clock of time.perf_counter."""
        return (moment_s - self._start) * 1000

    def after(self, last_ms: int) -> int:
        """Now, but later than `last_ms`."""
        return max(last_ms + 1, round((time.perf_counter() - self._start) * 1000))


class JpegEncoder:
    """Every frame by itself."""

    def __init__(self, view: View, clock: Clock) -> None:
        self._view, self._clock = view, clock
        self._quality = JPEG_QUALITY if view.frozen is None else STILL_QUALITY
        self._last_ms = -1

    def encode(self, shot: Shot, *, key: bool) -> Unit:  # noqa: ARG002 - each one is
        """As `PageEncoder.encode`."""
        picture = _compose(shot, self._view)
        data = to_jpeg(to_bgr(picture, rows=shot.after.y.shape[0]), self._quality)
        self._last_ms = self._clock.after(self._last_ms)
        return Unit(data, True, _even(picture), "jpeg", self._last_ms)


class H264Encoder:
    """By the GPU where there is one, else libx264; a picture goes out before the next comes in."""

    def __init__(self, view: View, clock: Clock) -> None:
        self._av = load_av()
        self._view, self._clock = view, clock
        self._context: Any = None
        self._codec = ""
        self._last_ms = -1
        self._number = 0

    def encode(self, shot: Shot, *, key: bool) -> Unit:
        """As `PageEncoder.encode`. A key frame of an mp4 stream begins with the stream's header."""
        frame = _compose(shot, self._view)
        matrix = frame.color.effective_matrix(shot.after.y.shape[0])
        if self._context is None:
            self._context = self._open(frame, matrix)
        self._last_ms = self._clock.after(self._last_ms)
        picture = to_picture(frame)
        picture.pts, picture.time_base = self._last_ms, TIME_BASE
        picture.colorspace = matrix
        picture.color_range = RANGES[frame.color.full_range or False]
        if key:
            picture.pict_type = self._av.video.frame.PictureType.I
        try:
            packets = self._context.encode(picture)
        except (self._av.FFmpegError, ValueError) as error:
            raise MediaError(f"page: this picture cannot be encoded ({error})") from error
        data = b"".join(bytes(packet) for packet in packets)
        is_key = any(packet.is_keyframe for packet in packets)
        self._codec = self._codec or codec_name(data)
        size = _even(frame)
        if self._view.codec == "mp4":
            self._number += 1
            data = fragment(data, self._number, self._last_ms, key=is_key, size=size)
        return Unit(data, is_key, size, self._codec, self._last_ms)

    def _open(self, frame: Frame, matrix: int) -> Any:
        av, why = self._av, ""
        for name, options in ENCODERS:
            if name not in av.codecs_available:
                continue
            context = av.CodecContext.create(name, "w")
            context.width, context.height = _even(frame)
            context.pix_fmt, context.time_base = "yuv420p", TIME_BASE
            context.framerate = Fraction(EVEN_RATE)
            context.gop_size, context.max_b_frames = GROUP, 0
            context.colorspace = matrix
            context.color_primaries = frame.color.primaries
            context.color_trc = frame.color.transfer
            context.color_range = RANGES[frame.color.full_range or False]
            context.options = options
            try:
                context.open()
            except (av.FFmpegError, ValueError, OSError) as error:
                why = f"{name}: {error}"
                continue
            return context
        raise MediaError(f"page: no H.264 encoder works here ({why})")


def codec_name(data: bytes) -> str:
    """RFC 6381's name of an H.264 stream, from the profile and level of its first parameters."""
    found = re.search(rb"\x00\x00\x01[\x67\x27](...)", data, re.DOTALL)
    return f"avc1.{found[1].hex()}" if found else "avc1.640033"


def _compose(shot: Shot, view: View) -> Frame:
    return compose(shot, view.mode, width=view.width, region=view.region, gain=view.gain)


def _even(frame: Frame) -> tuple[int, int]:
    return frame.size.width & ~1, frame.size.height & ~1
