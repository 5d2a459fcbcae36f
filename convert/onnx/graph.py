"""ONNX graphs: what the exporter does to them, in small passes that each leave a valid graph."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper, shape_inference

OPSET = 17


def set_edge_padding(model: onnx.ModelProto, layer: str) -> None:
    """Turn the reflecting Pad nodes of one Keras layer into edge-replicating ones.

    TensorFlow has no edge padding; the exporter asks it for "reflect" and means "edge".
    """
    for node in model.graph.node:
        if node.op_type == "Pad" and f"/{layer}" in node.name:
            for attribute in node.attribute:
                if attribute.name == "mode":
                    attribute.s = b"edge"


def drop_neutral(model: onnx.ModelProto) -> None:
    """Take out nodes that change nothing: Mul by 1, Add of 0, Identity, Reshape to the same shape.

    A Reshape that stands for a transpose of one-channel data (1, 1, H, W) <-> (1, H, W, 1) bakes
    the size it was traced at into the file; it becomes Squeeze and Unsqueeze, free of sizes.
    """
    graph = model.graph
    shapes = _shapes(model)
    constants = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    for node in list(graph.node):
        kept = _neutral_input(node, constants, shapes)
        if kept is not None:
            _bypass(graph, node, kept)
        elif node.op_type == "Reshape":
            _free_reshape(graph, node, shapes)


def replace_erfc(model: onnx.ModelProto) -> None:
    """Write ``Erfc``, TensorFlow's way of gelu, which ONNX lacks, as 1 - Erf."""
    graph = model.graph
    for node in [item for item in graph.node if item.op_type == "Erfc"]:
        one, erf = f"{node.output[0]}_one", f"{node.output[0]}_erf"
        graph.initializer.append(numpy_helper.from_array(np.array(1, np.float32), one))
        place = list(graph.node).index(node)
        pair = [
            helper.make_node("Erf", [node.input[0]], [erf], f"{node.name}_erf"),
            helper.make_node("Sub", [one, erf], [node.output[0]], node.name),
        ]
        graph.node.remove(node)
        for offset, item in enumerate(pair):
            graph.node.insert(place + offset, item)


def drop_unused(model: onnx.ModelProto) -> None:
    """Take out weights that no node reads, and the empty ``roi`` that a Resize may leave unsaid."""
    graph = model.graph
    empty = {item.name for item in graph.initializer if 0 in item.dims}
    for node in graph.node:
        if node.op_type == "Resize" and node.input[1] in empty:
            node.input[1] = ""
    used = {name for node in graph.node for name in node.input}
    for item in list(graph.initializer):
        if item.name not in used:
            graph.initializer.remove(item)


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    graph = shape_inference.infer_shapes(model, data_prop=True).graph
    return {
        item.name: tuple(dim.dim_value for dim in item.type.tensor_type.shape.dim)
        for item in (*graph.input, *graph.value_info, *graph.output)
    }


def _neutral_input(
    node: onnx.NodeProto, constants: dict[str, np.ndarray], shapes: dict[str, tuple[int, ...]]
) -> str | None:
    """The input that the node passes on unchanged, if it does."""
    if node.op_type == "Identity":
        return str(node.input[0])
    if node.op_type == "Reshape" and shapes.get(node.input[0], ()) == shapes.get(node.output[0]):
        return str(node.input[0])
    if node.op_type in ("Mul", "Add"):
        for source, other in (node.input, reversed(node.input)):
            value = constants.get(other)
            if value is not None and value.size == 1 and value == (node.op_type == "Mul"):
                return str(source)
    return None


def _bypass(graph: onnx.GraphProto, node: onnx.NodeProto, kept: str) -> None:
    """Remove ``node``: whoever read its output reads ``kept``; a graph output keeps its name."""
    graph.node.remove(node)
    gone, stays = node.output[0], kept
    if gone in {item.name for item in graph.output}:
        gone, stays = kept, gone
    for other in graph.node:
        for tensors in (other.input, other.output):
            for index, name in enumerate(tensors):
                if name == gone:
                    tensors[index] = stays


def _free_reshape(
    graph: onnx.GraphProto, node: onnx.NodeProto, shapes: dict[str, tuple[int, ...]]
) -> None:
    before, after = shapes.get(node.input[0], ()), shapes.get(node.output[0], ())
    if len(before) != 4 or len(after) != 4 or sorted(before) != sorted(after):
        return
    moves = {(1, 3): (before[0], *before[2:], 1), (3, 1): (before[0], 1, *before[1:3])}
    for (old, new), expected in moves.items():
        if before[old] == 1 and expected == after:
            squeezed = f"{node.output[0]}_flat"
            axes = [f"{node.output[0]}_{name}" for name in ("old", "new")]
            for name, value in zip(axes, (old, new), strict=True):
                graph.initializer.append(numpy_helper.from_array(np.array([value]), name))
            place = list(graph.node).index(node)
            pair = [
                helper.make_node("Squeeze", [node.input[0], axes[0]], [squeezed], node.name + "_s"),
                helper.make_node("Unsqueeze", [squeezed, axes[1]], [node.output[0]], node.name),
            ]
            graph.node.remove(node)
            for offset, item in enumerate(pair):
                graph.node.insert(place + offset, item)
            return


def set_explicit_padding(model: onnx.ModelProto) -> None:
    """Replace ``auto_pad`` by numbers, taking every input side for a multiple of its stride.

    The ends pad the frame to such sizes. TensorFlow's SAME then pads ``kernel - stride`` in all,
    the smaller half first, whatever the size.
    """
    for node in model.graph.node:
        if node.op_type != "Conv":
            continue
        found = {item.name: item for item in node.attribute}
        if "auto_pad" not in found:
            continue
        mode = found["auto_pad"].s
        kernel, strides = found["kernel_shape"].ints, found["strides"].ints
        node.attribute.remove(found["auto_pad"])
        if mode == b"SAME_UPPER":
            total = [max(k - s, 0) for k, s in zip(kernel, strides, strict=True)]
            before = [value // 2 for value in total]
            after = [value - first for value, first in zip(total, before, strict=True)]
            node.attribute.append(helper.make_attribute("pads", before + after))


def shorten_names(model: onnx.ModelProto) -> None:
    """Call nodes, tensors and weights by their Keras layer: ``stem``, ``stem_relu``."""
    graph = model.graph
    fixed = {item.name for item in (*graph.input, *graph.output)}
    names: dict[str, str] = {}

    def unique(wanted: str) -> str:
        name, count = wanted, 1
        while name in taken:
            count += 1
            name = f"{wanted}_{count}"
        taken.add(name)
        return name

    taken = set(fixed)
    for node in graph.node:
        parts = [part for part in node.name.split("/") if part]
        layer = parts[1].rsplit("_", 1)[0] if len(parts) > 2 else parts[0] if parts else ""
        wanted = f"{layer}_{node.op_type.lower()}" if node.op_type != "Conv" else layer
        node.name = unique(wanted or node.op_type.lower())
        for index, output in enumerate(node.output):
            if output not in fixed:
                names[output] = node.name if index == 0 else f"{node.name}_{index}"
        if node.op_type in ("Conv", "ConvTranspose"):
            for source, suffix in zip(node.input[1:], ("weight", "bias"), strict=False):
                if source not in names:
                    names[source] = unique(f"{node.name}_{suffix}")
    for item in graph.initializer:
        if item.name not in names:
            names[item.name] = unique("constant")
        item.name = names[item.name]
    for node in graph.node:
        for tensors in (node.input, node.output):
            for index, name in enumerate(tensors):
                tensors[index] = names.get(name, name)
    del graph.value_info[:]
