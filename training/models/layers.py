"""Registered Keras layers with weights or a shuffle: plain graph pieces with no Lambda anywhere.

Every layer is registered under the package name ``edge_sr`` so that ``.keras`` files load with
``safe_mode=True``. Importing this module registers them; the fixed resizes are in resize.py.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

PACKAGE = "edge_sr"


@keras.saving.register_keras_serializable(package=PACKAGE)
class RepConv2D(keras.layers.Layer):  # type: ignore[misc]
    """A 3x3 'same' convolution with ReLU or none, trained as several branches that are one kernel.

    The branches are a 3x3, a 1x1, a 1x1 that widens followed by a 3x3 (no bias between, so zero
    padding commutes) and, where input and output widths agree, the identity. A convolution is
    linear in its kernel, so the branches are merged into one 3x3 kernel *before* the picture is
    touched: the same function and gradients as running them side by side, at the price of one
    convolution. The idea is ECBSR's (Zhang et al. 2021) and RepVGG's (Ding et al. 2021).

    Input and output: float32 (N, H, W, C). ``merged()`` gives the plain kernel and bias.

    ``train_dtype``, "float32" until someone sets it, is what the convolution is computed in when
    ``training``; the weights, and everything else, stay float32.
    """

    train_dtype = "float32"

    def __init__(
        self,
        filters: int,
        *,
        strides: int = 1,
        activation: str | None = "relu",
        expand: int = 2,
        gain: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.filters = filters
        self.strides = strides
        self.activation = activation
        self.expand = expand
        self.gain = gain

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        inputs, wide = int(input_shape[-1] or 0), self.expand * self.filters
        self.has_identity = inputs == self.filters and self.strides == 1

        def weight(name: str, shape: tuple[int, ...], scale: float) -> Any:
            init = keras.initializers.VarianceScaling(scale, "fan_in", "untruncated_normal")
            return self.add_weight(name=name, shape=shape, initializer=init)

        self.full = weight("full", (3, 3, inputs, self.filters), 2.0 * self.gain)
        self.point = weight("point", (1, 1, inputs, self.filters), 0.1 * self.gain)
        self.widen = weight("widen", (1, 1, inputs, wide), 1.0)
        self.narrow = weight("narrow", (3, 3, wide, self.filters), 0.1 * self.gain)
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")
        if self.has_identity:
            # starts small: the additive skips of the network already carry the signal
            self.identity = self.add_weight(
                name="identity", shape=(self.filters,), initializer=keras.initializers.Constant(0.1)
            )

    def kernel(self) -> Any:
        """The branches as one tensor, float32 (3, 3, inputs, filters)."""
        centre = self.point
        if self.has_identity:
            centre = centre + ops.reshape(ops.diag(self.identity), self.point.shape)
        through = ops.einsum("iw,hkwo->hkio", self.widen[0, 0], self.narrow)
        return self.full + through + ops.pad(centre, ((1, 1), (1, 1), (0, 0), (0, 0)))

    def merged(self) -> tuple[np.ndarray, np.ndarray]:
        """Plain kernel (3, 3, inputs, filters) and bias (filters,), both float32."""
        return np.asarray(self.kernel()), self.bias.numpy()

    def call(self, x: Any, training: bool = False) -> Any:
        dtype = self.train_dtype if training else "float32"
        x, kernel, bias = (ops.cast(part, dtype) for part in (x, self.kernel(), self.bias))
        y = ops.conv(x, kernel, strides=self.strides, padding="same") + bias
        return ops.relu(y) if self.activation == "relu" else y

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        side = [None if n is None else -(-n // self.strides) for n in shape[1:3]]
        return (shape[0], *side, self.filters)

    def get_config(self) -> dict[str, Any]:
        return dict(super().get_config()) | {
            "filters": self.filters,
            "strides": self.strides,
            "activation": self.activation,
            "expand": self.expand,
            "gain": self.gain,
        }


def compute_in(model: keras.Model, dtype: str) -> None:
    """Set what the wide convolutions of ``model`` are computed in: "float32" or "bfloat16".

    Weights stay float32. Of few input channels, or to pixels, convolutions stay float32: rounding
    there is seen. Branch blocks follow it when they train only; the others always, so it has to
    be set back to float32 once a training step is traced.
    """
    for layer in hidden(model):
        if isinstance(layer, RepConv2D):
            layer.train_dtype = dtype
        else:
            layer.dtype_policy = "mixed_bfloat16" if dtype == "bfloat16" else dtype


def hidden(model: keras.Model) -> list[keras.layers.Layer]:
    """The convolutions in the middle of ``model``: neither of a picture nor to pixels.

    Branch blocks with a ReLU and more than one input channel; in a network without branch blocks,
    plain and transposed convolutions of more than three channels on both sides.
    """
    blocks = [layer for layer in model.layers if isinstance(layer, RepConv2D)]
    if blocks:
        return [block for block in blocks if block.activation and block.full.shape[2] > 1]
    plain = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)
    convolutions = [layer for layer in model.layers if isinstance(layer, plain)]
    return [layer for layer in convolutions if min(layer.kernel.shape[2:]) > 3]


@keras.saving.register_keras_serializable(package=PACKAGE)
class DepthToSpace(keras.layers.Layer):  # type: ignore[misc]
    """Rearrange (N, H, W, C*b*b) into (N, H*b, W*b, C), float32: the sub-pixel shuffle (ESPCN)."""

    def __init__(self, block: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.block = block

    def call(self, x: Any) -> Any:
        return tf.nn.depth_to_space(x, self.block)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, rows, columns, channels = shape
        block = self.block
        return (
            batch,
            None if rows is None else rows * block,
            None if columns is None else columns * block,
            channels // (block * block),  # type: ignore[operator]
        )

    def get_config(self) -> dict[str, Any]:
        return dict(super().get_config()) | {"block": self.block}
