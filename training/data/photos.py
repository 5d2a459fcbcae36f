"""Photographs on disk -> those to train on and those held out."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from edge_sr.errors import EdgeSRError
from edge_sr.model.sidecar import sha256_of

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".avif")

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
        multiple: as in `data.make_pair`.

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
    return need_some(found, left_out)


def digest_of(paths: Sequence[Path]) -> str:
    """sha256 of the names and contents of files, in hexadecimal; folders and order do not count."""
    lines = sorted(f"{path.name} {sha256_of(path)}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def need_some(found: list[T], left_out: list[str]) -> tuple[list[T], list[str]]:
    """Both as they are.

    Raises:
        DataError: nothing was found; the first line of what is left out says why.
    """
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
