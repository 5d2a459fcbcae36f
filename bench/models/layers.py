"""Nodes fused into layers as inference engines do it, and what each computes and moves.

The model of fusion is the plain one that TensorRT documents: a convolution takes the pointwise
nodes behind it into its kernel (bias, activation, residual addition, quantisation), chains of
pointwise nodes become one kernel, and everything else (concatenation, padding, shuffles, resizes)
reads its input and writes its output once.
"""

from __future__ import annotations

import math

from bench.models.graph import Counts, Graph, Layer, Node, Tensor

# computed in the kernel of the layer before them
POINTWISE = {
    *("Add", "Sub", "Mul", "Div", "Neg", "Abs", "Pow", "Sqrt", "Exp", "Min", "Max"),
    *("Relu", "LeakyRelu", "PRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh"),
    *("Round", "Floor", "Ceil", "Cast", "QuantizeLinear"),
}
# the same bytes under another name: nothing is moved
VIEWS = {"Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Dropout", "DequantizeLinear"}
WEIGHTED = {"Conv", "ConvTranspose", "MatMul", "Gemm"}
TRAINED = WEIGHTED | {"PRelu", "BatchNormalization", "InstanceNormalization"}


def count_graph(graph: Graph, width: int, height: int) -> Counts:
    """Fuse and count.

    Raises:
        KeyError: the size of a tensor is not known; its name is the argument.
    """
    root: dict[str, str] = {}  # a view's output -> the tensor whose bytes it is
    for node in graph.nodes:
        if _is_view(node, graph.tensors):
            root[node.outputs[0]] = root.get(node.inputs[0], node.inputs[0])
    real = [
        Node(
            name=node.name or node.outputs[0],
            op=node.op,
            inputs=tuple(root.get(name, name) for name in node.inputs if name),
            outputs=node.outputs,
        )
        for node in graph.nodes
        if node.outputs[0] not in root
    ]
    kept = {root.get(name, name) for name in graph.outputs}
    groups = fuse(real, graph.tensors, kept)
    readers: dict[str, set[int]] = {}
    for index, group in enumerate(groups):
        for node in group:
            for name in node.inputs:
                readers.setdefault(name, set()).add(index)
    layers = []
    weights: dict[str, Tensor] = {}
    for index, group in enumerate(groups):
        layer, held = _layer(index, group, graph.tensors, readers, kept)
        layers.append(layer)
        weights |= held
    return Counts(
        width=width,
        height=height,
        parameters=sum(item.elements for item in weights.values()),
        macs=sum(layer.macs for layer in layers),
        activation_bytes=sum(layer.activation_bytes for layer in layers),
        layers=tuple(layers),
    )


def _is_view(node: Node, tensors: dict[str, Tensor]) -> bool:
    """Whether nothing moves: by its kind, or because it pads or cuts nothing at this size."""
    if node.op in VIEWS:
        return True
    if node.op not in ("Pad", "Slice"):
        return False
    return tensors[node.inputs[0]].elements == tensors[node.outputs[0]].elements


def fuse(nodes: list[Node], tensors: dict[str, Tensor], kept: set[str]) -> list[list[Node]]:
    """Put each pointwise node into the kernel that makes its input, where only it reads that.

    Args:
        kept: outputs of the whole graph, which are written whoever else reads them.
    """
    uses: dict[str, int] = {}
    for node in nodes:
        for name in set(node.inputs):
            uses[name] = uses.get(name, 0) + 1
    groups: list[list[Node]] = []
    maker: dict[str, int] = {}  # tensor -> the group that makes it
    for node in nodes:
        home = None
        if node.op in POINTWISE:
            candidates = [
                maker[name]
                for name in node.inputs
                if name in maker
                and uses[name] == 1
                and name not in kept
                and groups[maker[name]][0].op in POINTWISE | WEIGHTED
                and tensors[name].elements == tensors[node.outputs[0]].elements
            ]
            home = max(candidates, default=None)
        if home is None:
            home = len(groups)
            groups.append([])
        groups[home].append(node)
        for name in node.outputs:
            maker[name] = home
    return groups


def _layer(
    index: int,
    group: list[Node],
    tensors: dict[str, Tensor],
    readers: dict[str, set[int]],
    kept: set[str],
) -> tuple[Layer, dict[str, Tensor]]:
    """The facts of one group, and the constants it computes with by name."""
    made = {name for node in group for name in node.outputs if name}
    used = list(dict.fromkeys(name for node in group for name in node.inputs))
    held = {
        name: tensors[name]
        for node in group
        if node.op in TRAINED
        for name in node.inputs
        if tensors[name].constant
    }
    head = group[0]
    layer = Layer(
        name=head.name,
        op=head.op,
        macs=sum(_macs(node, tensors) for node in group),
        read=tuple(
            tensors[name] for name in used if name not in made and not tensors[name].constant
        ),
        written=tuple(
            tensors[name]
            for name in sorted(made)
            if name in kept or readers.get(name, set()) - {index}
        ),
        weights=tuple(held.values()),
        int8=head.op in WEIGHTED and all(tensors[name].item_bytes == 1 for name in head.inputs[:2]),
    )
    return layer, held


def _macs(node: Node, tensors: dict[str, Tensor]) -> int:
    if node.op not in WEIGHTED:
        return 0
    weight, output = tensors[node.inputs[1]], tensors[node.outputs[0]]
    if node.op == "Conv":
        return math.prod(weight.shape[1:]) * output.elements
    if node.op == "ConvTranspose":
        return math.prod(weight.shape[1:]) * tensors[node.inputs[0]].elements
    return tensors[node.inputs[0]].shape[-1] * output.elements
