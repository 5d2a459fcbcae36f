"""Between PyAV's frames and numpy's planes: 8-bit 4:2:0, or the depth that a film has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from edge_sr.media.color import rgb_to_yuv
from edge_sr.media.frame import YUV420, Color, Frame, PixelFormat, Plane, Planes
from edge_sr.media.libraries import load_av

BT2020 = 9  # code point of the matrix and of the primaries
LIMITED, FULL = 1, 2  # FFmpeg's AVColorRange
SAME_LAYOUT = ("yuv420p", "yuvj420p")
MOST_BITS = 12  # that video is kept at: no encoder takes more
GREYS = {f"gray{bits}le": bits for bits in (9, 10, 12, 14, 16)}
OPAQUE = 255
SIDE = 64  # of a picture whose chroma size shows the subsampling


def kept_format(frame: Any) -> PixelFormat:
    """The format that keeps what a PyAV frame holds: `YUV420` up to 8 bits.

    Of more bits depth and subsampling are kept: 10 or 12 bits, 4:2:0, 4:2:2 or 4:4:4. 9 bits become
    10; 11, 14 and 16 become 12; 4:4:0 and RGB become 4:4:4; grey gets neutral 4:2:0 chroma.
    """
    found = frame.format
    bits = max((part.bits for part in found.components), default=8)
    if bits <= 8 or found.has_palette:
        return YUV420
    depth = 10 if bits <= 10 else MOST_BITS
    if found.name.startswith(("gray", "ya")):
        return PixelFormat(bits=depth)
    half = (SIDE // found.chroma_width(SIDE), SIDE // found.chroma_height(SIDE))
    x, y = half if half in ((2, 2), (2, 1)) else (1, 1)
    return PixelFormat(x, y, depth)


def shows_through(frame: Any) -> bool:
    """Whether a PyAV frame has transparency, which no film that is written has."""
    if not any(part.is_alpha for part in frame.format.components):
        return False
    alpha = frame.reformat(format="rgba").to_ndarray()[..., 3]
    return bool((alpha != OPAQUE).any())


def av_name(kept: PixelFormat) -> str:
    """FFmpeg's name of a planar format: "yuv420p", "yuv422p10le"."""
    kind = {(2, 2): "420", (2, 1): "422", (1, 1): "444"}[kept.chroma_x, kept.chroma_y]
    return f"yuv{kind}p" + ("" if kept.bits == 8 else f"{kept.bits}le")


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
    frame: Any,
    context: Any,
    reformatter: Any,
    *,
    width: int,
    height: int,
    kept: PixelFormat = YUV420,
) -> tuple[Plane, Plane, Plane, Color]:
    """y, u, v and colour tags of a PyAV frame of any pixel format and size, in the kept format.

    A frame that has this format comes out as read-only views of its memory. More bits and other
    subsamplings are reduced with their range and matrix kept. RGB becomes limited range, BT.601 up
    to 576 rows and BT.709 above, and is tagged so. Frames of another size are resized (bicubic).

    Args:
        context: the codec context that decoded the frame; it has some of the tags.
        kept: `YUV420`, or what `kept_format` gives.
    """
    color = frame_color(frame, context)
    size = (width, height)
    grey = frame.format.name.startswith(("gray", "ya") if kept.bits > 8 else "gray")
    if grey and (frame.width, frame.height) == size:
        return (*_grey(frame, reformatter, kept), color)
    if frame.format.is_rgb or frame.format.has_palette:
        matrix = Color().effective_matrix(height)
        if kept.bits > 8 and color.primaries == BT2020:
            matrix = BT2020
        color = Color(matrix, color.primaries, color.transfer, full_range=False)
        return (*_rgb_to_yuv(frame, reformatter, size, color, kept), color)
    names = SAME_LAYOUT if kept == YUV420 else (av_name(kept),)
    if frame.format.name not in names or (frame.width, frame.height) != size:
        code = FULL if color.full_range else LIMITED
        frame = reformatter.reformat(
            frame,
            width,
            height,
            av_name(kept),
            interpolation="BICUBIC",
            src_color_range=code,
            dst_color_range=code,
        )
    y, u, v = (plane_view(frame, index, kept) for index in range(3))
    return y, u, v, color


def plane_view(frame: Any, index: int, kept: PixelFormat = YUV420) -> Plane:
    """One plane of a PyAV frame (H, W), of the format's dtype, as a read-only view of it."""
    plane = frame.planes[index]
    line = plane.line_size // kept.dtype.itemsize
    count = line * plane.height
    rows = np.frombuffer(plane, kept.dtype, count=count).reshape(plane.height, line)
    view = rows[:, : plane.width]
    view.flags.writeable = False
    return view


def av_picture(frame: Frame, size: tuple[int, int]) -> Any:
    """A PyAV picture of a size (columns, rows) with a copy of the frame's planes, cropped to it."""
    picture = load_av().VideoFrame(*size, av_name(frame.format))
    for plane, pixels in zip(picture.planes, frame.planes, strict=True):
        line = plane.line_size // frame.format.dtype.itemsize
        rows = np.frombuffer(plane, frame.format.dtype).reshape(-1, line)
        rows[: plane.height, : plane.width] = pixels[: plane.height, : plane.width]
    return picture


def reduce_frame(frame: Frame) -> Frame:
    """The frame in 8-bit 4:2:0, for screens; itself where it has that format."""
    if frame.format == YUV420:
        return frame
    code = FULL if frame.color.full_range else LIMITED
    picture = av_picture(frame, frame.size).reformat(
        format="yuv420p", interpolation="BICUBIC", src_color_range=code, dst_color_range=code
    )
    y, u, v = (plane_view(picture, index) for index in range(3))
    return replace(frame, planes=(y, u, v), format=YUV420)


def _grey(frame: Any, reformatter: Any, kept: PixelFormat) -> Planes:
    """Luma as it is (swscale would take limited range grey for full), neutral chroma."""
    same = {"src_color_range": FULL, "dst_color_range": FULL}
    if kept.bits == 8:
        if frame.format.name != "gray":
            frame = reformatter.reformat(frame, format="gray", **same)
        y = plane_view(frame, 0)
    else:
        if frame.format.name not in GREYS:
            frame = reformatter.reformat(frame, format="gray16le", **same)
        y = plane_view(frame, 0, kept)
        extra = GREYS[frame.format.name] - kept.bits
        if extra > 0:  # rounded; swscale would miss single levels
            y = np.minimum((y.astype(np.uint32) + (1 << extra - 1)) >> extra, kept.white)
        y = np.asarray(y << max(0, -extra), kept.dtype)
    neutral = np.full(((y.shape[0] + 1) // 2, (y.shape[1] + 1) // 2), kept.neutral, kept.dtype)
    return y, neutral, neutral


def _rgb_to_yuv(
    frame: Any, reformatter: Any, size: tuple[int, int], color: Color, kept: PixelFormat
) -> Planes:
    deep = kept.bits > 8
    name = "rgb48le" if deep else "rgb24"
    frame = reformatter.reformat(frame, *size, name, interpolation="BICUBIC")
    plane, dtype = frame.planes[0], kept.dtype
    lines = np.frombuffer(plane, dtype, count=plane.line_size * size[1] // dtype.itemsize)
    pixels = lines.reshape(size[1], -1)[:, : 3 * size[0]].reshape(size[1], size[0], 3)
    return rgb_to_yuv(pixels, color, kept=kept)
