"""A pool on disk of moments of moving scenes: coded low sides and their truths, made once.

A pool is a folder of shards: ``NNNN-low.npy`` uint8 (N, h, w), ``NNNN-high.npy`` uint8
(N, 2h, 2w) and ``NNNN.json``, which says what was done to each. A shard is a pure function of
the pool's seed, its own number and the list of photographs; it appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from edge_sr.quality import luma_bt601
from training.data.pairs import Pair
from training.data.photos import UNREADABLE, DataError
from training.loop.checkpoint import whole
from training.scenes.live import make_sequence

SEQUENCES = 32  # of a shard
SIZE = (320, 512)  # rows and columns of a truth


@dataclass(frozen=True)
class Album:
    """Photographs as luma, drawn with a chance that grows with the root of their size."""

    names: list[str]
    lumas: list[np.ndarray]  # uint8 (h, w), BT.601 limited range

    def draw(self, rng: np.random.Generator) -> tuple[str, np.ndarray]:
        """(name, luma) of one of them, turned or mirrored at random."""
        weights = np.sqrt([luma.size for luma in self.lumas])
        index = int(rng.choice(len(self.names), p=weights / weights.sum()))
        luma = self.lumas[index][:, :: 1 if rng.integers(2) else -1]
        return self.names[index], np.rot90(luma, 0 if rng.random() < 0.8 else int(rng.integers(4)))


def read_album(paths: list[Path]) -> Album:
    """All photographs of ``paths``.

    Grey files are luma already and keep their range, 0..255 where they have it: cameras' streams
    come in both ranges.

    Raises:
        DataError: one cannot be read: a pool must not depend on what happened to be readable.
    """
    lumas = []
    for path in paths:
        try:
            with Image.open(path) as image:
                grey = image.mode == "L"
                pixels = np.asarray(image if grey else image.convert("RGB"))
        except UNREADABLE as error:
            raise DataError(f"{path}: unreadable ({error})") from error
        lumas.append(pixels if grey else luma_bt601(pixels))
    return Album([path.stem for path in paths], lumas)


def write_shard(folder: Path, number: int, *, seed: int, album: Album) -> None:
    """Make shard ``number`` of the pool with ``seed``; left alone where it is there already."""
    record_path = folder / f"{number:04d}.json"
    if record_path.exists():
        return
    lows, highs, records = [], [], []
    for index in range(SEQUENCES):
        rng = np.random.default_rng([seed, number, index])
        names: list[str] = []

        def draw(rng: np.random.Generator = rng, names: list[str] = names) -> np.ndarray:
            name, luma = album.draw(rng)
            names.append(name)
            return luma

        low, high, facts = make_sequence(rng, draw, SIZE)
        lows.append(low)
        highs.append(high)
        records.append(facts | {"photographs": names})
    for side, arrays in (("low", lows), ("high", highs)):
        path = folder / f"{number:04d}-{side}.npy"
        part = path.with_suffix(".part")
        with whole(path, part), part.open("wb") as file:
            np.save(file, np.concatenate(arrays))
    part = record_path.with_suffix(".part")
    with whole(record_path, part):
        part.write_text(json.dumps({"seed": seed, "sequences": records}) + "\n")


def read_pool(folder: Path) -> tuple[list[Pair], dict[str, Any]]:
    """Every moment as a pair whose arrays stay on disk until they are used, and the pool's facts.

    Raises:
        DataError: there is no shard, or one is damaged.
    """
    pairs: list[Pair] = []
    digest = hashlib.sha256()
    records = sorted(folder.glob("[0-9][0-9][0-9][0-9].json"))
    if not records:
        raise DataError(f"{folder}: no shard; expected what python -m training.make_pool wrote")
    for record in records:
        try:
            digest.update(record.read_bytes())
            low, high = (
                np.load(
                    record.with_name(f"{record.stem}-{side}.npy"), mmap_mode="r", allow_pickle=False
                )
                for side in ("low", "high")
            )
        except (OSError, ValueError) as error:
            raise DataError(f"{record}: its pictures cannot be read ({error})") from error
        if high.shape != (low.shape[0], 2 * low.shape[1], 2 * low.shape[2]):
            raise DataError(f"{record}: low is {low.shape}, high {high.shape}; expected x2")
        pairs += [
            Pair(f"{record.stem}-{index}", high[index, ..., None], low[index, ..., None])
            for index in range(len(low))
        ]
    return pairs, {"pool_moments": len(pairs), "pool_sha256": digest.hexdigest()}
