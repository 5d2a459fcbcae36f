"""Between PyAV's frames and numpy's planes; every pixel format becomes 8-bit 4:2:0 here."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_sr.media.color import rgb_to_yuv
from edge_sr.media.frame import Color, Plane, Planes

LIMITED, FULL = 1, 2  # FFmpeg's AVColorRange
SAME_LAYOUT = ("yuv420p", "yuvj420p")


def frame_color(frame: Any, context: Any) -> Color:
    """The colour tags of a PyAV frame and the codec context that it comes from.

    PyAV below 17 shows primaries and transfer on the context only, and none of them the chroma
    location: JPEG's is the centre, others count as unspecified.
    """
    jpeg = context.name == "mjpeg"
    tagged = int(frame.color_range)
    full = frame.format.name.startswith("yuvj")
    return Color(
        matrix=int(frame.colorspace),
        primaries=int(context.color_primaries),
        transfer=int(context.color_trc),
        full_range=True if full else {LIMITED: False, FULL: True}.get(tagged),
        chroma_location=2 if jpeg else 0,
    )


def to_planes(
    frame: Any, context: Any, reformatter: Any, *, width: int, height: int
) -> tuple[Plane, Plane, Plane, Color]:
    """y, u, v, uint8 (H, W) each, and colour tags of a PyAV frame of any pixel format and size.

    8-bit 4:2:0 comes out as read-only views of the frame's memory. More bits and other
    subsamplings are reduced with their range and matrix kept. RGB becomes limited range, BT.601 up
    to 576 rows and BT.709 above, and is tagged so. Frames of another size are resized (bicubic).

    Args:
        context: the codec context that decoded the frame; it has some of the tags.
    """
    color = frame_color(frame, context)
    if frame.format.name.startswith("gray") and (frame.width, frame.height) == (width, height):
        return (*_grey(frame, reformatter), color)
    if frame.format.is_rgb or frame.format.has_palette:
        matrix = Color().effective_matrix(height)
        color = Color(matrix, color.primaries, color.transfer, full_range=False)
        return (*_rgb_to_420(frame, reformatter, (width, height), color), color)
    if frame.format.name not in SAME_LAYOUT or (frame.width, frame.height) != (width, height):
        code = FULL if color.full_range else LIMITED
        frame = reformatter.reformat(
            frame,
            width,
            height,
            "yuv420p",
            interpolation="BICUBIC",
            src_color_range=code,
            dst_color_range=code,
        )
    y, u, v = (plane_view(frame, index) for index in range(3))
    return y, u, v, color


def plane_view(frame: Any, index: int) -> Plane:
    """One plane of a PyAV frame, uint8 (H, W), as a read-only view that keeps it alive."""
    plane = frame.planes[index]
    line = plane.line_size
    rows = np.frombuffer(plane, np.uint8, count=line * plane.height).reshape(plane.height, line)
    view = rows[:, : plane.width]
    view.flags.writeable = False
    return view


def _grey(frame: Any, reformatter: Any) -> Planes:
    """Luma as it is (swscale would take limited range grey for full), neutral chroma."""
    if frame.format.name != "gray":
        kept = {"src_color_range": FULL, "dst_color_range": FULL}
        frame = reformatter.reformat(frame, format="gray", **kept)
    y = plane_view(frame, 0)
    neutral = np.full(((y.shape[0] + 1) // 2, (y.shape[1] + 1) // 2), 128, np.uint8)
    return y, neutral, neutral


def _rgb_to_420(frame: Any, reformatter: Any, size: tuple[int, int], color: Color) -> Planes:
    frame = reformatter.reformat(frame, *size, "rgb24", interpolation="BICUBIC")
    plane = frame.planes[0]
    lines = np.frombuffer(plane, np.uint8, count=plane.line_size * size[1])
    pixels = lines.reshape(size[1], -1)[:, : 3 * size[0]].reshape(size[1], size[0], 3)
    return rgb_to_yuv(pixels, color)
