"""Constants, test clips and the report that the attacks share."""

from __future__ import annotations

import hashlib
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

RUN = [sys.executable, "-m", "edge_sr.cli.main", "run"]
CPU_LIMIT = 10  # seconds of processor time until a run counts as hung, its start included
RATE = 25  # frames a second of the films
LIMIT = 180.0  # seconds by the clock, for one that waits: the machine may be busy with others


def report(title: str, results: Counter[str], *, good: Sequence[str]) -> int:
    """Print how often what happened; 1 if anything that is not good did."""
    for text, number in sorted(results.items()):
        print(f"{title}: {number} x {text}")
    return int(any(text not in good for text in results))


def make_clip(path: Path, frames: int, *, width: int = 320, height: int = 180) -> Path:
    """A film at `RATE` frames a second whose every frame differs."""
    rng = np.random.default_rng(0)
    scene = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    scene[: height // 2] = np.linspace(0, 255, width, dtype=np.uint8)[None, :, None]
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            picture = np.roll(scene, 3 * index, axis=1)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                output.mux(packet)
        for packet in stream.encode(None):
            output.mux(packet)
    return path


def count_frames(path: Path) -> int:
    """Frames that decode without an error; raises av.FFmpegError."""
    with av.open(str(path)) as clip:
        return sum(1 for _ in clip.decode(video=0))


def last_line(errors: str) -> str:
    """The last line of what a program printed, at most 200 characters."""
    return (errors.strip().splitlines() or [""])[-1][:200]


def frame_hashes(path: Path) -> list[bytes]:
    """SHA-256 of each decoded frame of a film."""
    with av.open(str(path)) as clip:
        return [
            hashlib.sha256(frame.to_ndarray().tobytes()).digest() for frame in clip.decode(video=0)
        ]


def resident_mb() -> float:
    """Memory of this process, MiB; Linux only."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
