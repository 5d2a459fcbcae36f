"""Nearest-neighbour upscaling: the honest floor of every comparison, and the test double."""

from __future__ import annotations

import numpy as np

from edge_sr.backend.protocol import Batch, check_frame
from edge_sr.errors import BackendError
from edge_sr.model.sidecar import Sidecar


class NearestBackend:
    """Repeats pixels. Takes a sidecar like any backend and no model file."""

    name = "nearest"
    device = "CPU, 1 thread"
    notices: tuple[str, ...] = ()

    def __init__(self, sidecar: Sidecar) -> None:
        self.sidecar = sidecar
        self.precision = sidecar.precision
        self._closed = False

    def infer(self, frame: Batch) -> Batch:
        """As `Backend.infer`."""
        check_frame(frame, self.sidecar)
        if self._closed:
            raise BackendError(f"{self.sidecar.name}: the backend is closed")
        _, height, width, _ = frame.shape
        columns, rows = self.sidecar.output_size(width, height)
        # the input pixel whose centre is nearest, exact in integers: floor((2i + 1) h / 2H)
        down = (2 * np.arange(rows) + 1) * height // (2 * rows)
        across = (2 * np.arange(columns) + 1) * width // (2 * columns)
        return np.ascontiguousarray(frame[:, down][:, :, across])

    def close(self) -> None:
        """As `Backend.close`."""
        self._closed = True
