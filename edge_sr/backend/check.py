"""The frame check that every backend makes before it touches a model."""

from __future__ import annotations

from edge_sr.backend.protocol import Batch
from edge_sr.errors import FrameError
from edge_sr.model.sidecar import Sidecar

SIDES = range(4, 8193)  # pixels


def check_frame(frame: Batch, sidecar: Sidecar) -> None:
    """Raise FrameError unless ``frame`` is uint8 (1, H, W, C) of a size the model takes."""
    if frame.dtype != "uint8" or frame.ndim != 4 or frame.shape[0] != 1:
        raise FrameError(
            f"frame is {frame.dtype} {frame.shape}; expected uint8 (1, H, W, {sidecar.channels})"
        )
    _, height, width, channels = frame.shape
    if channels != sidecar.channels:
        raise FrameError(
            f"frame has {channels} channels; {sidecar.name} takes {sidecar.channels} "
            f"({sidecar.color})"
        )
    if sidecar.width and (width, height) != (sidecar.width, sidecar.height):
        raise FrameError(
            f"frame is {width}x{height}; {sidecar.name} takes {sidecar.width}x{sidecar.height} "
            f"only: resize the input, or export the model with --size {width}x{height}"
        )
    if height not in SIDES or width not in SIDES:
        raise FrameError(f"frame is {width}x{height}; expected sides of 4 to 8192 pixels")
