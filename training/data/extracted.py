"""Pairs that were made once, frames of clips or taught pictures: PNGs and their manifest."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from edge_sr.files import parse_json
from training.data.pairs import Pair
from training.data.photos import UNREADABLE, DataError
from training.data.video_pairs import HELD_PART
from training.loop.checkpoint import save_record

MANIFEST = "pairs.json"
SCHEMA = 1
TEACHER = ("teacher", "teacher_sha256")


def write_pair(folder: Path, name: str, pair: Pair) -> dict[str, Any]:
    """Write both sides as PNG; returns their line of the manifest."""
    line: dict[str, Any] = {"name": pair.name, "scene": pair.name.rpartition("@")[0]}
    for side, pixels in (("low", pair.low), ("high", pair.high)):
        line[side] = f"{name}-{side}.png"
        Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(
            folder / line[side]
        )
    return line


def write_manifest(
    folder: Path, scale: Fraction, channels: int, lines: list[dict[str, Any]], **more: str
) -> None:
    """Last of all: a folder without it is not finished. ``more`` is written as it is."""
    facts = {"schema": SCHEMA, "scale": str(scale), "channels": channels} | more
    save_record(folder / MANIFEST, facts | {"pairs": lines})


def read_extracted(folder: Path, scale: Fraction, channels: int) -> list[Pair]:
    """All pairs of a folder; a pair's name begins with its scene and "@".

    Raises:
        DataError: the manifest or a picture is missing or damaged, or they are of another kind.
    """
    path = folder / MANIFEST
    try:
        facts = parse_json(path.read_text())
        found = (facts["schema"], Fraction(facts["scale"]), facts["channels"])
        lines = [(line["name"], line["low"], line["high"]) for line in facts["pairs"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: cannot be read ({error}); make the folder again") from error
    if found != (SCHEMA, scale, channels):
        raise DataError(
            f"{path}: schema {found[0]}, scale {found[1]}, {found[2]} channels; "
            f"expected {SCHEMA}, {scale}, {channels}"
        )
    pairs = []
    for name, low, high in lines:
        small, large = (_read(folder / Path(file).name, channels) for file in (low, high))
        if tuple(side * scale for side in small.shape[:2]) != large.shape[:2]:
            raise DataError(f"{folder / low}: does not fit {high} at scale {scale}")
        pairs.append(Pair(name, large, small))
    if not pairs:
        raise DataError(f"{path}: names no pair; make the folder again")
    return pairs


def read_teacher(folder: Path) -> dict[str, str]:
    """Name and digest of the network that made the high sides, as `training.teach` wrote them.

    Raises:
        DataError: it was not that which wrote the folder.
    """
    path = folder / MANIFEST
    facts = parse_json(path.read_text())
    found = {key: str(facts[key]) for key in TEACHER if key in facts}
    if len(found) < len(TEACHER):
        raise DataError(f"{path}: names no teacher; expected a folder of python -m training.teach")
    return found


def split_extracted(pairs: list[Pair], seed: int) -> tuple[list[Pair], list[Pair]]:
    """(training, held out): 80:20 by scene, drawn by ``seed``; of a single scene its last fifth.

    Raises:
        DataError: there is one pair only.
    """
    scenes = sorted({pair.name.rpartition("@")[0] for pair in pairs})
    if len(scenes) == 1:
        cut = round((1 - HELD_PART) * len(pairs))
        if not 0 < cut < len(pairs):
            raise DataError(f"{scenes[0]}: one pair of frames; extract more, or more scenes")
        return pairs[:cut], pairs[cut:]
    count = max(1, round(HELD_PART * len(scenes)))
    drawn = np.random.default_rng(seed).permutation(len(scenes))[:count]
    held = {scenes[index] for index in drawn}
    inside = [pair for pair in pairs if pair.name.rpartition("@")[0] not in held]
    return inside, [pair for pair in pairs if pair.name.rpartition("@")[0] in held]


def _read(path: Path, channels: int) -> np.ndarray:
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    except UNREADABLE as error:
        raise DataError(f"{path}: unreadable ({error}); make the folder again") from error
    return pixels.reshape(*pixels.shape[:2], channels)
