"""Compares an ONNX file with the table of what TensorRT's parser takes, operators.toml."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, numpy_helper

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DATA: dict[str, Any] = tomllib.loads(Path(__file__).with_name("operators.toml").read_text())
VERSIONS = ("10.3", "10.16")
# fmt: off
NAMES = {
    TensorProto.FLOAT: "FP32", TensorProto.FLOAT16: "FP16", TensorProto.INT8: "INT8",
    TensorProto.INT32: "INT32", TensorProto.INT64: "INT64", TensorProto.UINT8: "UINT8",
    TensorProto.BOOL: "BOOL",
}
# fmt: on


def complaints(model: onnx.ModelProto, version: str) -> list[str]:
    """What of a file is not in the table of a version, one line each."""
    low, high = DATA[version]["opsets"]
    found = [
        f"opset is {item.version}; {version} takes {low} to {high}"
        for item in model.opset_import
        if item.domain == "" and not low <= item.version <= high
    ]
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    tensors = (*graph.input, *graph.value_info, *graph.output)
    kinds = {item.name: item.type.tensor_type.elem_type for item in tensors}
    kinds |= {item.name: item.data_type for item in graph.initializer}
    known = {item.name: item for item in graph.initializer}
    outside = {item.name for item in (*graph.input, *graph.output)}
    for node in graph.node:
        lines = [*_types(node, version, kinds, outside), *_attributes(node)]
        lines += _constants(node, known)
        found += [f"{node.op_type} {node.name}: {line}" for line in lines]
    return found


def _types(
    node: onnx.NodeProto, version: str, kinds: dict[str, int], outside: set[str]
) -> Iterator[str]:
    types = DATA["10.3"]["types"] | DATA[version].get("types", {})
    if node.domain or node.op_type not in types:
        yield "is not in the table; look it up in docs/operators.md of onnx-tensorrt"
        return
    kind = NAMES.get(kinds.get(node.input[0], 0), "of an unknown type")
    if kind not in types[node.op_type].split():
        yield f"its input is {kind}; {version} takes {types[node.op_type]}"
    for name in (*node.input, *node.output):
        # uint8 is for inputs and outputs of a network alone
        if kinds.get(name) == TensorProto.UINT8 and name not in outside:
            yield f"{name} is uint8 inside the network"


def _attributes(node: onnx.NodeProto) -> Iterator[str]:
    taken = DATA["attributes"].get(node.op_type, {})
    for item in node.attribute:
        value = onnx.helper.get_attribute_value(item)
        value = value.decode() if isinstance(value, bytes) else value
        if item.name not in taken:
            yield f"attribute {item.name} is not in the table"
        elif taken[item.name] and value not in taken[item.name]:
            yield f"{item.name} is {value!r}; expected one of {taken[item.name]}"


def _constants(node: onnx.NodeProto, known: dict[str, TensorProto]) -> Iterator[str]:
    given = dict(enumerate(node.input))
    for place in DATA["constants"].get(node.op_type, ()):
        if given.get(place) and given[place] not in known:
            yield f"input {place} is not a constant"
    for place in DATA["zeros"].get(node.op_type, ()):
        if given.get(place) in known and numpy_helper.to_array(known[given[place]]).any():
            yield f"input {place} is not 0"
