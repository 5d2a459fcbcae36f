"""Channels that have died: always zero behind their ReLU, whatever the picture."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from .data import Pair
from .models.layers import RepConv2D

SIDE = 240  # pixels of a picture that are looked at; a multiple of all size multiples up to 16
PICTURES = 4


def dead_units(model: keras.Model, pairs: Sequence[Pair]) -> tuple[int, int]:
    """(channels that stay zero on the first pictures, channels) behind the ReLUs of the maps."""
    dead = dead_channels(model, pairs).values()
    return int(sum(found.sum() for found in dead)), sum(found.size for found in dead)


def dead_channels(model: keras.Model, pairs: Sequence[Pair]) -> dict[str, np.ndarray]:
    """Layer with a ReLU over a map -> bool (C,), True where it stays zero on the first pictures."""
    layers = [layer for layer in model.layers if _is_relu(layer) and len(layer.output.shape) == 4]
    if not layers:
        return {}
    probe = keras.Model(model.inputs[0], [layer.output for layer in layers])
    fixed = model.input_shape[1] is not None
    alive = {layer.name: np.zeros(layer.output.shape[-1], bool) for layer in layers}
    for pair in pairs[:PICTURES]:
        rows, columns = model.input_shape[1:3] if fixed else (SIDE, SIDE)
        low = pair.low[None, :rows, :columns].astype(np.float32)
        found = probe(low, training=False)
        for name, result in zip(alive, found if len(layers) > 1 else [found], strict=True):
            alive[name] |= np.asarray(result).max(axis=(0, 1, 2)) > 0
    return {name: ~seen for name, seen in alive.items()}


def _is_relu(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, RepConv2D):
        return layer.activation == "relu"
    return isinstance(layer, keras.layers.ReLU) or (
        getattr(layer, "activation", None) is keras.activations.relu
    )
