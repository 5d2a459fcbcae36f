"""A Keras file -> a float ONNX graph: the one room of ``convert`` where TensorFlow is imported."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx

import training.models  # registers the layers and names of our own networks
from convert.onnx import graph
from edge_sr.errors import ModelFileError


@keras.saving.register_keras_serializable(package="edge_sr")
class NearestDouble(keras.layers.Layer):  # type: ignore[misc]
    """Nearest-neighbour doubling as the one TensorFlow op that becomes one ONNX Resize."""

    def call(self, x: Any) -> Any:
        size = [2 * x.shape[1], 2 * x.shape[2]]
        return tf.raw_ops.ResizeNearestNeighbor(images=x, size=size)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (shape[0], *(n and 2 * n for n in shape[1:3]), shape[3])


def _deployable(model: keras.Model) -> keras.Model:
    """The same function, spelt in layers that convert to clean ONNX nodes."""
    if training.models.is_edge_unet(model):
        model = training.models.deploy(model)

    def spell(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        doubles = isinstance(layer, keras.layers.UpSampling2D) and tuple(layer.size) == (2, 2)
        if doubles and layer.interpolation == "nearest":
            return NearestDouble(name=layer.name)
        if isinstance(layer, training.models.BicubicAnchor):
            config = config | {"padding": "reflect"}
        return layer.__class__.from_config(config)

    if not isinstance(model, (keras.Sequential, keras.src.models.Functional)):
        return model
    clone = keras.models.clone_model(model, clone_function=spell)
    clone.set_weights(model.get_weights())
    return clone


@dataclass(frozen=True)
class Contract:
    """What an image-to-image model takes and gives. Sizes are (rows, columns) in pixels."""

    channels: int  # 1 or 3
    multiple: int  # sides must be multiples of this
    scale: Fraction  # output rows / input rows
    size: tuple[int, int] | None  # the one size it takes, if it is built for one
    target: tuple[int, int] | None  # the result's size then


def probe(model: keras.Model) -> Contract:
    """Find out what a model takes and gives, by its shapes or by trying sizes.

    Raises:
        ModelFileError: it is not one: other ranks, channels, or sides that do not scale alike.
    """
    shape = model.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] not in (1, 3):
        raise ModelFileError(
            f"{model.name}: input shape is {shape}; expected one input (N, H, W, 1 or 3)"
        )
    channels = int(shape[3])
    if shape[1] and shape[2]:
        fixed = (int(shape[1]), int(shape[2]))
        found = tuple(model.output_shape)
        return Contract(channels, 1, _scale(model, fixed, found), fixed, found[1:3])
    for multiple in (1, 2, 4, 8, 16, 32, 64):
        rows, columns = 5 * multiple, 7 * multiple
        blank = np.zeros((1, rows, columns, channels), np.float32)
        try:
            found = np.asarray(model(blank, training=False)).shape
            scale = _scale(model, (rows, columns), found)
        except (ValueError, tf.errors.OpError):  # the size does not fit; try the next
            continue
        if scale * columns == found[2]:
            return Contract(channels, multiple, scale, None, None)
    raise ModelFileError(
        f"{model.name}: no frame size was found that it scales evenly (tried multiples of 1 to 64)"
    )


def _scale(model: keras.Model, size: tuple[int, int], found: tuple[Any, ...]) -> Fraction:
    if len(found) != 4 or found[3] != model.input_shape[3] or not found[1]:
        raise ModelFileError(
            f"{model.name}: output shape is {found}; expected (N, H, W, {model.input_shape[3]})"
        )
    return Fraction(int(found[1]), size[0])


def to_core(model: keras.Model, rows: int, columns: int) -> onnx.ModelProto:
    """tf2onnx's conversion at one size, cleaned: float32 NCHW in and out."""
    plain = _deployable(model)
    spec = tf.TensorSpec((1, rows, columns, int(model.input_shape[3])), tf.float32, name="frame")
    function = tf.function(lambda frame: plain(frame, training=False), input_signature=[spec])
    names = [item.name for item in function.get_concrete_function().outputs]
    core: onnx.ModelProto
    core, _ = tf2onnx.convert.from_function(
        function,
        input_signature=[spec],
        opset=graph.OPSET,
        inputs_as_nchw=["frame"],
        outputs_as_nchw=names,
    )
    for layer in model.layers:
        if isinstance(layer, training.models.BicubicAnchor):
            graph.set_edge_padding(core, layer.name)
    graph.drop_neutral(core)
    graph.drop_unused(core)
    graph.set_explicit_padding(core)
    graph.shorten_names(core)
    return core


def architecture(model: keras.Model) -> tuple[str, int]:
    """(name, parameters as deployed: branches merged) for the sidecar."""
    if training.models.is_edge_unet(model):
        return "edge_unet", int(training.models.collapse(model).count_params())
    return str(model.name), int(model.count_params())


def reference(model: keras.Model) -> Any:
    """The model as a function of float32 NHWC arrays, for comparing."""
    return lambda frames: np.asarray(model(frames, training=False))


def tools() -> dict[str, str]:
    """Versions of what converts, for the sidecar."""
    return {package.__name__: str(package.__version__) for package in (keras, tf, tf2onnx, onnx)}
