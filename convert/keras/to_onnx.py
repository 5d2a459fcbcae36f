"""A Keras file -> a float ONNX graph: the one room of ``convert`` where TensorFlow is imported."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx

import training.models  # registers the layers and names of our own networks
from convert.keras.layers import convertible, rebuild
from convert.onnx import graph
from convert.probe.geometry import Geometry, Run, find_geometry
from edge_sr.errors import BackendError, ModelFileError


def _deployable(model: keras.Model) -> keras.Model:
    """The same function, in layers that convert to clean ONNX nodes."""
    if training.models.is_edge_unet(model):
        model = training.models.deploy(model)
    return rebuild(model, convertible)


def probe(model: keras.Model) -> tuple[int, Geometry]:
    """Find out what a model takes and gives: its channels, and the rule of its sizes.

    Raises:
        ModelFileError: it is no image-to-image model: other ranks, channels, or sides that do not
            scale alike.
    """
    shape = model.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] not in (1, 3):
        raise ModelFileError(
            f"{model.name}: input shape is {shape}; expected one input (N, H, W, 1 or 3)"
        )
    fixed = (int(shape[1]), int(shape[2])) if shape[1] and shape[2] else None
    geometry = find_geometry(reference(model), model.name, channels=int(shape[3]), fixed=fixed)
    return int(shape[3]), geometry


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
    graph.replace_erfc(core)
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


def reference(model: keras.Model) -> Run:
    """The model as a function of float32 NHWC arrays; it raises BackendError where Keras fails."""

    def call(frames: np.ndarray) -> np.ndarray:
        try:
            return np.asarray(model(frames, training=False), np.float32)
        except (ValueError, TypeError, tf.errors.OpError) as error:
            raise BackendError(str(error).strip().splitlines()[0]) from error

    return call


def tools() -> dict[str, str]:
    """Versions of what converts, for the sidecar."""
    return {package.__name__: str(package.__version__) for package in (keras, tf, tf2onnx, onnx)}
