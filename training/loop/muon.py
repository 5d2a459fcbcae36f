"""The optimizers a recipe can name: Adam, and Muon for the kernels in a network's middle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from training.models.layers import hidden
from training.recipe import Recipe, RecipeError

MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # of the quintic x -> a x + b x^3 + c x^5
ITERATIONS = 5
RMS = 0.2  # of an update of rate 1, about what Adam's is


class ConvMuon(keras.optimizers.Adam):  # type: ignore[misc]
    """Adam, but for the named kernels, whose updates are made orthogonal.

    A kernel (rows, columns, inputs, filters) counts as a matrix (rows * columns * inputs,
    filters): every direction of it then moves by as much as the strongest one, where Adam mostly
    follows a few. The momentum's singular values are brought to about 1 by five Newton-Schulz
    iterations, and the result scaled to Adam's size, so that one learning rate does for both.

    Sources: K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024;
    the scale: Liu et al., "Muon is scalable for LLM training", 2025 (arXiv 2502.16982).

    Args:
        kernels: `path` of the variables, float32 (rows, columns, inputs, filters).
        adam_ratio: part of the learning rate for all other variables.
    """

    def __init__(
        self, learning_rate: float, kernels: Sequence[str], *, adam_ratio: float, clip_norm: float
    ) -> None:
        super().__init__(learning_rate, global_clipnorm=clip_norm)
        self.kernels, self.adam_ratio = frozenset(kernels), adam_ratio

    def build(self, variables: list[keras.Variable]) -> None:
        super().build(variables)
        self.chosen = {i for i, one in enumerate(variables) if one.path in self.kernels}

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One step of one variable: orthogonal for the chosen kernels, else Adam's."""
        index = self._get_variable_index(variable)
        if index not in self.chosen:
            super().update_step(gradient, variable, learning_rate * self.adam_ratio)
            return
        momentum = self._momentums[index]
        self.assign(momentum, MOMENTUM * momentum + gradient)
        ahead = ops.reshape(gradient + MOMENTUM * momentum, (-1, variable.shape[-1]))
        size = RMS * np.sqrt(max(ahead.shape))
        update = ops.reshape(orthogonal(ahead) * size, variable.shape)
        self.assign_sub(variable, learning_rate * update)


def orthogonal(matrix: Any) -> Any:
    """The nearest matrix with all singular values 1, roughly (0.6 to 1.3): float32 (N, M), same."""
    a, b, c = NEWTON_SCHULZ
    wide = matrix.shape[0] < matrix.shape[1]
    x = matrix if wide else ops.transpose(matrix)
    x = x / (ops.norm(x) + 1e-7)
    for _ in range(ITERATIONS):
        square = x @ ops.transpose(x)
        x = a * x + (b * square + c * square @ square) @ x
    return x if wide else ops.transpose(x)


def make_optimizer(recipe: Recipe, model: keras.Model) -> keras.optimizers.Optimizer:
    """The recipe's optimizer, built for the model's trainable variables.

    Raises:
        RecipeError: the recipe asks for Muon and the model has nothing that it is for.
    """
    rate, clip = recipe.learning_rate, recipe.clip_norm
    if recipe.optimizer == "muon":
        kernels = [
            variable.path
            for layer in hidden(model)
            if not isinstance(layer, keras.layers.Conv2DTranspose)
            for variable in layer.trainable_variables
            if len(variable.shape) == 4
        ]
        if not kernels:
            raise RecipeError(
                f"optimizer is 'muon', for wide convolutions, and {recipe.architecture} has none "
                "between its first layer and its last; expected adam"
            )
        made = ConvMuon(rate, kernels, adam_ratio=recipe.adam_ratio, clip_norm=clip)
    else:
        made = keras.optimizers.Adam(rate, global_clipnorm=clip)
    made.build(model.trainable_variables)
    return made
