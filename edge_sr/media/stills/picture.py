"""Between Pillow's images and numpy arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import FrameError, MediaError
from edge_sr.media.libraries import load_pillow

Image = NDArray[np.uint8]
MODES = {0: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # channels, 0 for a 2-D array


def check_kind(path: Path, image: Any) -> None:
    """Refuse an opened Pillow image that edge-sr has no honest way to handle.

    Raises:
        MediaError: more than 8 bits per channel, CMYK and the like, several pictures.
    """
    raw = " ".join(str(tile[3]) for tile in image.tile)
    if image.mode.startswith(("I", "F")) or ";16" in raw:
        bits = 32 if image.mode in ("I", "F") and ";16" not in raw else 16
        raise MediaError(f"{path}: {bits} bits per channel; edge-sr works on 8: convert it first")
    if image.mode in ("CMYK", "LAB", "HSV"):
        raise MediaError(f"{path}: is {image.mode}; edge-sr works on RGB: convert it first")
    if getattr(image, "n_frames", 1) > 1:
        raise MediaError(f"{path}: holds {image.n_frames} pictures; expected one")


def to_array(image: Any) -> Image:
    """A Pillow image as (H, W) grey, (H, W, 2) grey + alpha, (H, W, 3) RGB or (H, W, 4) RGBA."""
    if "transparency" in image.info:  # one colour, or palette entries, that are transparent
        rgba = np.array(image.convert("RGBA"), np.uint8)
        return np.ascontiguousarray(rgba[..., [0, 3]]) if image.mode in ("L", "1") else rgba
    if image.mode not in MODES.values():
        alpha = image.mode in ("PA", "La", "RGBa")
        grey = {"1": "L", "La": "LA"}
        image = image.convert(grey.get(image.mode, "RGBA" if alpha else "RGB"))
    return np.array(image, np.uint8)


def to_pillow(pixels: Image) -> Any:
    """The other way round.

    Raises:
        FrameError: not uint8 of one of these shapes.
        MissingDependencyError: Pillow is not installed.
    """
    channels = pixels.shape[2] if pixels.ndim == 3 else 0
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or channels not in MODES:
        found = f"{pixels.dtype} {pixels.shape}"
        raise FrameError(f"image is {found}; expected uint8 (H, W) or (H, W, 2 to 4)")
    return load_pillow().Image.fromarray(np.ascontiguousarray(pixels))


def parse_dpi(found: Any) -> tuple[float, float] | None:
    """Horizontal and vertical resolution as Pillow reports it, None if it makes no sense."""
    try:
        x, y = (float(value) for value in found)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if x > 0 and y > 0 else None
