"""From a camera's bytes to planes: what the driver gives as YUV or JPEG never becomes BGR."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.media.frame import Color, Plane, Planes
from edge_sr.media.libraries import load_av, load_cv2
from edge_sr.media.planes import to_planes
from edge_sr.types import Size

logger = logging.getLogger(__name__)
Picture = NDArray[np.uint8]
Converter = Callable[[Picture], tuple[Planes, Color] | None]
BGR, JPEG, YUYV, NV12 = "BGR", "MJPG", "YUYV", "NV12"
# what OpenCV's conversion makes: BT.601, limited range, chroma taken at the top left pixel
BGR_COLOR = Color(matrix=6, primaries=1, transfer=1, full_range=False, chroma_location=3)
# what Video4Linux says of a camera that says nothing: sRGB's primaries, BT.601, limited range
YUV_COLOR = Color(matrix=6, primaries=1, transfer=1, full_range=False, chroma_location=1)
PATIENCE = (
    10  # damaged pictures in a row, after which a camera is taken for one that gives no other
)


def converter(layout: str, size: Size | None = None) -> Converter:
    """What makes planes of a picture in BGR, MJPG, YUYV or NV12: uint8 (H, W) and half that twice.

    Odd sides are cut. It returns None for a picture that is damaged, and has planes of its own
    memory. MJPG is for one stream at a time: it keeps a decoder.

    Args:
        size: of YUYV and NV12 that come as bytes in a row, as OpenCV 4 gives them; None where they
            have their shape.

    Raises:
        MissingDependencyError: a package that it needs is not installed.
    """
    if layout == JPEG:
        return _Jpegs()
    if layout == BGR:
        load_cv2()
        return from_bgr
    convert = {YUYV: from_yuyv, NV12: from_nv12}[layout]
    return convert if size is None else partial(_shaped, convert, layout, size)


def _shaped(
    convert: Converter, layout: str, size: Size, image: Picture
) -> tuple[Planes, Color] | None:
    """Give the bytes their shape first; None where some are missing."""
    columns, rows = size
    shape = (rows, columns, 2) if layout == YUYV else (rows * 3 // 2, columns)
    needed = math.prod(shape)
    if image.size < needed:
        return None
    return convert(image.reshape(-1)[:needed].reshape(shape))


def from_bgr(image: Picture) -> tuple[Planes, Color] | None:
    """Planes of uint8 (H, W, 3) BGR or (H, W) grey."""
    cv2 = load_cv2()
    image = image[: image.shape[0] & ~1, : image.shape[1] & ~1]
    rows, columns = image.shape[:2]
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    packed = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_BGR2YUV_I420).reshape(-1)
    luma, quarter = rows * columns, rows * columns // 4
    half = (rows // 2, columns // 2)
    u = packed[luma : luma + quarter].reshape(half)
    v = packed[luma + quarter : luma + 2 * quarter].reshape(half)
    return (packed[:luma].reshape(rows, columns), u, v), BGR_COLOR


def from_yuyv(image: Picture) -> tuple[Planes, Color] | None:
    """Planes of uint8 (H, W, 2), Y U Y V: luma as it is, chroma the mean of two lines."""
    rows, columns = (side & ~1 for side in image.shape[:2])
    samples = image[:rows, :columns]
    u, v = (_mean_of_lines(samples[:, start::2, 1]) for start in (0, 1))
    return (np.ascontiguousarray(samples[:, :, 0]), u, v), YUV_COLOR


def from_nv12(image: Picture) -> tuple[Planes, Color] | None:
    """Planes of uint8 (H * 3 / 2, W): the same bytes, chroma taken apart."""
    rows = image.shape[0] * 2 // 3 & ~1
    columns = image.shape[1] & ~1
    chroma = image[rows : rows + rows // 2, :columns]
    u, v = (np.ascontiguousarray(chroma[:, start::2]) for start in (0, 1))
    return (np.array(image[:rows, :columns]), u, v), YUV_COLOR


def _mean_of_lines(chroma: Picture) -> Plane:
    wide = chroma.astype(np.uint16)
    mean: Plane = ((wide[0::2] + wide[1::2] + 1) >> 1).astype(np.uint8)
    return mean


class _Jpegs:
    """FFmpeg's decoder on single pictures. Damaged ones are left out.

    Cables and hubs lose packets, and what is decoded of the rest is grey or of wrong colours below
    the gap. Where the first ten count as damaged, the camera writes them so: they are then taken.
    """

    def __init__(self) -> None:
        self._av = load_av()
        self._reformatter = self._av.video.reformatter.VideoReformatter()
        self._decoder = self._open("explode")
        self._damaged = 0
        self._whole = False  # whether one was not damaged

    def _open(self, care: str) -> Any:
        decoder = self._av.CodecContext.create("mjpeg", "r")
        decoder.options = {"err_detect": care}
        decoder.thread_count = 1
        return decoder

    def __call__(self, image: Picture) -> tuple[Planes, Color] | None:
        """Planes of the bytes of one JPEG file, uint8, any shape; bytes after its end are allowed.

        None for a damaged picture.
        """
        try:
            frames = self._decoder.decode(self._av.Packet(image.tobytes()))
        except self._av.FFmpegError:
            frames = []
        if not frames:
            self._damaged += 1
            if not self._whole and self._damaged == PATIENCE:
                logger.info("the camera's first pictures are damaged: they are shown as they are")
                self._decoder = self._open("careful")
            return None
        self._whole = True
        frame = frames[0]
        size = {"width": frame.width, "height": frame.height}
        y, u, v, color = to_planes(frame, self._decoder, self._reformatter, **size)
        rows, columns = frame.height & ~1, frame.width & ~1
        half = (slice(rows // 2), slice(columns // 2))
        return (y[:rows, :columns], u[half], v[half]), color
