"""What the tests that build engines with TensorRT-RTX share, beside the fixture `build`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Build = Callable[..., tuple[int, str, str]]
SMALL = "64x48"


def path_of(out: str) -> Path:
    return Path(out.partition(": ")[0])
