"""Tiny clips, made where the tests need them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from edge_sr.media.frame import Color, Frame, StreamInfo

UNTAGGED = Color()
SIZE = (64, 48)  # columns, rows
TURNS = {  # degrees clockwise -> the mp4 matrix a, b, c, d
    90: (0, 1, -1, 0),
    180: (-1, 0, 0, -1),
    270: (0, -1, 1, 0),
}


def picture(number: int, width: int = SIZE[0], height: int = SIZE[1]) -> np.ndarray:
    """A smooth grey picture that differs from number to number, uint8 (height, width)."""
    y, x = np.mgrid[:height, :width]
    return (16 + (2 * x + 3 * y + 5 * number) % 200).astype(np.uint8)


def frame(
    number: int,
    width: int = SIZE[0],
    height: int = SIZE[1],
    *,
    pts: int | None = None,
    time_base: Fraction = Fraction(1, 25),
    color: Color = UNTAGGED,
) -> Frame:
    rows, columns = (height + 1) // 2, (width + 1) // 2
    u = np.full((rows, columns), 100, np.uint8)
    v = np.tile(np.linspace(90, 160, columns).astype(np.uint8), (rows, 1))
    at = number if pts is None else pts
    return Frame((picture(number, width, height), u, v), at, time_base, color)


def info(width: int = SIZE[0], height: int = SIZE[1], **changes: Any) -> StreamInfo:
    facts: dict[str, Any] = {
        "name": "made up",
        "time_base": Fraction(1, 25),
        "frame_rate": Fraction(25),
        "frames": None,
        "live": False,
    }
    return StreamInfo(width=width, height=height, **{**facts, **changes})


def make_clip(
    path: Path,
    *,
    pts: Sequence[int] = tuple(range(10)),
    time_base: Fraction = Fraction(1, 25),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    size: tuple[int, int] = SIZE,
    audio_s: float = 0,
    subtitles: Sequence[tuple[float, float, str]] = (),
    fill: Callable[[av.VideoFrame, int], None] | None = None,
    tags: Sequence[int] = (2, 2, 2, 0),
    aspect: Fraction = Fraction(1),
    options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Encode a clip.

    Args:
        fill: draws a frame in place; the default puts `picture` on the first plane, grey elsewhere.
        tags: matrix, primaries, transfer, range in FFmpeg's numbers.
    """
    with av.open(str(path), "w") as output:
        output.metadata.update(metadata or {})
        stream = output.add_stream(codec, rate=25, options=options or {})
        context = stream.codec_context
        context.width, context.height = size
        context.pix_fmt = pix_fmt
        context.time_base = time_base
        context.sample_aspect_ratio = aspect
        _tag(context, tags)
        audio = _add_audio(output) if audio_s else None
        words = _add_subtitles(output, path, subtitles) if subtitles else []
        output.start_encoding()
        for packet in _audio_packets(audio, audio_s) if audio else []:
            output.mux(packet)
        for number, at in enumerate(pts):
            image = av.VideoFrame(*size, pix_fmt)
            (fill or _grey)(image, number)
            image.pts, image.time_base = at, time_base
            image.colorspace, image.color_range = tags[0], tags[3]
            output.mux(stream.encode(image))
        output.mux(stream.encode(None))
        for packet in words:
            output.mux(packet)
    return path


def make_sound(path: Path) -> Path:
    """A file with audio only."""
    with av.open(str(path), "w") as output:
        audio = _add_audio(output)
        for packet in _audio_packets(audio, 0.5):
            output.mux(packet)
    return path


def plane(image: av.VideoFrame, index: int, dtype: type = np.uint8) -> np.ndarray:
    """A writable (rows, samples) view of one plane, padding included."""
    part = image.planes[index]
    return np.frombuffer(part, dtype).reshape(part.height, -1)


def set_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Write a display matrix into the first track of an mp4."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    fixed = [value << 16 for value in (a, b)] + [0] + [value << 16 for value in (c, d)] + [0]
    data[at : at + 36] = struct.pack(">9i", *fixed, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))


def packets(path: Path, kind: str) -> list[tuple[Fraction, bytes]]:
    """(presentation seconds, bytes) of every packet of one kind of stream."""
    with av.open(str(path)) as found:
        return [
            (packet.pts * packet.time_base, bytes(packet))
            for packet in found.demux()
            if packet.stream.type == kind and packet.size
        ]


def _tag(target: Any, tags: Sequence[int]) -> None:
    target.colorspace, target.color_primaries, target.color_trc, target.color_range = tags


def _grey(image: av.VideoFrame, number: int) -> None:
    for index, part in enumerate(image.planes):
        target = plane(image, index)
        if index == 0 and image.format.name.startswith(("yuv", "gray")):
            target[:, : image.width] = picture(number, image.width, part.height)
        else:
            target[...] = 128


def _add_audio(output: Any) -> Any:
    stream = output.add_stream("aac", rate=48000)
    stream.codec_context.layout = "mono"
    stream.metadata["language"] = "deu"
    return stream


def _audio_packets(stream: Any, seconds: float) -> list[Any]:
    found = []
    for start in range(0, int(seconds * 48000), 1024):
        wave = np.sin(2 * np.pi * 440 * (start + np.arange(1024)) / 48000)
        samples = av.AudioFrame.from_ndarray(
            wave.astype(np.float32)[None], format="fltp", layout="mono"
        )
        samples.sample_rate, samples.pts = 48000, start
        samples.time_base = Fraction(1, 48000)
        found += stream.encode(samples)
    return found + stream.encode(None)


def _add_subtitles(output: Any, path: Path, lines: Sequence[tuple[float, float, str]]) -> list[Any]:
    text = path.with_suffix(".srt")
    text.write_text(
        "".join(
            f"{n}\n00:00:0{start:06.3f} --> 00:00:0{end:06.3f}\n{words}\n\n".replace(".", ",")
            for n, (start, end, words) in enumerate(lines, 1)
        )
    )
    with av.open(str(text)) as source:
        added = output.add_stream_from_template(source.streams.subtitles[0])
        found = [packet for packet in source.demux() if packet.size]
    for packet in found:
        packet.stream = added
    return found
