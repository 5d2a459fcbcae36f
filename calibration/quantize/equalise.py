"""Channels of one range: the scales of a chain's channels are moved from activations to weights.

Between two convolutions with a ReLU, leaky ReLU or PReLU, channel i can be divided by any s > 0 if
the weights that read it are multiplied by s: the network computes the same. One scale then fits
all channels of the tensor; otherwise a channel with a small range, such as the picture itself
beside large features, would keep few of the 127 levels. After Nagel et al., "Data-Free
Quantization Through Weight Equalization and Bias Correction" (2019), with ranges measured on
frames, and Xiao et al., "SmoothQuant" (2023), for the share that moves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from calibration.network.frame_io import Image
from calibration.network.load import Network
from calibration.network.session import open_session, run
from calibration.network.streams import split_streams
from calibration.quantize.judge import Judge
from calibration.quantize.placement import Layer, quantisable, weighted_layers
from calibration.quantize.qdq import Plan, quantise, tensors_of

HOMOGENEOUS = ("Relu", "LeakyRelu", "PRelu")  # f(x / s) = f(x) / s for s > 0
SHARES = (1.0, 0.75, 0.5)  # of a channel's range that moves into the weights
SMALLEST = 2.0**-6  # of the largest channel: smaller ones are not enlarged further
BETTER = 0.9  # of the error that is left, at most, for an equalised network to be taken
Peaks = NDArray[np.float64]


@dataclass(frozen=True)
class Joint:
    """A tensor between one layer and all the layers that read it."""

    tensor: str
    maker: Layer
    readers: tuple[Layer, ...]


def equalise(judge: Judge) -> Network:
    """The network with equalised channels, or as it is where that brings int8 nothing.

    A stream of the picture inside the weights is taken apart first (`split_streams`). What is
    equalised and what is not are quantised whole, with the largest values as ranges, and compared
    by their error on the tuning pictures.
    """
    model = split_streams(judge.network.model)
    network = replace(judge.network, model=model)
    found = joints(model)
    if not found:
        return network
    layers = frozenset(layer.name for layer in weighted_layers(model))
    names = list(dict.fromkeys([*quantisable(model), *(item.tensor for item in found)]))
    peaks = _peaks(network, judge.tuning, names)
    if not all(np.isfinite(values).all() for values in peaks.values()):
        return network  # measuring its ranges says at which tensor
    best, least = model, judge.error(quantise(model, Plan(layers, _clips(peaks))))
    for share in SHARES:
        scales = {item.tensor: _scales(peaks[item.tensor], share) for item in found}
        tried = rescale(model, found, scales)
        moved = peaks | {name: peaks[name] / scale for name, scale in scales.items()}
        plan = Plan(layers, _clips(moved))
        if all(name in plan.clips for name in tensors_of(tried, plan)):
            error = judge.error(quantise(tried, plan))
            if error < least * (BETTER if best is model else 1.0):
                best, least = tried, error
    return network if best is model else replace(network, model=best)


def joints(model: onnx.ModelProto) -> list[Joint]:
    """Every tensor whose channels can be scaled freely, in order of computation."""
    layers = {layer.output: layer for layer in weighted_layers(model)}
    names = {layer.name: layer for layer in layers.values()}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in dict.fromkeys(node.input):
            readers.setdefault(name, []).append(node)
    outputs = {item.name for item in model.graph.output}
    nodes = {node.name: node for node in model.graph.node}
    single = {name for name, using in readers.items() if len(using) == 1}
    found = []
    for maker in layers.values():
        tensor = maker.output
        while len(readers.get(tensor, [])) == 1 and readers[tensor][0].op_type in HOMOGENEOUS:
            node = readers[tensor][0]
            if node.input[0] != tensor:
                break
            tensor = node.output[0]
        reading = [names.get(node.name) for node in readers.get(tensor, [])]
        takes = [layer for layer in reading if layer is not None and layer.source == tensor]
        own = [nodes[layer.name] for layer in (maker, *takes)]
        plain = all(
            node.op_type == "Conv" or (node.op_type == "ConvTranspose" and _group(node) == 1)
            for node in own
        )
        free = all(name in single for node in own for name in node.input[1:])
        if takes and len(takes) == len(reading) and plain and free and tensor not in outputs:
            found.append(Joint(tensor, maker, tuple(takes)))
    return found


def rescale(
    model: onnx.ModelProto, found: Sequence[Joint], scales: Mapping[str, Peaks]
) -> onnx.ModelProto:
    """A copy that computes the same, with channel i of each tensor divided by its scale."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    weights = {item.name: item for item in copy.graph.initializer}
    nodes = {node.name: node for node in copy.graph.node}

    def multiply(name: str, factors: Peaks, axis: int) -> None:
        value = numpy_helper.to_array(weights[name]).astype(np.float64)
        shape = [-1 if index == axis else 1 for index in range(value.ndim)]
        value = (value * factors.reshape(shape)).astype(np.float32)
        weights[name].CopyFrom(numpy_helper.from_array(value, name))

    for item in found:
        scale, maker = scales[item.tensor], nodes[item.maker.name]
        multiply(maker.input[1], 1 / scale, item.maker.axis)
        for name in maker.input[2:3]:
            multiply(name, 1 / scale, 0)
        for reader in item.readers:
            node = nodes[reader.name]
            if node.op_type == "ConvTranspose":
                multiply(node.input[1], scale, 0)
            elif _group(node) == 1:
                multiply(node.input[1], scale, 1)
            else:
                _multiply_grouped(weights[node.input[1]], scale, _group(node))
    return copy


def _multiply_grouped(weight: onnx.TensorProto, scale: Peaks, groups: int) -> None:
    """Scale what reads each input channel of a convolution in groups."""
    value = numpy_helper.to_array(weight).astype(np.float64)
    results, inside = value.shape[:2]
    own = np.repeat(scale.reshape(groups, inside), results // groups, axis=0)
    value = (value * own[:, :, None, None]).astype(np.float32)
    weight.CopyFrom(numpy_helper.from_array(value, weight.name))


def _group(node: onnx.NodeProto) -> int:
    return next((int(item.i) for item in node.attribute if item.name == "group"), 1)


def _peaks(network: Network, images: Sequence[Image], names: Sequence[str]) -> dict[str, Peaks]:
    """Largest magnitude of each channel of NCHW tensors (of other ranks: of all), on the pictures.

    The image itself may reach black and white.
    """
    taps = [name for name in names if name != network.io.input]
    session = open_session(network.model, taps=taps)
    found: dict[str, Peaks] = {}
    for image in images:
        batch = network.io.feed(image)
        values = dict(zip(taps, run(session, batch)[1:], strict=True)) | {network.io.input: batch}
        for name in names:
            value = np.abs(values[name].astype(np.float64))
            peak = value.max(axis=(0, 2, 3)) if value.ndim == 4 else value.max(keepdims=True)
            found[name] = np.maximum(found.get(name, np.zeros(1)), np.ravel(peak))
    return found


def _scales(peaks: Peaks, share: float) -> Peaks:
    """What each channel is divided by: 1 for the largest, less for the others."""
    top = max(float(peaks.max()), 1e-12)
    scales: Peaks = np.maximum(peaks / top, SMALLEST) ** share
    return scales


def _clips(peaks: Mapping[str, Peaks]) -> dict[str, float]:
    return {name: max(float(peak.max()), 1e-6) for name, peak in peaks.items()}
