"""Photographs -> pairs of a picture and its downscale."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image
from tqdm import tqdm

from edge_sr.errors import EdgeSRError
from edge_sr.quality import luma_bt601

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")

# what Pillow raises on files that are no pictures, broken, or far too large
UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)


T = TypeVar("T")


class DataError(EdgeSRError):
    """The training pictures cannot be used as they are; the text says what to do."""


@dataclass(frozen=True)
class Pair:
    """One photograph, uint8: ``high`` (H*scale, W*scale, C) and its downscale ``low`` (H, W, C).

    C is 1 (luma, BT.601 limited range) or 3 (RGB).
    """

    name: str
    high: np.ndarray
    low: np.ndarray


def downscale(image: np.ndarray, scale: Fraction) -> np.ndarray:
    """Antialiased bicubic downscale by ``scale``, uint8 (H, W, 1 or 3); sides must divide.

    Pillow's BICUBIC is Keys' kernel (a = -0.5) widened by the scale, as MATLAB's imresize:
    the published bicubic figures of Set5, Set14 and BSD100 come out to 0.02 dB.
    """
    height, width = (int(side / scale) for side in image.shape[:2])
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    small = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))
    return small.reshape(height, width, image.shape[2])


def modcrop(image: np.ndarray, multiple: int) -> np.ndarray:
    """Cut (H, W, ...) at the end until both sides are multiples of ``multiple``; a view."""
    height, width = (side - side % multiple for side in image.shape[:2])
    return image[:height, :width]


def make_pair(
    rgb: np.ndarray, scale: Fraction, *, channels: int = 1, multiple: int = 2, name: str = ""
) -> Pair:
    """A pair from uint8 (H, W, 3) RGB, cut at the right and the bottom; luma for 1 channel.

    The low side's rows and columns become multiples of ``multiple`` and of the scale's
    denominator.

    Raises:
        DataError: the picture is too small for that.
    """
    step = multiple * scale.numerator
    if min(rgb.shape[:2]) < step:
        raise DataError(f"{rgb.shape[1]}x{rgb.shape[0]}; expected at least {step}x{step}")
    high = modcrop(luma_bt601(rgb)[..., None] if channels == 1 else rgb, step)
    return Pair(name, high, downscale(high, scale))


def shrunk(rgb: np.ndarray, factor: float) -> np.ndarray:
    """Antialiased bicubic copy of uint8 (H, W, 3) at ``factor`` of its size, 0 < factor < 1."""
    height, width = (max(1, round(side * factor)) for side in rgb.shape[:2])
    return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.BICUBIC))


def find_images(folders: list[Path]) -> list[Path]:
    """All pictures under the folders, sorted by name.

    Raises:
        DataError: a folder is missing, or there is no picture in any.
    """
    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; expected a folder of photographs")
        found += [path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES]
    if not found:
        names = ", ".join(str(folder) for folder in folders)
        raise DataError(f"{names}: no picture found; expected {', '.join(IMAGE_SUFFIXES)}")
    return sorted(found, key=lambda path: (path.name, str(path)))


def fitting(
    paths: list[Path], scale: Fraction, *, patch: tuple[int, int], multiple: int = 2
) -> tuple[list[Path], list[str]]:
    """The photographs that hold a patch, and one line for each that is left out.

    Reads headers only. Must come before `split_held_out`, so that the held-out pictures fit too.

    Args:
        patch: rows and columns of a low-resolution patch.
        multiple: as in `make_pair`.

    Raises:
        DataError: no picture is usable.
    """
    found: list[Path] = []
    left_out: list[str] = []
    step = multiple * scale.numerator
    for path in paths:
        try:
            with Image.open(path) as image:
                columns, rows = image.size
        except UNREADABLE as error:
            left_out.append(f"{path}: unreadable ({error})")
            continue
        low = [int((side - side % step) / scale) for side in (rows, columns)]
        if low[0] >= patch[0] and low[1] >= patch[1]:
            found.append(path)
            continue
        need = [-(-side * scale // step) * step for side in patch]
        left_out.append(
            f"{path}: {columns}x{rows} is smaller than a patch; expected {need[1]}x{need[0]}"
        )
    return _some(found, left_out)


def load_pairs(
    paths: list[Path],
    scale: Fraction,
    *,
    channels: int = 1,
    multiple: int = 2,
    shrinks: Sequence[float] = (),
    patch: tuple[int, int] = (1, 1),
) -> tuple[list[Pair], list[str]]:
    """Read photographs into pairs; returns them and one line for each that is left out.

    Args:
        shrinks: each photograph comes at these parts of its size as well, where that still holds
            a low-resolution ``patch``. Few cameras resolve what their pixels promise: a smaller
            copy holds edges and textures as sharp as those of the pictures that networks are
            judged by.

    Raises:
        DataError: no picture is usable.
    """
    pairs, left_out = [], []
    pair_of = partial(make_pair, scale=scale, channels=channels, multiple=multiple)
    step = multiple * scale.numerator
    smallest = [-(-side * scale // step) * step for side in patch]
    for path in tqdm(paths, desc="reading photos", unit="photo"):
        try:
            with Image.open(path) as image:
                rgb = np.asarray(image.convert("RGB"))
            pairs.append(pair_of(rgb, name=path.stem))
        except (*UNREADABLE, DataError) as error:
            left_out.append(f"{path}: unreadable ({error})")
            continue
        for factor in shrinks:
            small, name = shrunk(rgb, factor), f"{path.stem} at {factor:g}"
            if all(side >= least for side, least in zip(small.shape, smallest, strict=False)):
                pairs.append(pair_of(small, name=name))
    return _some(pairs, left_out)


def _some(found: list[T], left_out: list[str]) -> tuple[list[T], list[str]]:
    if not found:
        first = f"; first: {left_out[0]}" if left_out else ""
        raise DataError(f"none of {len(left_out)} pictures is usable{first}")
    return found, left_out


def split_held_out(paths: list[Path], count: int, seed: int) -> tuple[list[Path], list[Path]]:
    """(training paths, held-out paths): ``count`` pictures drawn by ``seed``, never trained on.

    Raises:
        DataError: nothing would be left to train on.
    """
    if count >= len(paths):
        raise DataError(
            f"{len(paths)} usable pictures, {count} of them held out for validation: "
            "add photographs or lower held_out"
        )
    drawn = np.random.default_rng(seed).permutation(len(paths))[:count].tolist()
    held = set(drawn)
    train = [path for index, path in enumerate(paths) if index not in held]
    return train, [paths[index] for index in sorted(held)]
