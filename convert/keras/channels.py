"""A network of (N, C, H, W) rebuilt for (N, H, W, C), which TensorFlow runs on a CPU."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from convert.keras.layers import is_graph, rebuild
from edge_sr.errors import ModelFileError

FIRST, LAST = "channels_first", "channels_last"
AXES = {1: 3, 2: 1, 3: 2, -3: -1, -2: -3, -1: -2, 0: 0, -4: -4}  # first -> last
ORDERED = (  # layers that depend on the order of the axes in ways that are not known
    keras.layers.Reshape,
    keras.layers.Permute,
    keras.layers.Flatten,
    keras.layers.Dense,
    keras.layers.Lambda,
    keras.layers.Attention,
    keras.layers.MultiHeadAttention,
)
NEAR = 1e-3  # of the largest value: what the rebuilt network may differ by


def channels_last(model: keras.Model) -> tuple[keras.Model, list[str]]:
    """The same network with its channels last, and a phrase for the change, if there was one.

    Raises:
        ModelFileError: a layer depends on the order of its axes in a way that is not known, or the
            result differs.
    """
    if not is_graph(model) or not any(_is_first(layer) for layer in model._flatten_layers()):
        return model, []
    shape = model.input_shape
    if len(shape) != 4 or shape[1] not in (1, 3):
        raise ModelFileError(
            f"{model.name}: input shape is {shape}; expected one input (N, 1 or 3, H, W) of a "
            "channels_first network"
        )
    clone = rebuild(model, _change, last=True)
    _compare(model, clone)
    return clone, ["channels_first made channels_last"]


def _is_first(layer: keras.layers.Layer) -> bool:
    return bool(vars(layer).get("data_format") == FIRST)


def _change(layer: Any) -> keras.layers.Layer:
    own = type(layer).__module__.partition(".")[0] != "keras"
    if own or isinstance(layer, ORDERED) or not isinstance(layer, keras.layers.Layer):
        raise ModelFileError(
            f"layer {layer.name} ({type(layer).__name__}) of a channels_first network cannot be "
            "rebuilt with channels last: build the model with data_format='channels_last', load "
            "the weights, and save that"
        )
    config = layer.get_config()
    if config.get("data_format") == FIRST:
        config["data_format"] = LAST
    if isinstance(config.get("axis"), int):
        config["axis"] = AXES[config["axis"]]
    elif isinstance(config.get("axis"), (list, tuple)):
        config["axis"] = [AXES[axis] for axis in config["axis"]]
    if config.get("shared_axes"):
        config["shared_axes"] = sorted(AXES[axis] for axis in config["shared_axes"])
    return layer.__class__.from_config(config)


def _compare(first: keras.Model, last: keras.Model) -> None:
    """Run both on one picture; XLA computes channels_first on a CPU where TensorFlow does not."""
    rows, columns = (side or 48 for side in first.input_shape[2:])
    picture = np.random.default_rng(0).random((1, rows, columns, first.input_shape[1]), np.float32)
    compiled = tf.function(lambda x: first(x, training=False), jit_compile=True)
    try:
        expected = np.asarray(compiled(picture.transpose(0, 3, 1, 2)))
    except (tf.errors.OpError, ValueError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise ModelFileError(
            f"{first.name}: a channels_first network that cannot be computed on this CPU ({reason})"
            ": build it with data_format='channels_last', and save that"
        ) from error
    found = np.asarray(last(picture, training=False)).transpose(0, 3, 1, 2)
    away = float(np.max(np.abs(found - expected))) if found.shape == expected.shape else np.inf
    if away > NEAR * max(1.0, float(np.max(np.abs(expected)))):
        raise ModelFileError(
            f"{first.name}: rebuilt with channels last it differs by {away:.3g}: build it with "
            "data_format='channels_last', and save that"
        )
