"""H.264: patches through it and back in memory, and clips in files."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

BLOCK = 16  # pixels of a macroblock: patches of other sizes are padded to whole ones


def through_h264(patches: np.ndarray, rate: int) -> np.ndarray:
    """Code and decode a batch as the second frame of a video that moves by a pixel.

    The patches lie side by side in one frame, so that one short video serves the batch.

    Args:
        patches: uint8 (B, h, w, 1 or 3).
        rate: x264's constant rate factor, 0..51.

    Returns uint8 of the same shape. One thread: the same bytes on every machine with this x264.
    """
    count, rows, columns, channels = patches.shape
    margin = ((0, 0), (0, -rows % BLOCK), (0, -columns % BLOCK), (0, 0))
    padded = np.pad(patches, margin, mode="edge")
    across = int(np.ceil(np.sqrt(count)))
    filled = np.concatenate([padded, padded[:1].repeat(-count % across, axis=0)])
    height, width = padded.shape[1:3]
    grid = filled.reshape(-1, across, height, width, channels).transpose(0, 2, 1, 3, 4)
    sheet = np.ascontiguousarray(grid.reshape(-1, across * width, channels))
    decoded = _second_frame([np.roll(sheet, 1, axis=1), sheet], rate)
    tiles = decoded.reshape(-1, height, across, width, channels).transpose(0, 2, 1, 3, 4)
    return tiles.reshape(-1, height, width, channels)[:count, :rows, :columns]


def code_clip(
    frames: list[np.ndarray], rate: int, *, preset: str = "medium", zerolatency: bool = False
) -> list[np.ndarray]:
    """Code and decode a clip of luma by x264, as streams are.

    Args:
        frames: uint8 (h, w), sides even.
        rate: x264's constant rate factor, 0..51.
        zerolatency: without B-frames and look-ahead, as calls and cameras do it.

    Returns as many frames of the same shape; one thread, so the same on every run.
    """
    options = {"crf": str(rate), "preset": preset, "threads": "1"}
    if zerolatency:
        options["tune"] = "zerolatency"
    rows, columns = frames[0].shape
    decoded = _through_x264([_yuv(frame) for frame in frames], (rows, columns), options)
    return [np.array(frame.to_ndarray()[:rows, :columns]) for frame in decoded]


def write_clip(path: Path, frames: list[Image.Image], *, rate: int, group: int) -> None:
    """Write RGB images as H.264 at 24 frames a second, limited range of BT.709, as the file says.

    Args:
        rate: x264's constant rate factor, 0..51.
        group: frames from one key frame to the next.
    """
    with av.open(str(path), "w") as out:
        options = {"crf": str(rate), "preset": "fast", "g": str(group)}
        stream = out.add_stream("libx264", rate=Fraction(24), options=options)
        stream.width, stream.height = frames[0].size
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.color_range, context.colorspace, context.color_primaries, context.color_trc = (
            1,
            1,
            1,
            1,
        )
        for frame in frames:
            made = av.VideoFrame.from_image(frame).reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
            )
            for packet in stream.encode(made):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)


def _through_x264(
    frames: list[av.VideoFrame], size: tuple[int, int], options: dict[str, str]
) -> list[av.VideoFrame]:
    """The decoded frames in the order in which they are shown."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="h264") as out:
        stream = out.add_stream("libx264", rate=Fraction(30), options=options)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        for index, frame in enumerate(frames):
            frame.pts = index
            for packet in stream.encode(frame):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
    buffer.seek(0)
    with av.open(buffer, "r", format="h264") as back:
        back.streams.video[0].thread_count = 1
        return list(back.decode(video=0))


def _second_frame(frames: list[np.ndarray], rate: int) -> np.ndarray:
    grey = frames[0].shape[2] == 1
    made = [_yuv(item[..., 0]) if grey else av.VideoFrame.from_ndarray(item) for item in frames]
    options = {"crf": str(rate), "preset": "veryfast", "threads": "1", "bf": "0"}
    rows, columns = frames[0].shape[:2]
    last = _through_x264(made, (rows, columns), options)[-1]
    if grey:
        return np.asarray(last.to_ndarray())[: frames[0].shape[0], :, None]
    return np.asarray(last.to_ndarray(format="rgb24"))


def _yuv(luma: np.ndarray) -> av.VideoFrame:
    """A frame of luma with no colour; levels go in as they are."""
    rows = luma.shape[0]
    planes = np.full((rows * 3 // 2, luma.shape[1]), 128, np.uint8)
    planes[:rows] = luma
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")
