"""The pipeline's frame: planar YUV with its own subsampling and bit depth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.media.hdr import Hdr
from edge_sr.types import Size

Plane = NDArray[np.uint8]  # of 8-bit formats; uint16 with more bits
Planes = tuple[Plane, Plane, Plane]
UNTAGGED = 2
SD_HEIGHT = 576  # rows up to which untagged video is BT.601


@dataclass(frozen=True)
class PixelFormat:
    """How the samples of a planar YUV picture are stored."""

    chroma_x: int = 2  # luma columns for one chroma sample: 2 for 4:2:0 and 4:2:2, 1 for 4:4:4
    chroma_y: int = 2  # luma rows for one chroma sample: 2 for 4:2:0, 1 for 4:2:2 and 4:4:4
    bits: int = 8  # of a sample, 8 to 16; more than 8 are stored in uint16, in its low bits

    def __str__(self) -> str:
        names = {(2, 2): "4:2:0", (2, 1): "4:2:2", (1, 1): "4:4:4", (1, 2): "4:4:0"}
        return f"{self.bits}-bit {names.get((self.chroma_x, self.chroma_y), 'planar')}"

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the planes."""
        return np.dtype(np.uint8 if self.bits == 8 else np.uint16)

    @property
    def white(self) -> int:
        """The largest sample."""
        return (1 << self.bits) - 1

    @property
    def neutral(self) -> int:
        """The chroma sample of grey."""
        return 1 << (self.bits - 1)

    def chroma_size(self, size: Size) -> Size:
        """The size of a chroma plane of a picture; odd sides are rounded up."""
        return Size(-(-size.width // self.chroma_x), -(-size.height // self.chroma_y))


YUV420 = PixelFormat()  # 8 bits: the fast path


@dataclass(frozen=True)
class Color:
    """Colour tags as ITU-T H.273 code points (FFmpeg's numbers); 2 is "unspecified"."""

    matrix: int = 2  # 1 BT.709, 5 BT.470BG, 6 SMPTE 170M (both BT.601), 9 BT.2020
    primaries: int = 2
    transfer: int = 2
    full_range: bool | None = None  # None: not tagged
    chroma_location: int = 0  # AVChromaLocation: 0 unspecified, 1 left, 2 centre, 3 top left

    def effective_matrix(self, height: int) -> int:
        """The tagged matrix; of untagged video of `height` rows, the one that players assume."""
        if self.matrix != UNTAGGED:
            return self.matrix
        return 6 if height <= SD_HEIGHT else 1

    def resized(self, source_height: int, height: int) -> Color:
        """The tags for a frame that was resized from `source_height` to `height` rows.

        Players take untagged video for BT.601 up to 576 rows and for BT.709 above. Where resizing
        crosses that line, the matrix that the source was taken for is written down; otherwise the
        tags are returned as they are.
        """
        if self.matrix != UNTAGGED or (source_height <= SD_HEIGHT) == (height <= SD_HEIGHT):
            return self
        return replace(self, matrix=self.effective_matrix(source_height))


@dataclass(frozen=True)
class Frame:
    """One picture, planar YUV.

    The planes are ``y`` (H, W) and ``u``, ``v`` (of `PixelFormat.chroma_size`); in the default
    format, 8-bit 4:2:0, they are uint8 and the chroma planes (ceil(H/2), ceil(W/2)). They may be
    views of a decoder's memory: read them, never write into them.
    """

    planes: Planes
    pts: int  # presentation time in units of time_base
    time_base: Fraction  # seconds per unit
    color: Color = Color()
    format: PixelFormat = YUV420
    taken_s: float | None = None  # when it was captured, on the clock of time.perf_counter
    discontinuity: bool = False  # True: nothing remembered of earlier frames applies to this one

    @property
    def y(self) -> Plane:
        """Luma."""
        return self.planes[0]

    @property
    def u(self) -> Plane:
        """Chroma, blue difference."""
        return self.planes[1]

    @property
    def v(self) -> Plane:
        """Chroma, red difference."""
        return self.planes[2]

    @property
    def size(self) -> Size:
        """Of the luma plane."""
        return Size.of_shape(self.planes[0].shape)


@dataclass(frozen=True)
class StreamInfo:
    """What is known of a stream of frames before the first one is read."""

    name: str  # for messages: a path, or "camera 0"; never with credentials
    width: int  # pixels, as the frames come out (after rotation)
    height: int
    time_base: Fraction
    frame_rate: Fraction | None  # average, frames per second; None if unknown
    frames: int | None  # an estimate for progress bars, never a promise
    live: bool  # True: frames come at their own pace and cannot be asked for again
    sample_aspect_ratio: Fraction = Fraction(1)
    format: PixelFormat = YUV420  # of the frames as they come out
    hdr: Hdr | None = None  # what is known of how it was mastered

    @property
    def size(self) -> Size:
        """Width and height."""
        return Size(self.width, self.height)
