"""The command as a shell runs it, and a clip to run it on."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
from clocks import HANG_S

from edge_sr.media.frame import Color, Frame, StreamInfo
from edge_sr.media.sinks.writer import VideoWriter

RATE = Fraction(25)


def make_clip(path: Path, *, frames: int = 6, width: int = 96, height: int = 64) -> Path:
    """A short moving clip."""
    info = StreamInfo(path.name, width, height, 1 / RATE, RATE, frames, live=False)
    writer = VideoWriter(path, source=info)
    y, x = np.mgrid[0:height, 0:width]
    grey = np.full((height // 2, width // 2), 128, np.uint8)
    for index in range(frames):
        plane = (128 + 80 * np.sin((x + 3 * index) / 6) * np.cos(y / 5)).astype(np.uint8)
        color = Color(matrix=1, primaries=1, transfer=1, full_range=False)
        writer.write(Frame((plane, grey, grey), index, 1 / RATE, color))
    writer.finish()
    return path


def edge_sr(*words: object) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as a shell runs it."""
    command = [sys.executable, "-m", "edge_sr", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG_S)
