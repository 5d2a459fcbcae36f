"""What runs a model: the one seam between edge-sr and an inference engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import FrameError
from edge_sr.model.sidecar import Sidecar
from edge_sr.types import Size

Batch = NDArray[np.uint8]
SIDES = range(4, 8193)  # pixels


class Backend(Protocol):
    """Opens a model once, then upscales frames of it. Not safe for use by two threads at once."""

    @property
    def name(self) -> str:
        """ "onnxruntime", "openvino", "tensorrt" or "nearest"."""
        ...

    @property
    def device(self) -> str:
        """What it runs on, in words: "CPU, 2 threads"."""
        ...

    @property
    def precision(self) -> str:
        """ "fp32", "fp16" or "int8" as the model file holds, or computed in "bf16", "int8-bf16"."""
        ...

    @property
    def notices(self) -> Sequence[str]:
        """What the user should know about the run so far, one line each; mostly none."""
        ...

    def infer(self, frame: Batch) -> Batch:
        """Upscale one frame: uint8 (1, H, W, C) -> uint8 (1, H*scale, W*scale, C).

        C is 1 (luma) or 3 (RGB), as the model's sidecar says; twice that where its samples have
        two bytes (`Sidecar.pixel_bytes`). The result is the caller's to keep.

        Raises:
            FrameError: wrong dtype, shape or size.
            BackendError: the engine failed.
        """
        ...

    def close(self) -> None:
        """Free the model; safe to call twice."""
        ...


@runtime_checkable
class Overlapping(Protocol):
    """What a backend offers besides that can work on several frames at once."""

    @property
    def slots(self) -> int:
        """How many frames may be in flight."""
        ...

    def submit(self, frame: Batch) -> None:
        """Begin with a frame; it may be overwritten when this returns.

        Raises:
            FrameError, BackendError: as `infer`; after a BackendError no frame is in flight.
        """
        ...

    def collect(self) -> Batch:
        """The result of the oldest frame in flight, uint8 (1, H*scale, W*scale, C); waits for it.

        It is valid until the next `submit`, and not after `close`.

        Raises:
            BackendError: none is in flight, or the engine failed; then none is.
        """
        ...


@dataclass(frozen=True)
class TileLayout:
    """The tiles that a backend takes, of one size each."""

    size: Size  # of a tile with its rims, in input pixels
    rim: int  # input pixels on each side that are not kept, but at the frame's edges
    kept: int  # rows and columns that are kept of a tile: a multiple of 16
    batch: int  # tiles at once, at most


@runtime_checkable
class Tiling(Protocol):
    """What a backend offers besides that computes parts of a frame as tiles of one size."""

    def open_tiles(self) -> TileLayout | None:
        """What tiles it takes of the frames that its model is for; None: it has no tiles.

        The first call prepares them, and takes memory for that. Why they cannot be used is one of
        the backend's `notices`.
        """
        ...

    def infer_tiles(self, tiles: Sequence[Batch]) -> list[Batch]:
        """Upscale any number of tiles, uint8 (h, w, C) -> uint8 (h*scale, w*scale, C) each.

        The results are the caller's to keep.

        Raises:
            FrameError: a tile has another dtype or shape than `open_tiles` returned.
            BackendError: there are no tiles, or the engine failed; then no frame is in flight.
        """
        ...


def check_frame(frame: Batch, sidecar: Sidecar) -> None:
    """Raise FrameError unless ``frame`` is uint8 (1, H, W, C) of a size the model takes."""
    if frame.dtype != "uint8" or frame.ndim != 4 or frame.shape[0] != 1:
        raise FrameError(
            f"frame is {frame.dtype} {frame.shape}; expected uint8 (1, H, W, {sidecar.pixel_bytes})"
        )
    _, height, width, channels = frame.shape
    if channels != sidecar.pixel_bytes:
        what = "" if sidecar.bits == 8 else f" bytes a pixel for {sidecar.bits} bits"
        raise FrameError(
            f"frame has {channels} channels; {sidecar.name} takes {sidecar.pixel_bytes}{what} "
            f"({sidecar.color})"
        )
    if sidecar.width and (width, height) != (sidecar.width, sidecar.height):
        raise FrameError(
            f"frame is {width}x{height}; {sidecar.name} takes {sidecar.width}x{sidecar.height} "
            f"only: resize the input, or export the model with --size {width}x{height}"
        )
    if height not in SIDES or width not in SIDES:
        raise FrameError(f"frame is {width}x{height}; expected sides of 4 to 8192 pixels")
