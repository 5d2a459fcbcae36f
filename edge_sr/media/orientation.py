"""How a phone was held: the display matrix of a file, applied to the pixels."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_sr.media.chroma import shift_chroma
from edge_sr.media.frame import YUV420, PixelFormat, Plane
from edge_sr.media.resample import siting_offset
from edge_sr.media.side_data import side_data, unnamed_side_data


@dataclass(frozen=True)
class Orientation:
    """Swap rows and columns first, then mirror; the default leaves a picture as it is."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @property
    def upright(self) -> bool:
        """Whether it leaves a picture as it is."""
        return not (self.transpose or self.flip_x or self.flip_y)

    def turn(self, plane: Plane) -> Plane:
        """uint8 (H, W) -> (H, W), or (W, H) when transposed; contiguous, yours to keep."""
        if self.transpose:
            plane = plane.T
        return np.ascontiguousarray(plane[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1])

    def turn_yuv(
        self, y: Plane, u: Plane, v: Plane, siting: int, kept: PixelFormat = YUV420
    ) -> tuple[Plane, Plane, Plane]:
        """Turn a picture; chroma is moved so that its siting stays the same.

        Args:
            siting: FFmpeg's AVChromaLocation, as in `Color`.
            kept: of the planes; 4:2:2 cannot be transposed.
        """
        wanted = siting_offset(siting, kept)
        left, top = reversed(wanted) if self.transpose else wanted
        x, y_step = kept.chroma_x - 1, kept.chroma_y - 1
        found = (x - left if self.flip_x else left, y_step - top if self.flip_y else top)
        turned = [self.turn(plane) for plane in (u, v)]
        u, v = (shift_chroma(plane, found, wanted, white=kept.white) for plane in turned)
        return self.turn(y), u, v


def frame_orientation(frame: Any) -> Orientation:
    """The orientation in a PyAV frame's display matrix, to the nearest quarter turn."""
    matrix = side_data(frame).get("DISPLAYMATRIX")
    return Orientation() if matrix is None else parse_matrix(matrix)


# side data of frames that no output gets
LOST = {
    "SPHERICAL": "the projection of a 360-degree film",
    "STEREO3D": "the arrangement of a stereoscopic film",
    "DYNAMIC_HDR_PLUS": "HDR10+ data",
    "DOVI_METADATA": "Dolby Vision data",
}


def lost_side_data(frame: Any) -> list[str]:
    """What is known about a PyAV frame and not written to an output, in words for the user."""
    found = side_data(frame)
    return [text for name, text in LOST.items() if name in found] + unnamed_side_data(frame)


def parse_matrix(matrix: bytes) -> Orientation:
    """An FFmpeg display matrix (nine native 32-bit integers, the first five of them matter).

    It sends the pixel (x, y) to (a*x + c*y, b*x + d*y).
    """
    a, b, _, c, d = struct.unpack("=5i", matrix[:20])
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(flip_x=a < 0, flip_y=d < 0)
    return Orientation(transpose=True, flip_x=c < 0, flip_y=b < 0)
