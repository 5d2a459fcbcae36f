"""The demo's picture: crops of a frame, upscaled by bicubic and by a network, side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from edge_sr import Upscaler
from edge_sr.media.color import yuv_to_rgb
from edge_sr.media.frame import Frame

Pixels = NDArray[np.uint8]

CROP = (320, 270)  # columns, rows of the 1440p picture shown at full size


def resize(image: Pixels, width: int, height: int) -> Pixels:
    """uint8 (H, W) or (H, W, 3) to another size by Pillow's bicubic.

    It antialiases when it shrinks, as MATLAB's imresize does.
    """
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def compare(upscaler: Upscaler, frame: Frame, path: Path) -> None:
    """Write the picture: the busiest part of the frame, bicubic on the left, ours on the right.

    Below it, the same with a ground truth: the frame shrunk by 2, brought back, and itself.
    """
    rgb = yuv_to_rgb(frame)
    height, width = rgb.shape[:2]
    big = upscaler.upscale_frame(frame)
    above = [
        ("720p, bicubic to 1440p", resize(rgb, 2 * width, 2 * height)),
        (f"720p, {upscaler.sidecar.name} to 1440p", yuv_to_rgb(big)),
    ]
    low = resize(rgb, width // 2, height // 2)
    below = [
        ("360p, bicubic to 720p", resize(low, width, height)),
        (f"360p, {upscaler.sidecar.name} to 720p", upscaler.upscale(low)),
        ("the original 720p", rgb),
    ]
    top, left = busiest(frame.y, CROP[1], CROP[0])
    rows = [
        _row(above, 2 * top, 2 * left, 2 * CROP[1], 3 * CROP[0]),
        _row(below, top, left, CROP[1], CROP[0], zoom=2),
    ]
    sheet = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)))
    offset = 0
    for row in rows:
        sheet.paste(row, (0, offset))
        offset += row.height
    sheet.save(path)


def busiest(y: Pixels, rows: int, columns: int) -> tuple[int, int]:
    """Top and left of the window of uint8 (H, W) with the most gradient, away from the ends."""
    energy = np.abs(np.diff(y.astype(np.float32), axis=1))
    total = np.pad(energy.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    tops = np.arange(0, y.shape[0] - rows, 8)[:, None]
    lefts = np.arange(0, y.shape[1] - 2 * columns, 8)[None]
    box = total[tops + rows, lefts + columns] - total[tops, lefts + columns]
    box = box - total[tops + rows, lefts] + total[tops, lefts]
    best = np.unravel_index(int(np.argmax(box)), box.shape)
    return int(tops[best[0], 0]), int(lefts[0, best[1]])


def _row(
    pictures: list[tuple[str, Pixels]],
    top: int,
    left: int,
    rows: int,
    columns: int,
    *,
    zoom: int = 1,
) -> Image.Image:
    """Crops side by side, each with its label, enlarged by whole pixels."""
    font = ImageFont.load_default(size=22)
    tiles = []
    for label, pixels in pictures:
        crop = Image.fromarray(pixels[top : top + rows, left : left + columns])
        crop = crop.resize((crop.width * zoom, crop.height * zoom), Image.Resampling.NEAREST)
        tile = Image.new("RGB", (crop.width + 4, crop.height + 34), "black")
        tile.paste(crop, (2, 32))
        ImageDraw.Draw(tile).text((8, 3), label, fill="white", font=font)
        tiles.append(tile)
    row = Image.new("RGB", (sum(tile.width for tile in tiles), tiles[0].height))
    offset = 0
    for tile in tiles:
        row.paste(tile, (offset, 0))
        offset += tile.width
    return row
