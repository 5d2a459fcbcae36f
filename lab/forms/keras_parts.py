"""What the rebuilt Keras architectures are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import layers as L  # noqa: N812 - as Keras's own examples call it

Tensor = Any
FILTERS = 8


def conv(filters: int = FILTERS, size: int = 3, **options: Any) -> keras.layers.Layer:
    """A convolution that keeps the size."""
    return L.Conv2D(filters, size, padding="same", **options)


def network(
    body: Callable[[Tensor], Tensor], *sides: int, channels: int = 3, **options: Any
) -> keras.Model:
    """A functional model of a free size, or of (rows, columns)."""
    shape = (*(sides or (None, None)), channels)
    image = keras.Input(shape, **options)
    return keras.Model(image, body(image))


def shuffle(x: Tensor, factor: int = 2, channels: int = 3) -> Tensor:
    """Convolution and pixel shuffle by a Lambda layer, as most published code has it."""
    x = conv(channels * factor**2)(x)
    return L.Lambda(lambda y, f=factor: tf.nn.depth_to_space(y, f))(x)


def anchor(x: Tensor, factor: int = 2) -> Tensor:
    """The picture enlarged, to which a network adds."""
    return L.UpSampling2D(factor, interpolation="bilinear")(x)
