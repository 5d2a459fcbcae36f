"""What runs a model: the one seam between edge-sr and an inference engine."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Batch = NDArray[np.uint8]


class Backend(Protocol):
    """Opens a model once, then upscales frames of it. Not safe for use by two threads at once."""

    @property
    def name(self) -> str:
        """ "onnxruntime", "nearest"."""
        ...

    @property
    def device(self) -> str:
        """What it runs on, in words: "CPU, 2 threads"."""
        ...

    @property
    def precision(self) -> str:
        """ "fp32", "fp16" or "int8": what the model file holds."""
        ...

    def infer(self, frame: Batch) -> Batch:
        """Upscale one frame: uint8 (1, H, W, C) -> uint8 (1, H*scale, W*scale, C).

        C is 1 (luma) or 3 (RGB), as the model's sidecar says. The result is the caller's to keep.

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
