"""Keras layers in the form that becomes clean ONNX nodes, free of the size they were traced at."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

import training.models


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


def convertible(layer: keras.layers.Layer) -> keras.layers.Layer:
    """The layer to convert in the place of this one; a copy, without its weights."""
    config = layer.get_config()
    if isinstance(layer, keras.layers.UpSampling2D) and layer.interpolation == "nearest":
        return NearestUpsampling(layer.size, name=layer.name)
    if type(layer) is keras.layers.Conv2D and layer.groups > 1:
        return PlainGroupedConv2D.from_config(config)
    if isinstance(layer, keras.layers.GroupNormalization) and layer.axis in (-1, 3):
        return PlainGroupNormalization.from_config(config)
    if isinstance(layer, keras.layers.Normalization):
        mean, variance = (np.ravel(np.asarray(v, np.float64)) for v in (layer.mean, layer.variance))
        deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
        scale = (1 / deviation).tolist()
        return keras.layers.Rescaling(scale, (-mean / deviation).tolist(), name=layer.name)
    if isinstance(layer, training.models.BicubicAnchor):
        config = config | {"padding": "reflect"}
    return layer.__class__.from_config(config)


def single_precision(model: keras.Model) -> tuple[keras.Model, list[str]]:
    """The model computing in float32 on float32 input, and a phrase for each change.

    A Sequential without an input gets one of three channels.
    """
    changes = []
    if isinstance(model, keras.Sequential) and not model.built:
        model.build((None, None, None, 3))
        changes.append("the model was saved before it had an input: RGB is taken, without weights")
    if not isinstance(model, (keras.Sequential, keras.src.models.Functional)):
        return model, changes
    half = any(layer.compute_dtype in ("float16", "bfloat16") for layer in model.layers)
    integers = any("int" in keras.backend.standardize_dtype(item.dtype) for item in model.inputs)
    if not (half or integers):
        return model, changes
    if half:
        changes.append("layers of half precision compute in float32")
    if integers:
        changes.append("its integer input became float32")
    source = None
    if integers and not isinstance(model, keras.Sequential):  # its type would be kept
        source = keras.tree.map_structure(
            lambda item: keras.Input(batch_shape=item.shape, dtype="float32"), model.input
        )
    clone = keras.models.clone_model(
        model,
        input_tensors=source,
        clone_function=lambda layer: layer.__class__.from_config(_single(layer)),
    )
    clone.set_weights(model.get_weights())
    return clone, changes


def _single(layer: keras.layers.Layer) -> dict[str, object]:
    config: dict[str, object] = layer.get_config()
    if "dtype" in config:
        config["dtype"] = "float32"
    return config
