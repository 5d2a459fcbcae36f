"""What the network is asked to make small, and the larger network it may learn from."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from edge_sr.errors import ModelFileError
from training.models import collapse
from training.models.open import open_model
from training.models.sizes import model_scale, size_multiple
from training.recipe import Recipe, RecipeError

EPSILON = 1e-3  # of the range 0..1, where Charbonnier turns from L2 to L1

Loss = Callable[[Any, Any, Any], Any]


def make_loss(recipe: Recipe) -> Loss:
    """A function (made, truth, l2) -> scalar of levels 0..255, both float32 (N, H, W, C).

    It takes the recipe's kind, L2 where ``l2`` is true.
    """
    robust = {"l1": _l1, "charbonnier": _charbonnier, "rmse": _rmse}[recipe.loss]

    def loss(made: Any, truth: Any, l2: Any) -> Any:
        error = (made - truth) / 255
        return tf.cond(l2, lambda: tf.reduce_mean(tf.square(error)), lambda: robust(error))

    return loss


def _l1(error: Any) -> Any:
    return tf.reduce_mean(tf.abs(error))


def _charbonnier(error: Any) -> Any:
    """Lai et al., "Deep Laplacian Pyramid Networks", 2017."""
    return tf.reduce_mean(tf.sqrt(tf.square(error) + EPSILON**2))


def _rmse(error: Any) -> Any:
    """Mean over patches of each patch's root mean square.

    As PSNR averaged over pictures does, it weighs the errors within one by their squares, and
    does not let the hardest ones count for all: their squares would.
    """
    squares = tf.reduce_mean(tf.square(error), axis=(1, 2, 3))
    return tf.reduce_mean(tf.sqrt(squares + EPSILON**2))


def load_teacher(recipe: Recipe, model: keras.Model) -> keras.Model | None:
    """The recipe's teacher, branches merged; None where the recipe names none.

    Raises:
        RecipeError: the file cannot be read, or it does not take and give what ``model`` does.
    """
    if not recipe.teacher:
        return None
    try:
        teacher = open_model(Path(recipe.teacher))
    except ModelFileError as error:
        raise RecipeError(f"teacher: {error}") from error
    found = (teacher.input_shape[1:], model_scale(teacher))
    expected = (model.input_shape[1:], Fraction(recipe.scale))
    if found != expected or recipe.patch % size_multiple(teacher):
        raise RecipeError(
            f"teacher: {recipe.teacher} takes {found[0]} at scale {found[1]}; "
            f"expected {expected[0]} at scale {expected[1]}, as the network that learns"
        )
    merged = collapse(teacher)
    merged.trainable = False
    return merged
