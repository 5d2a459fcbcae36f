"""Give dead channels new weights, without a change to what the network computes.

As ReDo does (Sokar et al., "The Dormant Neuron Phenomenon in Deep Reinforcement Learning", 2023):
what a dead channel sees is drawn again, and who listens to it starts at zero.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from training.data.pairs import Pair
from training.loop.grow import assign, plain
from training.loop.health import dead_channels
from training.models.layers import RepConv2D


def revive(model: keras.Model, pairs: Sequence[Pair], *, seed: int) -> int:
    """Draw new weights for the dead channels of `RepConv2D` layers; returns how many.

    A layer is left alone whose result not one convolution alone reads: an addition would show
    the new channels at once.

    Args:
        pairs: pictures on which a channel counts as dead when it is zero throughout.
    """
    rng = np.random.default_rng(seed)
    dead = {
        name: channels
        for name, channels in dead_channels(model, pairs).items()
        if isinstance(model.get_layer(name), RepConv2D) and _listener(model.get_layer(name))
    }
    for name, channels in dead.items():
        listener = _listener(model.get_layer(name))
        kernel, bias = plain(listener)
        kernel[:, :, channels] = 0
        assign(listener, kernel, bias)
    for name, channels in dead.items():
        layer = model.get_layer(name)
        kernel, bias = plain(layer)
        drawn = rng.normal(0, np.sqrt(2 / np.prod(kernel.shape[:3])), kernel.shape)
        kernel[..., channels] = drawn[..., channels]
        bias[channels] = 0
        assign(layer, kernel, bias)
    return int(sum(channels.sum() for channels in dead.values()))


def _listener(layer: keras.layers.Layer) -> keras.layers.Layer | None:
    """The convolution that alone reads the layer's result, if there is one."""
    readers = {node.operation for node in layer._outbound_nodes}
    [reader] = readers if len(readers) == 1 else [None]
    return reader if isinstance(reader, (RepConv2D, keras.layers.Conv2D)) else None
