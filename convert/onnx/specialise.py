"""Fix the sizes of a model file before TensorRT reads it: of the frame, and of the result."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
from onnx import helper, numpy_helper

from convert.command import Size
from convert.onnx.fold import fold_shapes
from edge_sr.errors import ModelFileError

CUBIC = -0.5  # Catmull-Rom
CONVOLUTIONS = ("Conv", "ConvTranspose")


def specialise(model: onnx.ModelProto, size: Size | None, target: Size | None) -> onnx.ModelProto:
    """A copy that takes frames of ``size`` only and gives results of ``target``.

    Args:
        model: with uint8 (1, H, W, C) input and output.
        size: (rows, columns); None leaves them free.
        target: (rows, columns) of the result, resized to at the end, in float and before it is
            rounded; None for the network's own.

    Raises:
        ModelFileError: its end is not one that can be resized.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    if size is not None:
        _fix(copy, size)
    if target is not None:
        _resize(copy, target)
    if size is not None:
        fold_shapes(copy)
    return copy


def free_batch(model: onnx.ModelProto) -> None:
    """Let a file of one size take any number of frames at once, (N, H, W, C).

    Whether its network treats each of them alone is not known by this.

    Args:
        model: changed in place; one that `specialise` made.
    """
    for tensor in (model.graph.input[0], model.graph.output[0]):
        tensor.type.tensor_type.shape.dim[0].dim_param = "batch"


def _fix(model: onnx.ModelProto, size: Size) -> None:
    graph = model.graph
    for dim, value in zip(graph.input[0].type.tensor_type.shape.dim[1:3], size, strict=True):
        dim.dim_value = value
    for dim in graph.output[0].type.tensor_type.shape.dim[1:3]:
        dim.Clear()
    del graph.value_info[:]


def _resize(model: onnx.ModelProto, target: Size) -> None:
    """Put a bicubic Resize before the Clip that ends every file of edge-sr."""
    graph = model.graph
    makers = {name: place for place, node in enumerate(graph.node) for name in node.output}
    name = graph.output[0].name
    while name in makers and graph.node[makers[name]].op_type != "Clip":
        name = graph.node[makers[name]].input[0]
        node = graph.node[makers[name]] if name in makers else None
        if node is None or node.op_type not in ("Clip", "Round", "Cast", *SHAPES):
            raise ModelFileError(
                "a --target needs a model file that edge-sr exported, which ends in Clip and Round"
            )
    clip = graph.node[makers[name]]
    sizes = numpy_helper.from_array(np.array([1, _channels(model), *target]), "target_sizes")
    graph.initializer.append(sizes)
    resize = helper.make_node(
        "Resize",
        [clip.input[0], "", "", "target_sizes"],
        ["target_resized"],
        name="target_resize",
        mode="cubic",
        cubic_coeff_a=CUBIC,
        coordinate_transformation_mode="half_pixel",
    )
    graph.node.insert(makers[name], resize)
    clip.input[0] = "target_resized"
    for dim in graph.output[0].type.tensor_type.shape.dim[1:3]:
        dim.Clear()
    del graph.value_info[:]


SHAPES = ("Squeeze", "Unsqueeze", "Transpose")


def _channels(model: onnx.ModelProto) -> int:
    return int(model.graph.input[0].type.tensor_type.shape.dim[3].dim_value)


def convolutions(model: onnx.ModelProto) -> Counter[str]:
    """How many convolutions the file gives each precision: what an engine of it must have."""
    kinds = {item.name: item.data_type for item in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output}
    found: Counter[str] = Counter()
    for node in model.graph.node:
        if node.op_type in CONVOLUTIONS:
            pair = [makers.get(name) for name in node.input[:2]]
            if all(item is not None and item.op_type == "DequantizeLinear" for item in pair):
                found["int8"] += 1
            elif kinds.get(node.input[1]) == onnx.TensorProto.FLOAT16:
                found["fp16"] += 1
            else:
                found["fp32"] += 1
    return found


def widen_scales(model: onnx.ModelProto) -> None:
    """Replace fp16 by float32 everywhere in an int8 file; what is int8 stays.

    Scales, and all that is not quantised, are then float32.
    """
    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    graph = model.graph
    for item in graph.initializer:
        if item.data_type == half:
            wide = numpy_helper.to_array(item).astype(np.float32)
            item.CopyFrom(numpy_helper.from_array(wide, item.name))
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name == "to" and attribute.i == half:
                attribute.i = single
            elif attribute.HasField("t") and attribute.t.data_type == half:
                wide = numpy_helper.to_array(attribute.t).astype(np.float32)
                attribute.t.CopyFrom(numpy_helper.from_array(wide, attribute.t.name))
    del graph.value_info[:]
