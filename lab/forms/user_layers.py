"""Layers as a user registers them in a file of their own, for ``--custom-objects``."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="mine")
class PixelShuffle(keras.layers.Layer):  # type: ignore[misc]
    """(N, H, W, C * f * f) to (N, H * f, W * f, C)."""

    def __init__(self, factor: int = 2, **options: Any) -> None:
        super().__init__(**options)
        self.factor = factor

    def call(self, x: Any) -> Any:
        return tf.nn.depth_to_space(x, self.factor)

    def get_config(self) -> dict[str, Any]:
        return dict(super().get_config()) | {"factor": self.factor}


@keras.saving.register_keras_serializable(package="mine")
class ReflectionPadding(keras.layers.Layer):  # type: ignore[misc]
    """Pads rows and columns by their mirror."""

    def __init__(self, pixels: int = 1, **options: Any) -> None:
        super().__init__(**options)
        self.pixels = pixels

    def call(self, x: Any) -> Any:
        side = [self.pixels, self.pixels]
        return tf.pad(x, [[0, 0], side, side, [0, 0]], mode="REFLECT")

    def get_config(self) -> dict[str, Any]:
        return dict(super().get_config()) | {"pixels": self.pixels}


@keras.saving.register_keras_serializable(package="mine")
class ResidualBlock(keras.layers.Layer):  # type: ignore[misc]
    """Convolution, PReLU, convolution, and the input added; layers inside a layer."""

    def __init__(self, filters: int = 16, **options: Any) -> None:
        super().__init__(**options)
        self.filters = filters
        self.first = keras.layers.Conv2D(filters, 3, padding="same")
        self.slope = keras.layers.PReLU(shared_axes=[1, 2])
        self.second = keras.layers.Conv2D(filters, 3, padding="same")

    def build(self, shape: Any) -> None:
        for layer in (self.first, self.slope, self.second):
            layer.build((*shape[:3], self.filters))

    def call(self, x: Any) -> Any:
        return x + self.second(self.slope(self.first(x)))

    def get_config(self) -> dict[str, Any]:
        return dict(super().get_config()) | {"filters": self.filters}


@keras.saving.register_keras_serializable(package="mine")
class Doubler(keras.Model):  # type: ignore[misc]
    """A subclassed model: no graph of layers, a call method."""

    def __init__(self, filters: int = 8, **options: Any) -> None:
        super().__init__(**options)
        self.filters = filters
        self.head = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")
        self.tail = keras.layers.Conv2D(12, 3, padding="same")
        self.shuffle = PixelShuffle(2)

    def call(self, x: Any) -> Any:
        return self.shuffle(self.tail(self.head(x)))

    def get_config(self) -> dict[str, Any]:
        return dict(super().get_config()) | {"filters": self.filters}
