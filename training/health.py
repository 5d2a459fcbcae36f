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
    maps = [
        layer.output for layer in model.layers if _is_relu(layer) and len(layer.output.shape) == 4
    ]
    if not maps:
        return 0, 0
    probe = keras.Model(model.inputs[0], maps)
    fixed = model.input_shape[1] is not None
    alive = [np.zeros(item.shape[-1], bool) for item in maps]
    for pair in pairs[:PICTURES]:
        rows, columns = model.input_shape[1:3] if fixed else (SIDE, SIDE)
        low = pair.low[None, :rows, :columns].astype(np.float32)
        found = probe(low, training=False)
        for seen, result in zip(alive, found if len(maps) > 1 else [found], strict=True):
            seen |= np.asarray(result).max(axis=(0, 1, 2)) > 0
    return int(sum((~seen).sum() for seen in alive)), sum(seen.size for seen in alive)


def _is_relu(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, RepConv2D):
        return layer.activation == "relu"
    return isinstance(layer, keras.layers.ReLU) or (
        getattr(layer, "activation", None) is keras.activations.relu
    )
