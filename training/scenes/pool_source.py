"""Where a run's batches come from when moving scenes were made in advance: a pool on disk."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import keras
import numpy as np

from training.data.source import Source, patch_sampler, wanted
from training.recipe import Recipe, RecipeError
from training.scenes.pool import VIVID, read_pool


def pool_source(recipe: Recipe, model: keras.Model, pool: Path, held: Path) -> Source:
    """Batches of a pool, judged on ``held_out`` moments, evenly taken, of another one.

    Raises:
        DataError: a pool cannot be read.
        RecipeError: the recipe asks for what only photographs have.
    """
    patch, channels, _ = wanted(recipe, model)
    scale = Fraction(recipe.scale)
    if channels != 1:
        raise RecipeError("the network takes RGB; expected luma with a pool")
    if recipe.degrade or recipe.mixtures or recipe.taught or recipe.drawn or recipe.shrinks:
        raise RecipeError("degrade, mixtures, taught, drawn and shrinks: expected none with a pool")
    truth = VIVID if recipe.vivid else "high"
    pairs, facts = read_pool(pool, scale, truth=truth)
    judged, _ = read_pool(held, scale, truth=truth)
    chosen = np.linspace(0, len(judged) - 1, min(recipe.held_out, len(judged))).astype(int)
    sampler = patch_sampler(recipe, pairs, patch=patch, degradation=None)
    facts |= {"moments_held_out": len(chosen)}
    return Source(sampler, [judged[index] for index in chosen], facts)
