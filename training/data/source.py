"""Where a run's batches and its held-out pictures come from: photographs."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from edge_sr.model.sidecar import sha256_of
from training.data.degrade import Degradation, degrade, make_degradation
from training.data.extracted import read_extracted, read_teacher
from training.data.pairs import Pair, load_pairs
from training.data.photos import DataError, digest_of, find_images, fitting, split_held_out
from training.data.sampler import PatchSampler
from training.drawings.manifest import MANIFEST
from training.held_out import divide, read_names
from training.models.sizes import size_multiple
from training.recipe import Recipe, RecipeError

logger = logging.getLogger(__name__)


class Batches(Protocol):
    """Gives batches as a pure function of the step."""

    def batches(self, first: int, last: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Batches ``first`` .. ``last`` - 1: float32 levels, low (B, h, w, C) and high to match."""


@dataclass(frozen=True)
class Source:
    """Batches to train on, pictures to judge by, and what the record says of them."""

    sampler: Batches
    held: list[Pair]
    facts: dict[str, Any]


def wanted(recipe: Recipe, model: keras.Model) -> tuple[tuple[int, int], int, int]:
    """((rows, columns) of a patch, channels, what a picture's sides are multiples of)."""
    height, width, channels = model.input_shape[1:]
    patch = (height or recipe.patch, width or recipe.patch)
    return patch, channels, max(2, size_multiple(model))


def patch_sampler(
    recipe: Recipe,
    pairs: list[Pair],
    *,
    patch: tuple[int, int],
    degradation: Degradation | None,
    taught: Sequence[Pair] = (),
) -> PatchSampler:
    """Batches of ``pairs`` as the recipe has them; ``patch`` is (rows, columns) of the input."""
    return PatchSampler(
        pairs,
        Fraction(recipe.scale),
        patch=patch,
        batch=recipe.batch,
        seed=recipe.seed,
        gain_chance=recipe.gain_chance,
        mixtures=recipe.mixtures,
        degradation=degradation,
        taught=taught,
        taught_part=recipe.taught or recipe.drawn,
    )


def photo_source(
    recipe: Recipe,
    model: keras.Model,
    folders: list[Path],
    taught: Path | None = None,
    drawn: Path | None = None,
) -> Source:
    """Photographs of the folders and their downscales; what is left out is said on stderr.

    Pictures of the list of held-out ones, see held_out.py, are never among them.

    Args:
        taught: the folder that `training.teach` wrote, for a recipe that has ``taught``.
        drawn: the folder that `training.draw` wrote, for a recipe that has ``drawn``.

    Raises:
        DataError: nothing usable, or too little to hold pictures out.
        RecipeError: mixtures of colours are asked for, and the network takes RGB; or ``taught`` or
            ``drawn`` is in the recipe and not in the arguments, or the other way round.
    """
    _check_taught(recipe, taught)
    _check_drawn(recipe, drawn)
    if recipe.vivid:
        raise RecipeError(
            "vivid is true; expected a pool that training.scenes.vivid sharpened: --pool"
        )
    scale, degradation = Fraction(recipe.scale), make_degradation(recipe.degrade)
    patch, channels, multiple = wanted(recipe, model)
    if recipe.mixtures and channels != 1:
        raise RecipeError(f"mixtures is {recipe.mixtures}; expected 0, as the network takes RGB")
    found, proxies = divide(find_images(folders), read_names())
    paths, left_out = fitting(found, scale, patch=patch, multiple=multiple)
    train, held = split_held_out(paths, recipe.held_out, recipe.seed)
    pairs, more = load_pairs(
        train,
        scale,
        channels=3 if recipe.mixtures else channels,
        multiple=multiple,
        shrinks=recipe.shrink_factors(),
        spread=recipe.spread,
        phases=recipe.phases,
        patch=patch,
    )
    judged, most = load_pairs(held, scale, channels=channels, multiple=multiple)
    if degradation is not None:
        judged = [_degraded(pair, degradation, recipe.seed, i) for i, pair in enumerate(judged)]
    report(left_out + more + most)
    facts: dict[str, Any] = {
        "pictures": len(train) - len(more),
        "pictures_held_out": len(judged),
        "data_sha256": digest_of([*train, *held]),
    }
    facts |= {"proxies_left_out": len(proxies)} if proxies else {}
    extra: list[Pair] = []
    if taught is not None:
        names = {path.stem for path in train} - {path.stem for path in held}
        extra = _taught_pairs(read_extracted(taught, scale, channels), names, patch)
        if not extra:
            raise DataError(f"{taught}: holds no picture of a photograph that is trained on")
        facts |= {"pictures_taught": len(extra)} | read_teacher(taught)
    if drawn is not None:
        channels = 3 if recipe.mixtures else channels
        extra, unread = load_pairs(
            find_images([drawn]), scale, channels=channels, multiple=multiple
        )
        report(unread)
        facts |= {"pictures_drawn": len(extra), "drawn_sha256": sha256_of(drawn / MANIFEST)}
    sampler = patch_sampler(recipe, pairs, patch=patch, degradation=degradation, taught=extra)
    return Source(sampler, judged, facts)


def _taught_pairs(pairs: list[Pair], names: set[str], patch: tuple[int, int]) -> list[Pair]:
    """Those of the photographs called ``names`` that hold a patch."""
    return [
        pair
        for pair in pairs
        if pair.name.rpartition("@")[0] in names
        and pair.low.shape[0] >= patch[0]
        and pair.low.shape[1] >= patch[1]
    ]


def _check_taught(recipe: Recipe, folder: Path | None) -> None:
    if recipe.taught and folder is None:
        raise RecipeError(
            f"taught is {recipe.taught}; expected --taught with the folder that "
            "python -m training.teach wrote"
        )
    if folder is not None and not recipe.taught:
        raise RecipeError("taught is 0; expected more than 0 where --taught is given")
    if recipe.taught and recipe.mixtures:
        raise RecipeError(f"mixtures is {recipe.mixtures}; expected 0 with taught pictures")


def _check_drawn(recipe: Recipe, folder: Path | None) -> None:
    if recipe.drawn and (folder is None or not (folder / MANIFEST).is_file()):
        raise RecipeError(
            f"drawn is {recipe.drawn}; expected --drawn with the folder that "
            "python -m training.draw wrote"
        )
    if folder is not None and not recipe.drawn:
        raise RecipeError("drawn is 0; expected more than 0 where --drawn is given")
    if recipe.drawn and recipe.taught:
        raise RecipeError("drawn and taught: expected one of them")


def _degraded(pair: Pair, how: Degradation, seed: int, index: int) -> Pair:
    """A held-out picture with an input as training has them."""
    rng = np.random.default_rng([seed, index, 2])
    low = degrade(pair.low[None].astype(np.float32), how, rng)[0]
    return replace(pair, low=low.astype(np.uint8))


def report(left_out: list[str]) -> None:
    """Name what was left out."""
    for line in left_out:
        logger.warning("left out: %s", line)
