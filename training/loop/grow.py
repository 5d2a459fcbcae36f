"""Grow a trained network into a wider and deeper one that computes the same function.

The idea is Net2Net's (Chen, Goodfellow, Shlens 2016): training of the larger network goes on from
where the smaller one ended. New convolutions begin as the identity, which ReLU lets pass; new
channels begin at random, and nothing listens to them yet.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from training.models.layers import RepConv2D

ENDS = ("head",)  # the channels that come out here are pixels, not features


def grow(source: keras.Model, target: keras.Model, fresh: Sequence[str] = ()) -> list[str]:
    """Fill the layers of ``target`` that are larger than their namesake, or have none.

    Layers of equal shape are left alone: copy them first. Returns the names of the filled ones.
    A layer of another stride, smaller than its namesake, or an end with another number of
    channels keeps its first weights, and so do those in ``fresh``. A 3x3 head becomes the first
    convolution of a deeper head, and the smaller one after it separates positive from negative.
    """
    namesakes = {layer.name: layer for layer in source.layers if layer.weights}
    filled = _split_head(namesakes, target, fresh)
    for layer in target.layers:
        if not layer.weights or not isinstance(layer, (RepConv2D, keras.layers.Conv2D)):
            continue
        if layer.name in (*fresh, *filled):
            continue
        if layer.name in namesakes:
            done = _widen(namesakes[layer.name], layer)
        else:
            done = isinstance(layer, RepConv2D) and _pass_through(layer)
        if done:
            filled.append(layer.name)
    return filled


def plain(layer: keras.layers.Layer) -> tuple[np.ndarray, np.ndarray]:
    """Kernel (rows, columns, inputs, filters) and bias (filters,), branches merged."""
    kernel, bias = layer.merged() if isinstance(layer, RepConv2D) else layer.get_weights()
    return np.array(kernel), np.array(bias)


def assign(layer: keras.layers.Layer, kernel: np.ndarray, bias: np.ndarray) -> None:
    """Give the layer this kernel; of several branches the 3x3 one makes up the difference."""
    if isinstance(layer, RepConv2D):
        merged, _ = plain(layer)
        layer.full.assign(layer.full.numpy() + kernel - merged)
        layer.bias.assign(bias)
    else:
        layer.set_weights([kernel, bias])


def _widen(small: keras.layers.Layer, layer: keras.layers.Layer) -> bool:
    """Put the small kernel into the corner of the large one."""
    kernel, bias = plain(layer)
    less, less_bias = plain(small)
    inputs, filters = less.shape[2:]
    fits = (
        less.shape != kernel.shape
        and less.shape[:2] == kernel.shape[:2]
        and inputs <= kernel.shape[2]
        and filters <= kernel.shape[3]
        and tuple(np.ravel(small.strides)) == tuple(np.ravel(layer.strides))
        and (layer.name not in ENDS or filters == kernel.shape[3])
    )
    if fits:
        kernel[:, :, :, :filters] = 0
        kernel[:, :, :inputs, :filters] = less
        bias[:filters] = less_bias
        assign(layer, kernel, bias)
    return fits


def _split_head(
    namesakes: dict[str, keras.layers.Layer], target: keras.Model, fresh: Sequence[str]
) -> list[str]:
    """Make ``head_0`` and ``head`` do what the 3x3 ``head`` of the source does, if they can.

    A residual r is relu(r) - relu(-r): two channels for each of its own. They are scaled to the
    size of the other new filters, the last convolution back, so that all learn at one pace.
    """
    layers = {layer.name: layer for layer in target.layers}
    if "head" not in namesakes or "head_0" not in layers or "head_0" in namesakes:
        return []
    whole, bias = plain(namesakes["head"])
    first, last = layers["head_0"], layers["head"]
    kernel, first_bias = plain(first)
    point, _ = plain(last)
    inputs, pixels = whole.shape[2:]
    good = 2 * pixels <= kernel.shape[3] and inputs <= kernel.shape[2] and pixels == point.shape[3]
    same = np.ravel(namesakes["head"].strides)[0] == np.ravel(last.strides)[0]
    if not (good and same) or {"head_0", "head"}.intersection(fresh):
        return []
    size = np.linalg.norm(kernel) / np.sqrt(kernel.shape[3])
    size /= np.linalg.norm(whole) / np.sqrt(pixels) or 1.0
    point[:] = 0
    for sign, begin in ((1, 0), (-1, pixels)):
        channels = slice(begin, begin + pixels)
        kernel[..., channels] = 0
        kernel[:, :, :inputs, channels] = sign * size * whole
        first_bias[channels] = sign * size * bias
        point[-1, -1, channels] = sign / size * np.eye(pixels)  # of 2x2 the 3x3's middle
    assign(first, kernel, first_bias)
    assign(last, point, np.zeros(pixels, np.float32))
    return ["head_0", "head"]


def _pass_through(layer: RepConv2D) -> bool:
    """Make the layer the identity, where its shape and its ReLU allow."""
    if not layer.has_identity or layer.activation != "relu" or layer.name in ENDS:
        return False
    kernel, bias = plain(layer)
    kernel[:] = 0
    kernel[1, 1] = np.eye(layer.filters)
    assign(layer, kernel, 0 * bias)
    return True
