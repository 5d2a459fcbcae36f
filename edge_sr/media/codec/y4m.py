"""Raw video in a pipe: YUV4MPEG2, 8-bit 4:2:0 or deeper, as ``ffmpeg -f yuv4mpegpipe -`` writes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import BinaryIO

import numpy as np

from edge_sr.errors import MediaError
from edge_sr.files import parse_ratio
from edge_sr.media.frame import YUV420, Color, Frame, PixelFormat, Plane, StreamInfo
from edge_sr.media.planes import reduce_frame
from edge_sr.media.protocols import SinkBase, SourceBase
from edge_sr.types import Size

MAGIC = "YUV4MPEG2"
SLACK = Fraction(3, 4)  # frames that one may be early or late before others make up for it
LINE_LIMIT = 1024  # bytes of a header line
LOCATIONS = {"420": 2, "420jpeg": 2, "420mpeg2": 1, "420paldv": 3, "mono": 0}
NAMES = {1: "420mpeg2", 2: "420jpeg", 3: "420paldv"}
RANGES = {"LIMITED": False, "FULL": True}
DEEP = re.compile(r"(420|422|444|mono)p?(9|10|12|14|16)")
STEPS = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "mono": (2, 2)}  # luma for one of chroma
HOW = "ffmpeg -i FILE -pix_fmt yuv420p -f yuv4mpegpipe -"


def is_read(header: bytes) -> bool:
    """Whether `Y4mSource` reads frames of the kind that the beginning of a stream names.

    Not those of 9, 14 and 16 bits, which no encoder takes: FFmpeg makes 10 or 12 of them.
    """
    kind = re.match(rb"YUV4MPEG2[^\n]* C(\w+)[^\n]*\n", header)
    if not kind:
        return True  # 4:2:0, or damaged, which it says
    name = kind[1].decode("ascii", "replace")
    deep = DEEP.fullmatch(name)
    return name in LOCATIONS or (deep is not None and deep[2] in ("10", "12"))


class Y4mSource(SourceBase):
    """Frames of a YUV4MPEG2 stream, in order; none is lost."""

    def __init__(
        self, stream: BinaryIO, *, name: str = "standard input", keep_depth: bool = False
    ) -> None:
        """Read the stream's header.

        Args:
            keep_depth: hand out samples of 9 to 16 bits as they are, not as 8-bit 4:2:0.

        Raises:
            MediaError: it is something else, or neither 8-bit 4:2:0 nor deeper.
        """
        self._stream = stream
        self._name = name
        magic, *words = self._line().decode("ascii", "replace").split() or [""]
        if magic != MAGIC:
            raise MediaError(f"{name}: is not YUV4MPEG2; expected what this writes: {HOW}")
        tags = {word[:1]: word[1:] for word in words}
        extra = [word[1:] for word in words if word[:1] == "X"]
        kind = tags.get("C", "420")
        deep = DEEP.fullmatch(kind)
        self._format = PixelFormat(*STEPS[deep[1]], int(deep[2])) if deep else YUV420
        if not deep and kind not in LOCATIONS:
            raise MediaError(f"{name}: is {kind}; expected 8-bit 4:2:0, as from: {HOW}")
        try:
            width, height = int(tags["W"]), int(tags["H"])
            rate = parse_ratio(tags.get("F", "30:1"))
        except (KeyError, ValueError):
            raise MediaError(f"{name}: its header has no usable size or rate") from None
        if not (2 <= width <= 16384 and 2 <= height <= 16384 and rate > 0):
            raise MediaError(f"{name}: is {width}x{height} at {rate} fps; expected 2 to 16384")
        self._mono = kind.startswith("mono")
        self._reduce = self._format != YUV420 and not keep_depth
        ranges = [RANGES.get(word.removeprefix("COLORRANGE=")) for word in extra]
        self._color = Color(
            full_range=next((found for found in ranges if found is not None), None),
            chroma_location=LOCATIONS.get(kind, 0),
        )
        self.info = StreamInfo(
            name=name,
            width=width,
            height=height,
            time_base=1 / rate,
            frame_rate=rate,
            frames=None,
            live=False,
            sample_aspect_ratio=_aspect(tags.get("A", "1:1")),
            format=YUV420 if self._reduce else self._format,
        )

    @property
    def notices(self) -> Sequence[str]:
        """What is lost where depth is not kept."""
        if not self._reduce:
            return ()
        return [f"{self._name}: {self._format} is read as {YUV420}: gradients may show steps"]

    def __iter__(self) -> Iterator[Frame]:
        """Frames that own their memory.

        Raises:
            MediaError: the stream is cut off within a frame, or no frame begins where one should.
        """
        info, kept = self.info, self._format
        chroma = kept.chroma_size(info.size)[::-1]
        number = 0
        while line := self._line():
            if not line.startswith(b"FRAME"):
                raise MediaError(
                    f"{info.name}: after frame {number} comes no other; is it damaged?"
                )
            y = self._plane((info.height, info.width), number)
            if self._mono:
                u = v = np.full(chroma, kept.neutral, kept.dtype)
            else:
                u, v = self._plane(chroma, number), self._plane(chroma, number)
            frame = Frame((y, u, v), number, info.time_base, self._color, kept)
            yield reduce_frame(frame) if self._reduce else frame
            number += 1

    def close(self) -> None:
        """Nothing to give back: the stream belongs to who opened it."""

    def _line(self) -> bytes:
        try:
            line = self._stream.readline(LINE_LIMIT)
        except (OSError, ValueError) as error:
            raise MediaError(f"{self._name}: cannot be read ({error})") from error
        if line and not line.endswith(b"\n"):
            raise MediaError(f"{self._name}: is not YUV4MPEG2; expected what this writes: {HOW}")
        return line

    def _plane(self, shape: tuple[int, int], number: int) -> Plane:
        plane = np.empty(shape, self._format.dtype)
        rest = memoryview(plane.reshape(-1).view(np.uint8).data)
        while rest:
            count = self._stream.readinto(rest)  # type: ignore[attr-defined]
            if not count:
                raise MediaError(f"{self._name}: is cut off within frame {number}")
            rest = rest[count:]
        return plane


class Y4mSink(SinkBase):
    """Writes frames to a pipe. When nobody reads it any more, it is `closed`, which is no error."""

    def __init__(self, stream: BinaryIO, *, source: StreamInfo) -> None:
        self._stream = stream
        self._source = source
        self._closed = False
        self.frames = 0
        self._size = Size(0, 0)
        self._rate = source.frame_rate or Fraction(30)
        self._start: Fraction | None = None  # when the first frame is shown, seconds
        self._last = b""  # the frame before
        self._repeated = self._dropped = 0

    @property
    def notices(self) -> Sequence[str]:
        """How many frames were repeated or dropped to hold the rate."""
        if not self._repeated and not self._dropped:
            return ()
        return [
            f"standard output: the frame rate is variable; to hold {float(self._rate):g} a second, "
            f"{self._repeated} frames were repeated and {self._dropped} dropped"
        ]

    @property
    def closed(self) -> bool:
        """Whether the reader of the pipe has gone."""
        return self._closed

    def write(self, frame: Frame) -> None:
        """Write one frame.

        Raises:
            MediaError: it has another size than the first, or the pipe fails.
        """
        if self._closed:
            return
        if not self.frames:
            self._size = frame.size
            self._put(self._header(frame))
        elif frame.size != self._size:
            raise MediaError(f"standard output: frame is {frame.size}; the first was {self._size}")
        missing = self._missing(frame)
        if missing < 0:
            self._dropped += 1
            return
        for _ in range(missing):
            self._put(self._last)
        planes = (np.ascontiguousarray(plane) for plane in frame.planes)
        self._last = b"".join([b"FRAME\n", *(plane.tobytes() for plane in planes)])
        self._repeated += missing
        self._put(self._last)
        self.frames += 1 + missing

    def _missing(self, frame: Frame) -> int:
        """How often the frame before is to be repeated; -1 to drop this one.

        The format has one rate. A live source keeps its own pace, gaps and all.
        """
        if self._source.live:
            return 0
        at = frame.pts * frame.time_base
        if self._start is None:
            self._start = at
        ahead = (at - self._start) * self._rate - self.frames
        if ahead < -SLACK:
            return -1
        return max(0, math.ceil(ahead - SLACK))

    def _put(self, data: bytes) -> None:
        if self._closed:
            return
        try:
            self._stream.write(data)
            self._stream.flush()
        except BrokenPipeError:
            self._closed = True
        except OSError as error:
            raise MediaError(f"standard output: cannot be written ({error.strerror})") from error

    def finish(self, *, complete: bool = True) -> str:
        """Returns a line with the size and the count."""
        state = "" if complete and not self._closed else ", stopped early"
        return f"standard output: {self._size}{state}"

    def _header(self, frame: Frame) -> bytes:
        height, width = frame.y.shape
        rate = self._rate
        aspect = self._source.sample_aspect_ratio
        words = [
            MAGIC,
            f"W{width} H{height} F{rate.numerator}:{rate.denominator} Ip",
            f"A{aspect.numerator}:{aspect.denominator}",
            f"C{_kind(frame)}",
        ]
        if frame.color.full_range is not None:
            words.append(f"XCOLORRANGE={'FULL' if frame.color.full_range else 'LIMITED'}")
        return (" ".join(words) + "\n").encode()


def _kind(frame: Frame) -> str:
    """What the header calls the frame's format; with more than 8 bits it names no siting."""
    kept = frame.format
    if kept == YUV420:
        return NAMES.get(frame.color.chroma_location, "420jpeg")
    name = next(name for name, steps in STEPS.items() if steps == (kept.chroma_x, kept.chroma_y))
    return name if kept.bits == 8 else f"{name}p{kept.bits}"


def _aspect(text: str) -> Fraction:
    """ "1:1" -> 1; "0:0" means unknown and is taken for square."""
    try:
        return parse_ratio(text) or Fraction(1)
    except ValueError:
        return Fraction(1)
