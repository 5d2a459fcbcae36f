"""Channels that have died, always zero behind their ReLU, and runs that have collapsed."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from edge_sr.errors import EdgeSRError
from training.data.pairs import Pair
from training.models.layers import RepConv2D

SIDE = 240  # pixels of a picture that are looked at; a multiple of all size multiples up to 16
PICTURES = 4
NAMED = 0.25  # of a layer's channels
ADVICE = "lower learning_rate or clip_norm"


class DivergedError(EdgeSRError):
    """The run has collapsed; going on would only burn hours."""


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


def worst_layer(dead: dict[str, np.ndarray]) -> str:
    """Of `dead_channels`: the layer that has lost the largest part, or "" below NAMED of it.

    A network loses little by a few, and those of one layer are easily overlooked in the sum.
    """
    if not dead:
        return ""
    name, found = max(dead.items(), key=lambda item: item[1].mean())
    lost = int(found.sum())
    return f"{lost} of {found.size} channels of {name} are dead" if found.mean() >= NAMED else ""


def stop_if_dead(step: int, dead: int, units: int) -> None:
    """Raises DivergedError where more than half of a network's channels are dead."""
    if 2 * dead > units:
        raise DivergedError(f"{dead} of {units} units are dead after {step} steps; {ADVICE}")


def stop_if_bicubic(step: int, psnr: float, bicubic: float) -> None:
    """Raises DivergedError where the network's PSNR in dB is no more than bicubic's."""
    if psnr < bicubic + 0.01:
        raise DivergedError(
            f"{psnr:.2f} dB after {step} steps, bicubic alone has {bicubic:.2f}: "
            f"the units have died; {ADVICE}"
        )


def _is_relu(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, RepConv2D):
        return layer.activation == "relu"
    return isinstance(layer, keras.layers.ReLU) or (
        getattr(layer, "activation", None) is keras.activations.relu
    )
