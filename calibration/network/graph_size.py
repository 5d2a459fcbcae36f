"""The input size of a network's ONNX graph, and the work that it makes at one."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import shape_inference


def count_macs(core: onnx.ModelProto, height: int, width: int) -> int:
    """Multiply-accumulates of the convolutions and matrix products for one NCHW input."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(core)
    set_size(fixed, height, width)
    inferred = shape_inference.infer_shapes(fixed, data_prop=True)
    shapes = {
        item.name: [dim.dim_value for dim in item.type.tensor_type.shape.dim]
        for item in (*inferred.graph.value_info, *inferred.graph.output, *inferred.graph.input)
    }
    weights = {item.name: list(item.dims) for item in inferred.graph.initializer}
    total = 0
    for node in inferred.graph.node:
        kernel = weights.get(node.input[1]) if len(node.input) > 1 else None
        if kernel is None:
            continue
        if node.op_type == "Conv":
            total += int(np.prod(kernel[1:])) * int(np.prod(shapes[node.output[0]]))
        elif node.op_type == "ConvTranspose":
            total += int(np.prod(kernel[1:])) * int(np.prod(shapes[node.input[0]]))
        elif node.op_type in ("MatMul", "Gemm"):
            total += int(np.prod(kernel)) * int(np.prod(shapes[node.output[0]][:-1]))
    return total


def set_size(core: onnx.ModelProto, height: int | None, width: int | None) -> None:
    """Give the core's NCHW input this size, or free it (None); shapes in between are forgotten."""
    dims = core.graph.input[0].type.tensor_type.shape.dim
    for dim, name, value in zip(dims[2:], ("height", "width"), (height, width), strict=True):
        if value is None:
            dim.dim_param = name
        else:
            dim.dim_value = value
    for dim in core.graph.output[0].type.tensor_type.shape.dim[2:]:
        dim.Clear()
    del core.graph.value_info[:]
