"""A forward pass and random weights, for the tests of the networks."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest


@pytest.fixture
def upscale() -> Callable[[keras.Model, np.ndarray], np.ndarray]:
    """Runs a model on one uint8 (H, W, C) picture: float32 (H', W', C)."""

    def run(model: keras.Model, frame: np.ndarray) -> np.ndarray:
        return np.asarray(model(frame[None].astype(np.float32), training=False))[0]

    return run


@pytest.fixture
def shake() -> Callable[[keras.Model], None]:
    """Adds noise to every weight, biases included, so that none is trivial."""

    def add(model: keras.Model, deviation: float = 0.05) -> None:
        rng = np.random.default_rng(3)
        for variable in model.trainable_variables:
            noise = rng.normal(0, deviation, variable.shape)
            variable.assign(variable.numpy() + noise.astype(np.float32))

    return add
