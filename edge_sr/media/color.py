"""Between planar YUV and RGB, with the frame's own matrix and range."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import FrameError
from edge_sr.media.frame import YUV420, Color, Frame, PixelFormat, Plane
from edge_sr.media.libraries import load_cv2
from edge_sr.media.resample import enlarge, siting_offset

Rgb = NDArray[np.uint8]
# matrix code point -> the share of red and of blue in luma
WEIGHTS = {
    1: (0.2126, 0.0722),  # BT.709
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.601
    6: (0.299, 0.114),
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020
    10: (0.2627, 0.0593),
}
TWICE = (Fraction(2), Fraction(2))


def yuv_to_rgb(frame: Frame, *, height: int | None = None) -> Rgb:
    """Convert one frame to uint8 (H, W, 3) RGB, full range. The result is yours to keep.

    Chroma is interpolated (cubic) from where its tag says it sits.

    Args:
        height: rows of the picture the colour tags speak of, if not the frame's own: untagged
            frames are BT.601 up to 576 rows and BT.709 above. An untagged range is limited.

    Raises:
        FrameError: a matrix other than BT.601, 709, 2020, FCC or SMPTE 240M.
        MissingDependencyError: OpenCV is not installed.
    """
    cv2 = load_cv2()
    rows, columns = frame.y.shape
    x, y = siting_offset(frame.color.chroma_location)
    u, v = (enlarge(p, (columns, rows), TWICE, (-x / 2, -y / 2)) for p in (frame.u, frame.v))
    forward = _affine(frame.color, height or rows)
    back = np.linalg.inv(forward[:, :3])
    affine = np.column_stack([back, -back @ forward[:, 3]])
    return np.asarray(cv2.transform(cv2.merge([frame.y, u, v]), affine), np.uint8)


def rgb_to_yuv(
    rgb: Rgb, color: Color, *, height: int | None = None, kept: PixelFormat = YUV420
) -> tuple[Plane, Plane, Plane]:
    """Convert uint8 (H, W, 3) RGB to y (H, W), u and v (ceil(H/2), ceil(W/2)), tagged as `color`.

    Chroma is averaged around the place where its tag says it sits. The planes are yours to keep.

    Args:
        height: as for `yuv_to_rgb`.
        kept: of the planes. With more than 8 bits RGB is uint16, 0 to 65535, and chroma 4:4:4.

    Raises:
        FrameError: not uint8 (H, W, 3), or a matrix that is not known.
        MissingDependencyError: OpenCV is not installed.
    """
    if rgb.dtype != kept.dtype or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise FrameError(f"image is {rgb.dtype} {rgb.shape}; expected {kept.dtype} (H, W, 3)")
    cv2 = load_cv2()
    if kept.bits > 8:
        return _deep_yuv(rgb, _affine(color, height or rgb.shape[0]), color, kept)
    planes = cv2.transform(np.ascontiguousarray(rgb), _affine(color, height or rgb.shape[0]))
    y, u, v = cv2.split(planes)
    siting = siting_offset(color.chroma_location)
    return np.asarray(y, np.uint8), _halve(u, siting), _halve(v, siting)


def _deep_yuv(
    rgb: Rgb, affine: NDArray[np.float64], color: Color, kept: PixelFormat
) -> tuple[Plane, Plane, Plane]:
    """uint16 (H, W, 3) RGB to 4:4:4 planes of `kept.bits`, rounded once."""
    cv2 = load_cv2()
    step = float(1 << (kept.bits - 8))
    gain = (kept.white / 255 if color.full_range else step) * 255 / 65535
    scaled = np.column_stack([affine[:, :3] * gain, affine[:, 3] * step]).astype(np.float32)
    planes = cv2.split(cv2.transform(np.ascontiguousarray(rgb, np.float32), scaled))
    y, u, v = (np.clip(np.rint(plane), 0, kept.white).astype(kept.dtype) for plane in planes)
    return y, u, v


def _affine(color: Color, height: int) -> NDArray[np.float64]:
    """(3, 4): RGB 0..255 and 1 to y, u, v 0..255."""
    matrix = color.effective_matrix(height)
    if matrix not in WEIGHTS:
        known = ", ".join(str(code) for code in WEIGHTS)
        raise FrameError(f"the frame's colour matrix is {matrix}; RGB can be made from {known}")
    red, blue = WEIGHTS[matrix]
    luma = np.array([red, 1 - red - blue, blue])
    rows = [luma, ([0, 0, 1] - luma) / (2 - 2 * blue), ([1, 0, 0] - luma) / (2 - 2 * red)]
    if color.full_range:
        return np.column_stack([np.stack(rows), [0, 128, 128]])
    scales = np.array([[219], [224], [224]]) / 255
    return np.column_stack([np.stack(rows) * scales, [16, 128, 128]])


def _halve(plane: Plane, siting: tuple[float, float]) -> Plane:
    """Every second sample of both axes, each the mean of its neighbours around the siting."""
    cv2 = load_cv2()
    x, y = (_taps(at) for at in siting)
    filtered = cv2.sepFilter2D(plane, -1, x, y, borderType=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(filtered[::2, ::2])


def _taps(siting: float) -> NDArray[np.float32]:
    """Weights of the samples -2..2 around an even one, for a chroma sample at `siting` from it."""
    distance = np.abs(np.arange(-2, 3) - siting)
    return np.asarray(np.maximum(0, 1 - distance / 2) / 2, np.float32)
