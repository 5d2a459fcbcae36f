"""Opening container files with FFmpeg, by path and never as a URL."""

from __future__ import annotations

import os
import re
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

from edge_sr.media.libraries import load_av

MATROSKA = ("matroska", "webm")  # FFmpeg's names of its two kinds
NEW_CODECS = ("av1_nvenc", "libsvtav1", "libvpx-vp9")
PIPE_BUFFER = 1 << 20  # bytes of a pipe in which FFmpeg can go back
RATES = (Fraction(1, 10), Fraction(1000))  # frame rates that are believed
EBML, SEGMENT = bytes.fromhex("1A45DFA3"), bytes.fromhex("18538067")  # IDs of RFC 8794 and 9559
NOT_KNOWN = 0x7FFFFFFF  # sizes from here on stand in AVI files that nobody finished
SLOPPY = 16  # bytes by which programs that write AVI count wrong


def open_input(path: Path, *, stream: BinaryIO | None = None, rate: Fraction | None = None) -> Any:
    """Open a file for reading as an `av` container. FFmpeg's own errors come out.

    Args:
        stream: what is read instead of the file, from its beginning to its end.
        rate: frames per second of a raw stream, which has no times; see `is_raw`.
    """
    options = {} if rate is None else {"framerate": str(rate)}
    if stream is None:
        return load_av().open(_local(path), options=options, metadata_errors="replace")
    return load_av().open(
        _Forward(stream), options=options, metadata_errors="replace", buffer_size=PIPE_BUFFER
    )


class _Forward:
    """A stream that cannot be sought in, whatever it is."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        """The next bytes; none at the end."""
        return self._stream.read(size)


def is_raw(container: Any) -> bool:
    """Whether an `av` container is a bare stream of coded pictures without times."""
    flags = load_av().format.Flags
    return bool(container.format.flags & flags.no_timestamps.value)


def open_output(path: Path, kind: str, options: dict[str, str]) -> Any:
    """Open a file for writing as an `av` container. FFmpeg's own errors come out.

    Args:
        kind: FFmpeg's name of the container.
        options: of the container.
    """
    return load_av().open(_local(path), "w", format=kind, container_options=options)


def why_not(kind: str, encoder: str) -> str:
    """Why a container cannot hold the video of an encoder; "" where it can.

    Args:
        kind: FFmpeg's name of the container.
        encoder: FFmpeg's name of the encoder.
    """
    if kind == "webm" and encoder not in NEW_CODECS:
        return "WebM holds VP9 and AV1: leave out --codec, or take av1"
    if kind == "mov" and encoder in NEW_CODECS:
        return ".mov holds neither VP9 nor AV1: take .mp4, .mkv or .webm"
    return ""


def late_streams(container: Any) -> list[str]:
    """The streams of an `av` input that began after it was opened; PyAV gives nothing of them."""
    av = load_av()
    level = av.logging.get_level()
    try:
        av.logging.set_level(av.logging.INFO)
        text = container.dumps_format()
    finally:
        av.logging.set_level(level)
    found = re.findall(r"Stream #0:(\d+)[^:]*: (\w+): (\w+)", text)
    known = len(container.streams)
    return [f"{kind.lower()} stream {n} ({codec})" for n, kind, codec in found if int(n) >= known]


def reason(error: BaseException) -> str:
    """What an error of another package says, in one line and without the file's name."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).partition("\n")[0]


def is_cover(stream: Any) -> bool:
    """Whether a video stream is a still picture that belongs to music."""
    return bool(load_av().stream.Disposition.attached_pic in stream.disposition)


def frame_rate(stream: Any) -> Fraction | None:
    """The average frame rate of an `av` video stream; None if it is unknown.

    FFmpeg's average is wrong for some containers (of raw DV it is the clock's rate); its guess
    takes the codec's own rate into account, but of variable rates it is the highest.
    """
    average, guess = (_believed(rate) for rate in (stream.average_rate, stream.guessed_rate))
    if guess and is_raw(stream.container):  # the average is what the reader assumes
        return guess
    if average and guess and average > 2 * guess:
        return guess
    return average or guess


def _believed(rate: Any) -> Fraction | None:
    return Fraction(rate) if rate and RATES[0] <= rate <= RATES[1] else None


def _local(path: Path) -> str:
    """FFmpeg takes ``12:30.mp4`` for a protocol called 12; after ``file:`` everything is a name."""
    return f"file:{os.fspath(path)}"


def missing_end(path: Path) -> int:
    """Bytes that an AVI or Matroska file claims beyond its end; 0 of other files, and if none.

    FFmpeg reads such a file up to its last byte, without a message.

    Raises:
        OSError: the file cannot be read.
    """
    length = path.stat().st_size
    with path.open("rb") as file:
        return _missing_of_riff(file, length) or _missing_of_ebml(file, length)


def _missing_of_riff(file: BinaryIO, length: int) -> int:
    """Bytes that the first part of an AVI file claims beyond its end; 0 of another file."""
    file.seek(0)
    name, size, kind = struct.unpack("<4sI4s", file.read(12).ljust(12, b"\0"))
    if name != b"RIFF" or kind != b"AVI " or size >= NOT_KNOWN:
        return 0
    missing = int(size) + 8 - length
    return missing if missing > SLOPPY else 0


def _missing_of_ebml(file: BinaryIO, length: int) -> int:
    """Bytes that the segment of a Matroska file claims beyond its end; 0 of another file."""
    file.seek(0)
    if file.read(4) != EBML:
        return 0
    header = _ebml_size(file)
    if header is None:
        return 0
    file.seek(header, os.SEEK_CUR)
    if file.read(4) != SEGMENT:
        return 0
    size = _ebml_size(file)
    return 0 if size is None else max(0, file.tell() + size - length)


def _ebml_size(file: BinaryIO) -> int | None:
    """The size that stands here, RFC 8794 section 6; None if it is not known."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    count = 9 - first[0].bit_length()  # bytes
    data = int.from_bytes(first + file.read(count - 1), "big")
    ones = (1 << 7 * count) - 1
    return None if data & ones == ones else data & ones
