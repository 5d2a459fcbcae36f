"""The network a recipe begins with: built by name, its first weights copied from a file."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import keras

from edge_sr.errors import ModelFileError
from training.loop.grow import grow
from training.models import ARCHITECTURES
from training.models.open import open_model
from training.recipe import Recipe, RecipeError


def build_model(recipe: Recipe) -> keras.Model:
    """Build the recipe's architecture with its options; the seed decides the first weights.

    Raises:
        RecipeError: the architecture or an option is unknown, or it refuses its arguments.
    """
    if recipe.architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise RecipeError(f"architecture is {recipe.architecture!r}; expected one of {known}")
    build = ARCHITECTURES[recipe.architecture]
    known_options = [name for name in inspect.signature(build).parameters if name != "scale"]
    for option in recipe.options:
        if option not in known_options:
            raise RecipeError(
                f"options: {recipe.architecture} has no {option!r}; "
                f"expected some of {', '.join(known_options)}"
            )
    keras.utils.set_random_seed(recipe.seed)
    try:
        model = build(scale=recipe.scale, **recipe.options)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{recipe.architecture} refuses its options: {error}") from error
    _check_ratio(model, Fraction(recipe.scale))
    return model


def _check_ratio(model: keras.Model, scale: Fraction) -> None:
    fixed, made = model.input_shape[1:3], model.output_shape[1:3]
    if None not in fixed and tuple(side * scale for side in fixed) != made:
        raise RecipeError(
            f"the model makes {made[1]}x{made[0]} of {fixed[1]}x{fixed[0]}; training needs the "
            f"recipe's scale, {scale}: train without a target and convert for one"
        )


def copy_matching(source: keras.Model, target: keras.Model, fresh: Sequence[str] = ()) -> list[str]:
    """Copy the weights of equally named layers whose shapes agree, but of those in ``fresh``.

    Returns the layers copied.
    """
    names = {layer.name for layer in source.layers}.difference(fresh)
    copied = []
    for layer in target.layers:
        if layer.name not in names:
            continue
        weights = source.get_layer(layer.name).get_weights()
        shapes = [weight.shape for weight in layer.get_weights()]
        if weights and [weight.shape for weight in weights] == shapes:
            layer.set_weights(weights)
            copied.append(layer.name)
    return copied


def copy_weights(path: str, model: keras.Model, fresh: Sequence[str] = ()) -> list[str]:
    """Copy what fits from a ``.keras`` file into the model; returns the layers that got weights.

    A wider or deeper network of the same layer names begins as the same function: see grow.py.

    Args:
        fresh: layers of the model that keep their first weights.

    Raises:
        RecipeError: the file cannot be read, nothing in it fits, or ``fresh`` names no layer.
    """
    known = {layer.name for layer in model.layers}
    if unknown := [name for name in fresh if name not in known]:
        raise RecipeError(f"fresh: {unknown[0]!r} is no layer; expected some of {sorted(known)}")
    try:
        source = open_model(Path(path))
    except ModelFileError as error:
        raise RecipeError(f"start_from: {error}") from error
    copied = copy_matching(source, model, fresh) + grow(source, model, fresh)
    if not copied:
        raise RecipeError(
            f"start_from: no layer of {path} fits this network by name and shape; "
            "choose another file, or leave start_from out"
        )
    return copied
