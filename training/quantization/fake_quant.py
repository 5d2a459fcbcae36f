"""int8 as training sees it: values rounded on the way forward, gradients straight through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

LEVELS = 127  # of one sign: symmetric, zero at level 0, as the exported file has it


def rounded(x: Any) -> Any:
    """The nearest whole numbers; the gradient is that of x itself (straight-through estimator)."""
    return x + ops.stop_gradient(ops.round(x) - x)


def half_exact(step: Any) -> Any:
    """The nearest scale that float16 holds, as the exported file has it; gradient straight through.

    A scale off by a hundredth of a percent rounds one value of thirty to another level.
    """
    return step + ops.stop_gradient(ops.cast(ops.cast(step, "float16"), "float32") - step)


@keras.saving.register_keras_serializable(package="edge_sr")
class FakeQuantise(keras.layers.Layer):  # type: ignore[misc]
    """Rounds a tensor to symmetric int8 with one trained clip, float32 in and out.

    The clip's gradient is that of learned step sizes (Esser et al. 2020): what is clipped pulls it
    up, what is rounded decides between the two. It is trained as a logarithm: always positive, and
    steps are relative.
    """

    def __init__(self, clip: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first_clip = clip

    def build(self, _shape: tuple[int | None, ...]) -> None:
        start = keras.initializers.Constant(float(np.log(self.first_clip)))
        self.log_clip = self.add_weight(name="log_clip", shape=(), initializer=start)

    @property
    def clip(self) -> float:
        """The magnitude that becomes level 127."""
        return float(np.exp(self.log_clip.numpy()))

    def call(self, x: Any) -> Any:
        step = half_exact(ops.exp(self.log_clip) / LEVELS)
        return rounded(ops.clip(x / step, -LEVELS, LEVELS)) * step

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape

    def get_config(self) -> dict[str, Any]:
        return dict(super().get_config()) | {"clip": self.first_clip}


@keras.saving.register_keras_serializable(package="edge_sr")
class QuantisedConv2D(keras.layers.Conv2D):  # type: ignore[misc]
    """A convolution whose kernel is rounded to int8, one scale an output channel, bias float."""

    def call(self, x: Any) -> Any:
        peaks = ops.max(ops.abs(self.kernel), axis=(0, 1, 2), keepdims=True)
        step = half_exact(ops.maximum(ops.stop_gradient(peaks) / LEVELS, 2.0**-20))
        kernel = rounded(self.kernel / step) * step
        y = ops.conv(x, kernel, strides=list(self.strides), padding=self.padding)
        return self.activation(y + self.bias)


def fake_quantised(
    model: keras.Model,
    layers: frozenset[str],
    clips: Mapping[str, float],
    float_adds: frozenset[str],
) -> keras.Model:
    """The same plain network with int8 rounding where the exported file will have it.

    Args:
        model: an edge_unet of plain convolutions (`collapse`).
        layers: convolutions that become int8: their input and their kernel are rounded.
        clips: Keras layer -> the magnitude of its result that becomes level 127.
        float_adds: additions whose identity input stays float; of the others it is rounded.

    Raises:
        ValueError: a layer's input has no clip.
    """
    rounders: dict[str, FakeQuantise] = {}
    made: dict[int, str] = {}  # id of a symbolic tensor -> the layer that made it
    kept: list[Any] = []  # the tensors themselves: ids stay theirs while they live

    def round_input(x: Any) -> Any:
        name = made[id(x)]
        if name not in clips:
            raise ValueError(f"{name}: its result becomes int8 and the plan has no clip for it")
        if name not in rounders:
            rounders[name] = FakeQuantise(clips[name], name=f"{name}_int8")
        return rounders[name](x)

    def replace_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
        kind = QuantisedConv2D if layer.name in layers else layer.__class__
        return kind.from_config(layer.get_config())

    def call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        inputs = args[0]
        if layer.name in layers:
            inputs = round_input(inputs)
        elif isinstance(layer, keras.layers.Add) and isinstance(inputs, (list, tuple)):
            branch, identity = inputs
            if layer.name not in float_adds and made.get(id(identity)) in clips:
                inputs = [branch, round_input(identity)]
        result = layer(inputs, *args[1:], **kwargs)
        made[id(result)] = layer.name
        kept.append(result)
        return result

    clone = keras.models.clone_model(model, clone_function=replace_layer, call_function=call)
    for layer in model.layers:
        clone.get_layer(layer.name).set_weights(layer.get_weights())
    return clone
