"""The honest floors: plain resizing behind the same seam as a network."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from PIL import Image

from edge_sr.backend import Backend
from edge_sr.backend.nearest import NearestBackend
from edge_sr.backend.protocol import Batch, check_frame
from edge_sr.errors import BackendError
from edge_sr.model.sidecar import Sidecar

FLOORS = ("bicubic", "lanczos", "nearest")
FILTERS = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}


def floor_sidecar(kind: str, scale: Fraction) -> Sidecar:
    """Facts of a floor: a luma "model" without a file."""
    return Sidecar(
        name=f"{kind}-x{float(scale):g}",
        architecture=kind,
        scale=str(scale),
        color="luma",
        width=None,
        height=None,
        output_width=None,
        output_height=None,
        precision="fp32",
        parameters=0,
        macs_720p=0,
        sha256="",
        made_from="",
        made_from_sha256="",
    )


def open_floor(sidecar: Sidecar) -> Backend:
    """The backend of a floor, by its sidecar's architecture."""
    if sidecar.architecture == "nearest":
        return NearestBackend(sidecar)
    return FilterBackend(sidecar)


class FilterBackend:
    """Pillow's separable bicubic (a = -0.5, MATLAB's) or Lanczos-3 in float, on one thread."""

    name = "pillow"
    notices: tuple[str, ...] = ()
    device = "CPU, 1 thread"

    def __init__(self, sidecar: Sidecar) -> None:
        self.sidecar = sidecar
        self.precision = sidecar.precision
        self._filter = FILTERS[sidecar.architecture]
        self._closed = False

    def infer(self, frame: Batch) -> Batch:
        """As `Backend.infer`: uint8 (1, H, W, 1) in and out, rounded to whole levels."""
        check_frame(frame, self.sidecar)
        if self._closed:
            raise BackendError(f"{self.sidecar.name}: the backend is closed")
        _, height, width, _ = frame.shape
        plane = Image.fromarray(frame[0, ..., 0].astype(np.float32))
        large = np.array(plane.resize(self.sidecar.output_size(width, height), self._filter))
        np.clip(np.rint(large, out=large), 0, 255, out=large)
        return large.astype(np.uint8)[None, ..., None]

    def close(self) -> None:
        """As `Backend.close`."""
        self._closed = True
