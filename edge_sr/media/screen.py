"""Frames for screens: quick resizing, RGB for display, JPEG. Files never go through here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import MediaError
from edge_sr.media.frame import YUV420, Color, Frame
from edge_sr.media.libraries import load_av, load_cv2
from edge_sr.media.planes import FULL, LIMITED, av_picture, plane_view, reduce_frame
from edge_sr.types import Size

Bgr = NDArray[np.uint8]
BT709, BT2020 = 1, 9
KNOWN_MATRICES = (1, 4, 5, 6, 7, 9)  # those that swscale has coefficients for


def to_picture(frame: Frame) -> Any:
    """A PyAV yuv420p picture with the frame's pixels, even sides (cropped)."""
    return _even_picture(reduce_frame(frame))


def rescale(frame: Frame, width: int, height: int) -> Frame:
    """The frame in 8-bit 4:2:0 at another, even size: swscale's bicubic, its siting is ignored."""
    if frame.y.shape == (height, width):
        return reduce_frame(frame)
    code = FULL if frame.color.full_range else LIMITED
    picture = _even_picture(frame).reformat(
        width,
        height,
        "yuv420p",
        interpolation="BICUBIC",
        src_color_range=code,
        dst_color_range=code,
    )
    y, u, v = (plane_view(picture, index) for index in range(3))
    return replace(frame, planes=(y, u, v), format=YUV420)


def to_bgr(frame: Frame, *, rows: int | None = None) -> Bgr:
    """uint8 (H, W, 3) BGR, full range, even sides; within a few grey levels of `yuv_to_rgb`.

    Args:
        rows: of the video that the colour tags speak of, if not the frame's own.
    """
    height = rows or frame.size.height
    matrix = frame.color.effective_matrix(height)
    if matrix not in KNOWN_MATRICES:
        matrix = Color().effective_matrix(height)
    if matrix == BT2020 and not hasattr(load_av().video.reformatter.Colorspace, "BT2020"):
        matrix = BT709  # PyAV before 18 does not pass BT.2020 on; BT.709 is within two grey levels
    picture = _even_picture(frame).reformat(
        format="bgr24",
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=FULL if frame.color.full_range else LIMITED,
        dst_color_range=FULL,
    )
    return np.asarray(picture.to_ndarray(), np.uint8)


def _even_picture(frame: Frame) -> Any:
    """A PyAV picture with the frame's pixels, even sides (cropped)."""
    return av_picture(frame, Size(frame.size.width & ~1, frame.size.height & ~1))


def to_jpeg(pixels: Bgr, quality: int = 80) -> bytes:
    """uint8 (H, W, 3) BGR as JPEG.

    Raises:
        MediaError: the encoder refuses.
    """
    cv2 = load_cv2()
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise MediaError(f"a picture of {pixels.shape[1]}x{pixels.shape[0]} could not become JPEG")
    return bytes(data)
