"""Where TensorRT fuses quantisation: which tensors of a network may carry Q/DQ pairs.

The rules are those of NVIDIA's explicit-quantisation guide: the input and the weight of a weighted
layer; of a residual addition only the identity input, else convolution and addition do not fuse;
all inputs of a concatenation with one scale; nothing on outputs.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import onnx

from calibration.network.graph_size import layer_macs
from calibration.network.load import Network

CARRIERS = ("Resize", "Upsample", "DepthToSpace")  # between a convolution and the addition
WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True)
class Layer:
    """A node with constant weights."""

    name: str
    op: str
    source: str  # the activation it reads
    weight: str  # the initialiser
    axis: int  # of the weight that counts output channels
    output: str


@dataclass(frozen=True)
class Residual:
    """An addition of a quantised branch and an identity that may be quantised too."""

    name: str  # of the Add node
    index: int  # which of its inputs is the identity
    tensor: str  # the identity


def weighted_layers(model: onnx.ModelProto) -> list[Layer]:
    """Every convolution and matrix product with constant weights, in order of computation."""
    shapes = {item.name: len(item.dims) for item in model.graph.initializer}
    found = []
    for node in model.graph.node:
        known = len(node.input) > 1 and node.input[1] in shapes and node.input[0] not in shapes
        if not known:
            continue
        if node.op_type == "Gemm" and _attribute(node, "transA"):
            continue
        if node.op_type == "MatMul" and shapes[node.input[1]] != 2:
            continue
        if node.op_type in WEIGHTED:
            source, weight = node.input[:2]
            axis = output_axis(node)
            found.append(Layer(node.name, node.op_type, source, weight, axis, node.output[0]))
    return found


def output_axis(node: onnx.NodeProto) -> int:
    """The axis of a weight that counts output channels; ``node`` is one of WEIGHTED."""
    if node.op_type == "Gemm":
        return 0 if _attribute(node, "transB") else 1
    return 0 if node.op_type == "Conv" else 1


def work_shares(network: Network) -> dict[str, float]:
    """Layer -> its share of the multiply-accumulates; of the weights where sizes are not known."""
    model = network.model
    axes = (1, 2) if network.io.frames else (2, 3)
    found = layer_macs(model, *(network.io.size or (96, 96)), axes=axes)
    sizes = {item.name: float(np.prod(item.dims)) for item in model.graph.initializer}
    layers = weighted_layers(model)
    known = all(found.get(layer.output) for layer in layers)
    work = {
        layer.name: float(found[layer.output]) if known else sizes[layer.weight] for layer in layers
    }
    return {name: value / sum(work.values()) for name, value in work.items()}


def last_layers(model: onnx.ModelProto) -> set[str]:
    """Names of the weighted layers with no other after them: the head, and an anchor beside it."""
    layers = {layer.output: layer for layer in weighted_layers(model)}
    behind: set[str] = set()  # tensors from which a weighted layer is reached
    last = set()
    for node in reversed(model.graph.node):
        layer = layers.get(node.output[0])
        reaches = any(name in behind for name in node.output)
        if layer is not None and not reaches:
            last.add(layer.name)
        if layer is not None or reaches:
            behind.update(node.input)
    return last


def anchors(model: onnx.ModelProto) -> set[str]:
    """Names of the last layers that read the image itself, not features: fixed interpolation."""
    plain, last = image_tensors(model), last_layers(model)
    return {
        layer.name
        for layer in weighted_layers(model)
        if layer.name in last and layer.source in plain
    }


def image_tensors(model: onnx.ModelProto) -> set[str]:
    """The input and whatever is made of it without weighted layers: shifted, padded, cut."""
    plain = {item.name for item in model.graph.input}
    layers = {layer.output for layer in weighted_layers(model)}
    constants = {item.name for item in model.graph.initializer}
    for node in model.graph.node:
        inputs = [name for name in node.input if name and name not in constants]
        if inputs and plain.issuperset(inputs) and node.output[0] not in layers:
            plain.update(node.output)
    return plain


def residuals(model: onnx.ModelProto, layers: Collection[str]) -> list[Residual]:
    """Additions of a quantised convolution's result and something older, which is the identity.

    The image itself (an anchor of repeated pixels, a global skip) is no such identity: int8 would
    cost it its grey levels.
    """
    readers: dict[str, int] = {}
    for node in model.graph.node:
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1
    makers = {name: node for node in model.graph.node for name in node.output}
    constants = {item.name for item in model.graph.initializer}
    image = image_tensors(model)

    def branch(tensor: str) -> str | None:
        """The layer whose result alone arrives here."""
        node = makers.get(tensor)
        while node is not None and node.op_type in CARRIERS and readers[node.output[0]] == 1:
            node = makers.get(node.input[0])
        if node is None or readers[node.output[0]] != 1:
            return None
        return node.name if node.op_type in ("Conv", "ConvTranspose") else None

    found = []
    for node in model.graph.node:
        if node.op_type != "Add" or constants.intersection(node.input):
            continue
        sides = [branch(name) for name in node.input]
        if (sides[0] is None) == (sides[1] is None):
            continue  # two plain tensors, or two convolutions: nothing is the identity
        index = 0 if sides[0] is None else 1
        if sides[1 - index] in layers and node.input[index] not in image:
            found.append(Residual(node.name, index, node.input[index]))
    return found


def concat_groups(model: onnx.ModelProto, tensors: Collection[str]) -> dict[str, str]:
    """tensor -> the name its scale goes by, for concatenations whose result is in ``tensors``.

    A quantised concatenation and all its inputs share a scale; chained ones share it further.
    Tensors in no group are not in the result.
    """
    constants = {item.name for item in model.graph.initializer}
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    wanted = set(tensors)
    for node in reversed(model.graph.node):
        if node.op_type == "Concat" and node.output[0] in wanted:
            for name in node.input:
                if name not in constants:
                    leader[find(name)] = find(node.output[0])
                    wanted.add(name)
    return {name: find(name) for name in leader}


def quantisable(model: onnx.ModelProto) -> list[str]:
    """Every tensor that the rules could ever put a Q/DQ pair on, in order of computation."""
    layers = weighted_layers(model)
    found = {layer.source for layer in layers}
    found |= {item.tensor for item in residuals(model, [layer.name for layer in layers])}
    found |= set(concat_groups(model, found))
    order = [item.name for item in model.graph.input]
    order += [name for node in model.graph.node for name in node.output]
    return [name for name in order if name in found]


def _attribute(node: onnx.NodeProto, name: str) -> int:
    return next((int(item.i) for item in node.attribute if item.name == name), 0)
