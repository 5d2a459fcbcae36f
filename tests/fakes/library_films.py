"""Films with sound, long enough for several segments, and comparing what came of them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from edge_sr.pipeline.job import JobSpec

WIDTH, HEIGHT, RATE = 64, 48, 25


def write_film(
    path: Path,
    frames: int,
    *,
    sound: bool = True,
    uneven: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """A film of a moving pattern; with `uneven`, every seventh frame lasts twice as long."""
    rng = np.random.default_rng(frames)
    texture = rng.integers(0, 255, (HEIGHT, WIDTH + 64), np.uint8)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE, options=options or {"g": "60"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        audio = container.add_stream("aac", rate=48000, layout="mono") if sound else None
        at = 0
        for number in range(frames):
            picture = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
            start = number % 64
            picture[:HEIGHT] = texture[:, start : start + WIDTH] // 2 + number % 100
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = at, Fraction(1, 1000)
            at += 80 if uneven and number % 7 == 0 else 40
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio:
            for number in range(at * 48 // 1024):
                tone = np.sin(np.arange(1024) / 20 + number)[None].astype(np.float32)
                sample = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
                sample.rate, sample.pts = 48000, number * 1024
                container.mux(audio.encode(sample))
            container.mux(audio.encode(None))
    return path


def content(path: Path) -> dict[str, Any]:
    """Everything that two results must share: packets of the video, and counts of the others."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        packets = [
            (p.pts * p.time_base, p.dts * p.time_base, bytes(p))
            for p in container.demux(video)
            if p.size
        ]
    with av.open(str(path)) as container:
        frames = [
            (frame.pts * frame.time_base, frame.to_ndarray()) for frame in container.decode(video=0)
        ]
    with av.open(str(path)) as container:
        others = [s.index for s in container.streams if s.type != "video"]
        sound = [bytes(p) for p in container.demux() if p.size and p.stream_index in others]
    return {"packets": packets, "frames": frames, "sound": sound}


def assert_same(one: Path, other: Path) -> None:
    """The same frames at the same times, and the same sound."""
    first, second = content(one), content(other)
    assert len(first["frames"]) == len(second["frames"])
    for (at, picture), (there, other_picture) in zip(
        first["frames"], second["frames"], strict=True
    ):
        assert at == there
        assert np.array_equal(picture, other_picture), f"frame at {float(at)}"
    assert [packet[:2] for packet in first["packets"]] == [p[:2] for p in second["packets"]]
    assert sorted(first["sound"]) == sorted(second["sound"])


@pytest.fixture
def spec() -> Callable[..., JobSpec]:
    def make(**more: Any) -> JobSpec:
        # one thread: x264 with several is not always deterministic
        return JobSpec(**{"backend": "nearest", "preset": "ultrafast", **more})

    return make
