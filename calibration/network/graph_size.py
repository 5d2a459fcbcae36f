"""The input size of a network's ONNX graph, and the work that it makes at one."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import shape_inference


def count_parameters(model: onnx.ModelProto) -> int:
    """Float numbers that the file holds."""
    return sum(
        int(np.prod(item.dims))
        for item in model.graph.initializer
        if item.data_type == onnx.TensorProto.FLOAT
    )


def count_macs(
    core: onnx.ModelProto, height: int, width: int, *, axes: tuple[int, int] = (2, 3)
) -> int:
    """Multiply-accumulates of the convolutions and matrix products for one input.

    Layers whose size cannot be inferred from the file are left out.

    Args:
        axes: of the input, rows and columns.
    """
    return sum(layer_macs(core, height, width, axes=axes).values())


def layer_macs(
    core: onnx.ModelProto, height: int, width: int, *, axes: tuple[int, int] = (2, 3)
) -> dict[str, int]:
    """The same of each layer, by its result's name; its weight may be quantised."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(core)
    set_size(fixed, height, width, axes=axes)
    inferred = shape_inference.infer_shapes(fixed, data_prop=True)
    shapes = {
        item.name: [dim.dim_value for dim in item.type.tensor_type.shape.dim]
        for item in (*inferred.graph.value_info, *inferred.graph.output, *inferred.graph.input)
    }
    weights = {item.name: list(item.dims) for item in inferred.graph.initializer}
    for node in inferred.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in weights:
            weights[node.output[0]] = weights[node.input[0]]
    found = {}
    for node in inferred.graph.node:
        kernel = weights.get(node.input[1]) if len(node.input) > 1 else None
        if kernel is None:
            continue
        if node.op_type == "Conv":
            work = int(np.prod(kernel[1:])) * int(np.prod(shapes.get(node.output[0], 0)))
        elif node.op_type == "ConvTranspose":
            work = int(np.prod(kernel[1:])) * int(np.prod(shapes.get(node.input[0], 0)))
        elif node.op_type in ("MatMul", "Gemm"):
            work = int(np.prod(kernel)) * int(np.prod(shapes.get(node.output[0], [0, 0])[:-1]))
        else:
            continue
        found[node.output[0]] = work
    return found


def set_size(
    core: onnx.ModelProto,
    height: int | None,
    width: int | None,
    *,
    axes: tuple[int, int] = (2, 3),
) -> None:
    """Give the core's input this size, or free it (None); shapes in between are forgotten."""
    dims = core.graph.input[0].type.tensor_type.shape.dim
    pairs = zip(axes, ("height", "width"), (height, width), strict=True)
    for axis, name, value in pairs:
        dim = dims[axis]
        if value is None:
            dim.dim_param = name
        else:
            dim.dim_value = value
    for axis, dim in enumerate(core.graph.output[0].type.tensor_type.shape.dim):
        if axis in axes:
            dim.Clear()
    del core.graph.value_info[:]
