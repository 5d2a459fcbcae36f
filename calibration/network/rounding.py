"""What half precision does to the numbers, computed on a CPU as a GPU stores them.

ONNX Runtime's CPU provider computes a float16 file in float32 and leaves the roundings in between
out: (2048.3 - 2048) comes out as 0.3, where a GPU gives 0. So the loss is measured on the float32
graph with every tensor passed through float16 and back.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from calibration.network.half import KEPT_INPUTS, float_tensors, size_nodes

EXACT = ("Identity", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Slice", "DepthToSpace")


def rounded(model: onnx.ModelProto, *, keep: Collection[str] = ()) -> onnx.ModelProto:
    """The float32 graph that gives what ``half.to_half(model, keep=keep)`` gives on a GPU."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    rounder = _Rounder(copy, set(keep) | size_nodes(model), float_tensors(model))
    nodes = list(copy.graph.node)
    for node in nodes:
        rounder.convert(node)
    del copy.graph.node[:], copy.graph.value_info[:]
    copy.graph.node.extend(rounder.nodes)
    return copy


class _Rounder:
    def __init__(self, model: onnx.ModelProto, single: set[str], floats: set[str]) -> None:
        self.graph = model.graph
        self.single = single
        self.floats = floats
        self.weights = {item.name: item for item in model.graph.initializer}
        self.nodes: list[onnx.NodeProto] = []
        self.halves: dict[str, str] = {}  # tensor -> the name of its rounded form
        self.unrounded = {
            item.name
            for item in model.graph.input
            if item.type.tensor_type.elem_type == TensorProto.FLOAT
        }

    def convert(self, node: onnx.NodeProto) -> None:
        single = node.name in self.single
        if not single and node.op_type not in ("Shape", "Size"):
            for index, name in enumerate(node.input):
                if index not in KEPT_INPUTS.get(node.op_type, ()):
                    node.input[index] = self._half(name)
        self.nodes.append(node)
        for index, name in enumerate(node.output):
            if name not in self.floats:
                continue
            if single:
                self.unrounded.add(name)
            elif node.op_type not in EXACT:
                node.output[index] = f"{name}_exact"
                self._round(f"{name}_exact", name)

    def _half(self, name: str) -> str:
        if name in self.halves:
            return self.halves[name]
        if name in self.weights and self.weights[name].data_type == TensorProto.FLOAT:
            value = numpy_helper.to_array(self.weights[name])
            with np.errstate(over="ignore"):
                half = value.astype(np.float16).astype(np.float32)
            self.graph.initializer.append(numpy_helper.from_array(half, f"{name}_rounded"))
        elif name in self.unrounded:
            self._round(name, f"{name}_rounded")
        else:
            return name
        self.halves[name] = f"{name}_rounded"
        return self.halves[name]

    def _round(self, source: str, result: str) -> None:
        half = f"{source}_half"
        self.nodes.append(helper.make_node("Cast", [source], [half], to=TensorProto.FLOAT16))
        self.nodes.append(helper.make_node("Cast", [half], [result], to=TensorProto.FLOAT))
