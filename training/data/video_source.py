"""Where a run's batches come from when there are two clips of each scene, or frames of them."""

from __future__ import annotations

import logging
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import keras

from training.data.degrade import make_degradation
from training.data.extracted import MANIFEST, read_extracted, split_extracted
from training.data.pairs import Pair
from training.data.photos import DataError, digest_of
from training.data.source import Source, patch_sampler, report, wanted
from training.data.video_pairs import find_scenes, split_scenes
from training.data.video_sampler import VideoSampler, cut_to, held_frames, steps_of_block
from training.recipe import Recipe, RecipeError

logger = logging.getLogger(__name__)


def video_source(recipe: Recipe, model: keras.Model, folders: list[Path]) -> Source:
    """Batches from clips, or from folders that `training.extract_pairs` wrote.

    Raises:
        DataError: no pair can be used, or the clips are smaller than a patch.
        RecipeError: the recipe's ``degrade`` is wrong, or it asks for ``mixtures``.
    """
    scale, degradation = Fraction(recipe.scale), make_degradation(recipe.degrade)
    patch, channels, multiple = wanted(recipe, model)
    if recipe.taught or recipe.drawn or recipe.vivid:
        raise RecipeError("taught, drawn and vivid: expected none with clips")
    if recipe.mixtures:
        raise RecipeError(f"mixtures is {recipe.mixtures}; expected 0 with clips, which are luma")
    patches = partial(patch_sampler, recipe, patch=patch, degradation=degradation)
    if any((folder / MANIFEST).is_file() for folder in folders):
        everything = [
            pair for folder in folders for pair in read_extracted(folder, scale, channels)
        ]
        train, held = split_extracted(everything, recipe.seed)
        _check_size(train, patch)
        judged = [cut_to(pair, scale, multiple) for pair in held[: recipe.held_out]]
        manifests = [folder / MANIFEST for folder in folders]
        facts: dict[str, Any] = {
            "frames": len(train),
            "frames_held_out": len(judged),
            "data_sha256": digest_of([path for path in manifests if path.is_file()]),
        }
        return Source(patches(train), judged, facts)
    scenes, left_out = find_scenes(folders, scale)
    report(left_out)
    inside, outside = split_scenes(scenes, recipe.seed)
    if len(scenes) == 1:
        logger.info("one scene: its last %d frames are held out", len(outside[0].matches))
    found = held_frames(outside, recipe.held_out, channels=channels)
    _check_size(found, patch)
    sampler = VideoSampler(
        inside,
        seed=recipe.seed,
        channels=channels,
        patches=patches,
        steps=min(steps_of_block(pair, patch, recipe.batch) for pair in inside),
    )
    record: dict[str, Any] = {
        "scenes": [pair.scene for pair in inside],
        "scenes_held_out": [pair.scene for pair in outside],
        "frames": int(sampler.totals[-1]),
        "frames_held_out": len(found),
        "data_sha256": digest_of([clip.path for pair in scenes for clip in (pair.low, pair.high)]),
    }
    return Source(sampler, [cut_to(pair, scale, multiple) for pair in found], record)


def _check_size(pairs: list[Pair], patch: tuple[int, int]) -> None:
    for pair in pairs:
        rows, columns = pair.low.shape[:2]
        if rows < patch[0] or columns < patch[1]:
            raise DataError(
                f"{pair.name}: {columns}x{rows} is smaller than a patch; "
                f"expected {patch[1]}x{patch[0]}"
            )
