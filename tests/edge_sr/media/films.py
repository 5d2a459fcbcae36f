"""Small films with sound, and reading and copying them as `edge-sr run` does."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from clips import picture

from edge_sr.media.frame import Frame
from edge_sr.media.sinks.writer import VideoWriter
from edge_sr.media.sources.file import VideoFile

RATE = 25


def film(
    path: Path,
    *,
    form: str | None = None,
    count: int = 50,
    video: str = "libx264",
    audio: str | None = "aac",
    rate: int = 48000,
    shift: Fraction | int = 0,
    audio_shift: Fraction | int = 0,
    pix_fmt: str = "yuv420p",
    size: tuple[int, int] = (64, 48),
    options: dict[str, str] | None = None,
    prepare: Callable[[Any], None] = lambda _output: None,
) -> Path:
    """A film with sound; all times are moved by `shift` seconds, the sound's by more."""
    with av.open(str(path), "w", format=form) as output:
        stream = output.add_stream(video, rate=RATE, options=options or {})
        stream.codec_context.width, stream.codec_context.height = size
        stream.codec_context.pix_fmt = pix_fmt
        sound = output.add_stream(audio, rate=rate, layout="mono") if audio else None
        prepare(output)
        packets = []
        for number in range(count):
            grey = np.repeat(picture(number, *size)[..., None], 3, axis=2)
            image = av.VideoFrame.from_ndarray(grey, "rgb24").reformat(format=pix_fmt)
            image.pts, image.time_base = number, Fraction(1, RATE)
            packets += stream.encode(image)
        packets += stream.encode(None)
        packets += sound_packets(sound, count, rate) if sound else []
        for packet in packets:
            add = shift + (audio_shift if packet.stream is sound else 0)
            packet.pts += round(add / packet.time_base)
            packet.dts += round(add / packet.time_base)
        for packet in sorted(packets, key=lambda item: item.dts * item.time_base):
            output.mux(packet)
    return path


def sound_packets(stream: Any, count: int, rate: int) -> list[Any]:
    wave = (8000 * np.sin(np.arange(rate * count // RATE) / 9)).astype(np.int16)[None]
    samples = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
    samples.sample_rate, samples.pts, samples.time_base = rate, 0, Fraction(1, rate)
    context = stream.codec_context
    size = context.frame_size or 1024
    resampler = av.AudioResampler(context.format.name, "mono", rate, frame_size=size)
    parts = [*resampler.resample(samples), *resampler.resample(None)]
    return [packet for part in [*parts, None] for packet in stream.encode(part)]


def read(path: Path) -> list[Frame]:
    with VideoFile(path) as source:
        return list(source)


def frame_times(path: Path) -> list[Fraction]:
    """Times of the frames that are read, in their order, seconds."""
    with VideoFile(path) as source:
        return [found.pts * found.time_base for found in source]


def copy(source: Path, output: Path, *, frames: int | None = None) -> VideoWriter:
    """As `edge-sr run` does it, without upscaling."""
    with VideoFile(source) as found:
        writer = VideoWriter(
            output, source=found.info, copy_from=found.beside, preset="ultrafast", force=True
        )
        for number, item in enumerate(found, 1):
            writer.write(item)
            if number == frames:
                break
        writer.finish()
    return writer


def times(path: Path, kind: str = "video") -> list[Fraction]:
    """Presentation times of the packets of one kind of stream, in order, seconds."""
    with av.open(f"file:{path}") as found:
        given = [p for p in found.demux() if p.size and p.stream.type == kind]
        return sorted(packet.pts * packet.time_base for packet in given)
