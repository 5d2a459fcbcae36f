"""What repairs an int8 network before a layer is left in float: rounding of weights, and biases.

Rounding weights so that a layer's result, not each weight, comes out nearest:

Weights are rounded one input at a time, and what that loses is made good by the inputs not rounded
yet, weighed by how the inputs move together: Frantar et al., "GPTQ" (2022), after Hassibi and
Stork's optimal brain surgeon (1993). Neighbouring pixels are so alike that this removes most of
the noise that plain rounding adds.

Bias correction: what quantisation shifts a layer's mean by is taken off its bias. After Nagel et
al., "Data-Free Quantization Through Weight Equalization and Bias Correction" (2019), with means
measured on frames instead of derived.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx import numpy_helper
from tqdm import tqdm

from calibration.network.frame_io import FrameIO, Image
from calibration.network.session import open_session, run, run_each
from calibration.quantize.judge import Judge
from calibration.quantize.placement import Layer, weighted_layers
from calibration.quantize.qdq import Plan, quantise, quantise_weight
from calibration.quantize.thresholds import LEVELS

DAMPING = 0.01  # of the mean power of an input, added to each
POSITIONS = 6000  # pixels of a picture that are looked at, at most

Matrix = NDArray[np.float64]


def round_weights(judge: Judge, layers: Iterable[Layer]) -> dict[str, NDArray[np.int8]]:
    """Layer name -> int8 levels, for plain convolutions; others are left to plain rounding."""
    network = judge.network
    nodes = {node.name: node for node in network.model.graph.node}
    weights = {item.name: item for item in network.model.graph.initializer}
    plain = [layer for layer in layers if _is_plain(nodes[layer.name])]
    taps = sorted({layer.source for layer in plain} - {network.io.input})
    session = open_session(network.model, taps=taps)
    moments: dict[str, Matrix] = {}
    for image in judge.tuning:
        batch = network.io.feed(image)
        found = dict(zip(taps, run(session, batch)[1:], strict=True)) | {network.io.input: batch}
        for layer in plain:
            kernel = tuple(weights[layer.weight].dims[2:])
            patches = _patches(found[layer.source], nodes[layer.name], kernel)
            moments[layer.name] = moments.get(layer.name, np.zeros(())) + patches.T @ patches
    return {
        layer.name: _round(numpy_helper.to_array(weights[layer.weight]), moments[layer.name])
        for layer in plain
    }


def _is_plain(node: onnx.NodeProto) -> bool:
    """A convolution without groups or dilation, with explicit padding."""
    found = {item.name: item for item in node.attribute}
    group = found["group"].i if "group" in found else 1
    dilations = list(found["dilations"].ints) if "dilations" in found else [1, 1]
    return node.op_type == "Conv" and group == 1 and dilations == [1, 1] and "auto_pad" not in found


def _patches(value: np.ndarray, node: onnx.NodeProto, kernel: tuple[int, ...]) -> Matrix:
    """(positions, C * kh * kw): what the kernel sees, of float (1, C, H, W)."""
    found = {item.name: list(item.ints) for item in node.attribute}
    pads = found.get("pads", [0, 0, 0, 0])
    strides = found.get("strides", [1, 1])
    padded = np.pad(value[0], ((0, 0), (pads[0], pads[2]), (pads[1], pads[3])))
    windows = sliding_window_view(padded, kernel, axis=(1, 2))[:, :: strides[0], :: strides[1]]
    flat = windows.transpose(1, 2, 0, 3, 4).reshape(windows.shape[1] * windows.shape[2], -1)
    return flat[:: max(1, len(flat) // POSITIONS)].astype(np.float64)


def _round(weight: NDArray[np.float32], moment: Matrix) -> NDArray[np.int8]:
    """int8 levels (O, C, kh, kw) on the scales of `quantise_weight`."""
    _, scales = quantise_weight(weight, 0)
    rest = weight.reshape(len(weight), -1).astype(np.float64)
    power = np.diag(moment).copy()
    order = np.argsort(-power)
    damped = moment + np.eye(len(moment)) * max(DAMPING * float(power.mean()), 1e-12)
    inverse = np.linalg.inv(damped[np.ix_(order, order)])
    factor = np.linalg.cholesky((inverse + inverse.T) / 2).T
    rest, levels = rest[:, order], np.zeros_like(rest)
    for place in range(rest.shape[1]):
        now = rest[:, place]
        levels[:, place] = np.clip(np.rint(now / scales), -LEVELS, LEVELS)
        lost = (now - levels[:, place] * scales) / factor[place, place]
        rest[:, place:] -= np.outer(lost, factor[place, place:])
    back = np.empty_like(levels)
    back[:, order] = levels
    return back.reshape(weight.shape).astype(np.int8)


def correct_biases(judge: Judge, plan: Plan) -> Plan:
    """The plan with bias shifts, layer after layer; unchanged where that brings no gain."""
    network = judge.network
    layers = [
        layer
        for layer in weighted_layers(network.model)
        if layer.name in plan.layers and layer.op in ("Conv", "ConvTranspose")
    ]
    outputs = [layer.output for layer in layers]
    expected = channel_means(network.model, network.io, judge.tuning, outputs)
    shifted = replace(plan, bias_shifts={})
    for layer in tqdm(layers, desc="correcting biases", unit="layer", disable=None):
        if judge.budget.spent(0.9, "biases of some layers"):
            break
        model = quantise(network.model, shifted)
        [found] = channel_means(model, network.io, judge.tuning, [layer.output])
        shift = expected[outputs.index(layer.output)] - found
        shifted = replace(shifted, bias_shifts={**shifted.bias_shifts, layer.name: shift})
    plain = replace(plan, bias_shifts={})
    before, after = (judge.error(quantise(network.model, item)) for item in (plain, shifted))
    return shifted if after < before else plain


def channel_means(
    model: onnx.ModelProto, io: FrameIO, images: Sequence[Image], tensors: Sequence[str]
) -> list[NDArray[np.float32]]:
    """Mean of each channel, float32 (C,), of NCHW tensors over all images, uint8 (H, W, C)."""
    session = open_session(model, taps=tensors)
    sums = [np.zeros(()) for _ in tensors]
    for _, found in run_each(session, (io.feed(image) for image in images)):
        for place, value in enumerate(found[1:]):
            sums[place] = sums[place] + value.astype(np.float64).mean(axis=(0, 2, 3))
    return [(total / len(images)).astype(np.float32) for total in sums]
