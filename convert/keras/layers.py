"""Keras layers in the form that becomes clean ONNX nodes, free of the size they were traced at."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

import training.models
from edge_sr.errors import ModelFileError


@keras.saving.register_keras_serializable(package="edge_sr")
class NearestUpsampling(keras.layers.Layer):  # type: ignore[misc]
    """Nearest-neighbour enlargement as the one TensorFlow op that becomes one ONNX Resize."""

    def __init__(self, factors: tuple[int, int] = (2, 2), **options: object) -> None:
        super().__init__(**options)
        self.factors = (int(factors[0]), int(factors[1]))

    def call(self, x: tf.Tensor) -> tf.Tensor:
        size = [factor * side for factor, side in zip(self.factors, x.shape[1:3], strict=True)]
        return tf.raw_ops.ResizeNearestNeighbor(images=x, size=size)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        sides = (n and f * n for n, f in zip(shape[1:3], self.factors, strict=True))
        return (shape[0], *sides, shape[3])


@keras.saving.register_keras_serializable(package="edge_sr")
class PlainGroupNormalization(keras.layers.GroupNormalization):  # type: ignore[misc]
    """Group normalisation over NHWC without a Reshape, which would fix the size of the file."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        channels = int(inputs.shape[-1])
        groups = channels if self.groups == -1 else self.groups
        same = np.arange(channels) // (channels // groups)
        average = tf.constant((same[:, None] == same[None]) / (channels // groups), tf.float32)

        def group_mean(x: tf.Tensor) -> tf.Tensor:
            mean = tf.reduce_mean(x, axis=[1, 2])
            return tf.matmul(mean, average)[:, None, None, :]

        centred = inputs - group_mean(inputs)
        result = centred / tf.sqrt(group_mean(centred * centred) + self.epsilon)
        if self.scale:
            result = result * self.gamma
        return result + self.beta if self.center else result


@keras.saving.register_keras_serializable(package="edge_sr")
class PlainGroupedConv2D(keras.layers.Conv2D):  # type: ignore[misc]
    """A convolution in groups as one TensorFlow op; Keras wraps it in a compiled function."""

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return tf.nn.conv2d(
            inputs, kernel, list(self.strides), self.padding.upper(), dilations=self.dilation_rate
        )


@keras.saving.register_keras_serializable(package="edge_sr")
class PlainDense(keras.layers.Dense):  # type: ignore[misc]
    """A matrix product over the channels of pictures without a Reshape, as a 1x1 convolution."""

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        if len(inputs.shape) != 4:
            return super().call(inputs, training=training)
        result = tf.nn.conv2d(inputs, self.kernel[None, None], 1, "SAME")
        result = tf.nn.bias_add(result, self.bias) if self.use_bias else result
        return result if self.activation is None else self.activation(result)


def rebuild(
    model: keras.Model,
    change: Callable[[keras.layers.Layer], keras.layers.Layer],
    *,
    free: bool = False,
    last: bool = False,
) -> keras.Model:
    """A copy of a Sequential or functional model with other layers, those of models inside too.

    Its input is float32. Weights are copied where the new layer has any; models of other classes
    are returned as they are.

    Args:
        change: gives the new layer for a layer, without weights.
        free: leave rows and columns of the input free.
        last: move the channels of the input from the second axis to the last.
    """
    if not is_graph(model):
        return model

    def shape(item: keras.KerasTensor) -> tuple[int | None, ...]:
        taken = (item.shape[0], *item.shape[2:], item.shape[1]) if last else tuple(item.shape)
        return (taken[0], None, None, *taken[3:]) if free else taken

    def renew(layer: keras.layers.Layer) -> keras.layers.Layer:
        if is_graph(layer):
            return rebuild(layer, change, free=free, last=last)
        return change(layer)

    clone = keras.models.clone_model(
        model,
        input_tensors=keras.tree.map_structure(
            lambda item: keras.Input(
                batch_shape=shape(item),
                dtype="float32",
                name=item.name,
            ),
            model.inputs[0] if isinstance(model, keras.Sequential) else model.input,
        ),
        clone_function=renew,
    )
    _copy_weights(clone, model)
    return clone


def is_graph(model: object) -> bool:
    """Whether a model is made of layers that can be replaced."""
    return isinstance(model, (keras.Sequential, keras.src.models.Functional))


def _copy_weights(clone: keras.Model, model: keras.Model) -> None:
    ours, theirs = (
        [layer for layer in item.layers if not isinstance(layer, keras.layers.InputLayer)]
        for item in (clone, model)
    )
    for mine, old in zip(ours, theirs, strict=True):
        if is_graph(old):
            _copy_weights(mine, old)
        elif mine is not old and mine.weights:
            sizes = [tuple(item.shape) for item in mine.weights]
            pairs = zip(old.get_weights(), sizes, strict=True)
            mine.set_weights([value.reshape(size) for value, size in pairs])  # PReLU's (C, 1, 1)


def convertible(layer: keras.layers.Layer) -> keras.layers.Layer:
    """The layer to convert in the place of this one; a copy, without its weights."""
    config = layer.get_config()
    if isinstance(layer, keras.layers.UpSampling2D) and layer.interpolation == "nearest":
        return NearestUpsampling(layer.size, name=layer.name)
    if type(layer) is keras.layers.Conv2D and layer.groups > 1:
        return PlainGroupedConv2D.from_config(config)
    if type(layer) is keras.layers.Dense:
        return PlainDense.from_config(config)
    if isinstance(layer, keras.layers.GroupNormalization) and layer.axis in (-1, 3):
        return PlainGroupNormalization.from_config(config)
    if isinstance(layer, keras.layers.Normalization):
        mean, variance = (np.ravel(np.asarray(v, np.float64)) for v in (layer.mean, layer.variance))
        deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
        scale = (1 / deviation).tolist()
        return keras.layers.Rescaling(scale, (-mean / deviation).tolist(), name=layer.name)
    if isinstance(layer, training.models.BicubicAnchor):
        config = config | {"padding": "reflect"}
    try:
        return layer.__class__.from_config(config)
    except (TypeError, ValueError, NotImplementedError):
        return layer  # the user's own layer without a complete get_config


def single_precision(model: keras.Model) -> tuple[keras.Model, list[str]]:
    """The model computing in float32 on float32 input, and a phrase for each change.

    A Sequential without an input gets one of three channels.
    """
    changes = []
    if isinstance(model, keras.Sequential) and not model.built:
        model.build((None, None, None, 3))
        changes.append("the model was saved before it had an input: RGB is taken, without weights")
    if not is_graph(model):
        model = _with_input(model)
    if not is_graph(model):
        return model, changes
    half = any(layer.compute_dtype in ("float16", "bfloat16") for layer in model._flatten_layers())
    integers = any("int" in keras.backend.standardize_dtype(item.dtype) for item in model.inputs)
    if half:
        changes.append("layers of half precision compute in float32")
    if integers:
        changes.append("its integer input became float32")
    if half or integers:
        model = rebuild(model, lambda layer: layer.__class__.from_config(_single(layer)))
    return model, changes


def _with_input(model: keras.Model) -> keras.Model:
    """A model of a class of its own as the one layer of a graph, of pictures of any size."""
    known = [
        shape
        for shape in (model.get_build_config() or {}).values()
        if isinstance(shape, (tuple, list))
    ]
    channels = known[0][-1] if known and len(known[0]) == 4 else 3
    image = keras.Input((None, None, channels))
    try:
        return keras.Model(image, model(image), name=model.name)
    except Exception as error:  # it is the user's code
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ModelFileError(
            f"{model.name}: a subclassed model that takes no picture of a free size ({reason}); "
            "save a functional model: keras.Model(inputs, outputs)"
        ) from error


def free_size(model: keras.Model) -> keras.Model | None:
    """The same network for pictures of any size; None where its layers or its results forbid it."""
    if not is_graph(model) or None in model.input_shape[1:3]:
        return None
    probe = np.random.default_rng(0).random((1, *model.input_shape[1:]), np.float32)
    try:
        clone = rebuild(
            model, lambda layer: layer.__class__.from_config(layer.get_config()), free=True
        )
        clone(np.concatenate([probe, probe], axis=1), training=False)
        old, new = (np.asarray(item(probe, training=False)) for item in (model, clone))
    except (ValueError, TypeError, AttributeError, RuntimeError, tf.errors.OpError):
        return None
    return clone if np.allclose(old, new, atol=1e-4, rtol=1e-4) else None


def _single(layer: keras.layers.Layer) -> dict[str, object]:
    config: dict[str, object] = layer.get_config()
    if "dtype" in config:
        config["dtype"] = "float32"
    return config
