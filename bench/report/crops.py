"""The patches where a model does best and worst against bicubic, side by side with the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.quality.imresize import imresize
from bench.quality.pictures import Image as Picture
from bench.quality.pictures import Pair
from bench.records import CropFile
from edge_sr.errors import MediaError
from edge_sr.files import whole_file
from edge_sr.quality import Pixels

PATCH = 96  # ground-truth pixels a side
FLAT_DB = 42.0  # patches that bicubic already restores this well show nothing


@dataclass(frozen=True, kw_only=True)
class Patch:
    """One patch: bicubic, the model and the truth from left to right."""

    picture: str
    left: int  # pixels of the ground truth
    top: int
    gain_db: float  # PSNR-Y of the model less bicubic's, on this patch
    strip: Picture  # uint8 (PATCH, 3 * PATCH, 3)


class PatchPicker:
    """Look at every picture's result, keep the best and the worst patch."""

    def __init__(self) -> None:
        self.best: Patch | None = None
        self.worst: Patch | None = None

    def see(self, pair: Pair, y: Pixels, result: Picture) -> None:
        """Take one picture: the model's luma (H, W), and its result of the kind of pair.high."""
        plain, ours = _patch_mse(pair.plain_y, pair.high_y), _patch_mse(y, pair.high_y)
        if plain.size == 0:
            return
        busy = plain > 255**2 / 10 ** (FLAT_DB / 10)
        gain = 10 * np.log10(np.maximum(plain, 1e-3) / np.maximum(ours, 1e-3))
        for sign in (1, -1):
            kept = self.best if sign > 0 else self.worst
            score = np.where(busy, sign * gain, -np.inf)
            row, column = (int(i) for i in np.unravel_index(int(np.argmax(score)), score.shape))
            found = float(gain[row, column])
            if not busy[row, column] or (kept is not None and sign * found <= sign * kept.gain_db):
                continue
            patch = _cut(pair, result, row * PATCH, column * PATCH, found)
            if sign > 0:
                self.best = patch
            else:
                self.worst = patch

    def save(self, folder: Path, stem: str) -> tuple[CropFile, ...]:
        """Write the patches as PNG into ``folder``, which is beside the rows file."""
        written = []
        for kind, patch in (("best", self.best), ("worst", self.worst)):
            if patch is None:
                continue
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{stem}-{kind}.png"
            with whole_file(path, error=MediaError) as part:
                Image.fromarray(patch.strip).save(part, format="PNG")
            written.append(
                CropFile(
                    kind=kind,
                    picture=patch.picture,
                    left=patch.left,
                    top=patch.top,
                    gain_db=round(patch.gain_db, 3),
                    file=f"{folder.name}/{path.name}",
                )
            )
        return tuple(written)


def _patch_mse(a: Pixels, b: Pixels) -> NDArray[np.float64]:
    """Mean squared error of whole patches, (H // PATCH, W // PATCH)."""
    rows, columns = (side // PATCH for side in a.shape)
    error = (a.astype(np.float64) - b)[: rows * PATCH, : columns * PATCH] ** 2
    return np.asarray(error.reshape(rows, PATCH, columns, PATCH).mean(axis=(1, 3)))


def _cut(pair: Pair, result: Picture, top: int, left: int, gain_db: float) -> Patch:
    height, width = pair.high.shape[:2]
    tiles = []
    for image in (imresize(pair.low, width, height), result, pair.high):
        tile = image[top : top + PATCH, left : left + PATCH]
        tiles.append(tile if tile.ndim == 3 else np.repeat(tile[..., None], 3, axis=2))
    strip = np.concatenate(tiles, axis=1)
    return Patch(picture=pair.name, left=left, top=top, gain_db=gain_db, strip=strip)
