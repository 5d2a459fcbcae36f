"""A pool on disk of moments of moving scenes: coded low sides and their truths, made once.

A pool is a folder of shards: ``NNNN-low.npy`` uint8 (N, h, w), ``NNNN-high.npy`` uint8
(N, h*scale, w*scale) and ``NNNN.json``, which says what was done to each. A shard is a pure
function of the pool's seed, its own number and the list of photographs; it appears whole or not
at all.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from edge_sr.quality import luma_bt601
from training.data.pairs import Pair
from training.data.photos import UNREADABLE, DataError
from training.loop.checkpoint import whole
from training.scenes.live import DOUBLE, make_sequence

VIVID = "vivid"  # instead of "high" in the name of a truth that training.scenes.vivid sharpened
SEQUENCES = 32  # of a shard
SIZES = {Fraction(2): (320, 512), Fraction(3, 2): (336, 528)}  # rows and columns of a truth


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


def write_shard(
    folder: Path, number: int, *, seed: int, album: Album, scale: Fraction = DOUBLE
) -> None:
    """Make shard ``number`` of the pool with ``seed``; left alone where it is there already.

    Raises:
        DataError: no pool can be made at that scale.
    """
    if scale not in SIZES:
        known = ", ".join(map(str, SIZES))
        raise DataError(f"scale is {scale}; a pool's can be {known}")
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

        low, high, facts = make_sequence(rng, draw, SIZES[scale], scale=scale)
        lows.append(low)
        highs.append(high)
        records.append(facts | {"photographs": names})
    for side, arrays in (("low", lows), ("high", highs)):
        path = folder / f"{number:04d}-{side}.npy"
        part = path.with_suffix(".part")
        with whole(path, part), part.open("wb") as file:
            np.save(file, np.concatenate(arrays))
    facts_of_shard: dict[str, Any] = {"seed": seed, "sequences": records}
    if scale != DOUBLE:
        facts_of_shard["scale"] = str(scale)
    part = record_path.with_suffix(".part")
    with whole(record_path, part):
        part.write_text(json.dumps(facts_of_shard) + "\n")


def records_of(folder: Path) -> list[Path]:
    """The shards' JSON files in order.

    Raises:
        DataError: there is no shard.
    """
    records = sorted(folder.glob("[0-9][0-9][0-9][0-9].json"))
    if not records:
        raise DataError(f"{folder}: no shard; expected what python -m training.make_pool wrote")
    return records


def read_pool(
    folder: Path, scale: Fraction = DOUBLE, *, truth: str = "high"
) -> tuple[list[Pair], dict[str, Any]]:
    """Every moment as a pair whose arrays stay on disk until they are used, and the pool's facts.

    Args:
        truth: "high", or `VIVID`.

    Raises:
        DataError: there is no shard, or one is damaged or lacks that truth.
    """
    pairs: list[Pair] = []
    digest = hashlib.sha256()
    for record in records_of(folder):
        try:
            digest.update(record.read_bytes())
            low, high = (
                np.load(
                    record.with_name(f"{record.stem}-{side}.npy"), mmap_mode="r", allow_pickle=False
                )
                for side in ("low", truth)
            )
        except (OSError, ValueError) as error:
            raise DataError(f"{record}: its pictures cannot be read ({error})") from error
        if high.shape != (low.shape[0], *(int(side * scale) for side in low.shape[1:])):
            raise DataError(f"{record}: low is {low.shape}, high {high.shape}; expected x{scale}")
        pairs += [
            Pair(f"{record.stem}-{index}", high[index, ..., None], low[index, ..., None])
            for index in range(len(low))
        ]
    return pairs, {"pool_moments": len(pairs), "pool_sha256": digest.hexdigest()}
