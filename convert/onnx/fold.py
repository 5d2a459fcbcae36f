"""Compute what depends on sizes alone, once the sizes of a file are fixed.

TensorRT 10.3, which JetPack 6 brings, fails on some shape arithmetic in front of a Pad
(NVIDIA/TensorRT issue 4217); a file of one size needs none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

Array = NDArray[np.generic]
# what is done with sizes on the way to a Pad, Slice, Resize or Reshape
# fmt: off
ARITHMETIC = frozenset((
    "Add", "Cast", "Ceil", "Concat", "ConstantOfShape", "Div", "Floor", "Gather", "Identity",
    "Max", "Min", "Mod", "Mul", "Neg", "Reshape", "Slice", "Squeeze", "Sub", "Unsqueeze",
))
# fmt: on
LARGEST = 64  # numbers in a result that is kept: sizes and pads are few


def fold_shapes(model: onnx.ModelProto) -> None:
    """Replace every ``Shape`` of a known size, and arithmetic on its result, by constants.

    Weights and their Q/DQ pairs stay as they are.

    Args:
        model: changed in place; its input sizes are fixed.
    """
    while _fold_once(model):
        pass
    _drop_unused(model)


def _fold_once(model: onnx.ModelProto) -> bool:
    graph = model.graph
    del graph.value_info[:]  # of before: inference keeps what it finds
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    sizes = {
        item.name: [dim.dim_value for dim in item.type.tensor_type.shape.dim]
        for item in (*inferred.input, *inferred.value_info, *inferred.output)
        if all(dim.HasField("dim_value") for dim in item.type.tensor_type.shape.dim)
        and item.type.tensor_type.HasField("shape")
    }
    known = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    folded: set[str] = set()  # results that came from a Shape
    kept = []
    for node in graph.node:
        value = _value(model, node, sizes, known, folded)
        if value is None:
            kept.append(node)
            continue
        known[node.output[0]] = value
        folded.add(node.output[0])
        graph.initializer.append(numpy_helper.from_array(np.asarray(value), node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)
    return bool(folded)


def _value(
    model: onnx.ModelProto,
    node: onnx.NodeProto,
    sizes: dict[str, list[int]],
    known: dict[str, Array],
    folded: set[str],
) -> Array | None:
    """The result of a node, if it is known without a frame; else None."""
    if node.op_type == "Shape" and node.input[0] in sizes:
        limits: dict[str, int] = {item.name: item.i for item in node.attribute}
        dims = sizes[node.input[0]]
        return np.array(dims[limits.get("start", 0) : limits.get("end", len(dims))], np.int64)
    names = [name for name in node.input if name]
    small = all(name in known and known[name].size <= LARGEST for name in names)
    if node.op_type not in ARITHMETIC or not names or not small:
        return None
    whole = all(known[name].dtype.kind in "iub" for name in names)
    if not folded.intersection(names) and not whole:
        return None  # a constant of the network, such as a level or a weight
    given = {name: known[name] for name in names}
    ports = [_port(name, array) for name, array in given.items()]
    graph = onnx.helper.make_graph(
        [node], "one", ports, [onnx.helper.make_value_info(node.output[0], onnx.TypeProto())]
    )
    single = onnx.helper.make_model(graph, opset_imports=model.opset_import)
    results: Any = ReferenceEvaluator(single).run(None, given)
    result: Array = np.asarray(results[0])
    return result if result.size <= LARGEST else None


def _port(name: str, array: Array) -> onnx.ValueInfoProto:
    kind = numpy_helper.from_array(np.asarray(array)).data_type
    return onnx.helper.make_tensor_value_info(name, kind, array.shape)


def _drop_unused(model: onnx.ModelProto) -> None:
    """Remove constants that no node reads any more."""
    graph = model.graph
    read = {name for node in graph.node for name in node.input}
    read |= {item.name for item in graph.output}
    used = [item for item in graph.initializer if item.name in read]
    del graph.initializer[:]
    graph.initializer.extend(used)
