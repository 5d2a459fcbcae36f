"""The two ends of every model file: uint8 NHWC frames around a float NCHW core network."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from convert.onnx.graph import OPSET


class NodeWriter:
    """Builds the nodes around a core network, in the order they are asked for."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.nodes: list[onnx.NodeProto] = []

    def constant(self, name: str, value: np.ndarray) -> str:
        """An initialiser called ``name``, which is returned."""
        self.graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    def add(self, op: str, name: str, inputs: list[str], **attributes: Any) -> str:
        """One node called ``name``; its one output, of the same name, is returned."""
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name


def add_frame_io(
    core: onnx.ModelProto,
    *,
    channels: int,
    scale: Fraction,
    multiple: int,
    size: tuple[int, int] | None,
    target: tuple[int, int] | None = None,
    value_range: tuple[float, float] = (255.0, 0.0),
    opset: int = OPSET,
) -> onnx.ModelProto:
    """Wrap a float NCHW core into the file contract: uint8 NHWC ``frame`` in, ``upscaled`` out.

    Args:
        channels: of the frame, 1 or 3.
        multiple: the core takes sides that are multiples of this; frames are padded with copies
            of their last row and column, and the result is cropped.
        size: (rows, columns) if the file takes one size, else None.
        target: (rows, columns) of the result where it is not floor(size * scale).
        value_range: (levels, offset): the core's value for a grey level g is
            ``g / 255 * levels + offset``.
        opset: that the core is written in, 13 or later.
    """
    levels, offset = value_range
    graph = onnx.GraphProto()
    graph.CopyFrom(core.graph)
    source, result = graph.input[0].name, graph.output[0].name
    before, after = NodeWriter(graph), NodeWriter(graph)
    x = before.add("Cast", "frame_float", ["frame"], to=TensorProto.FLOAT)
    x = _to_nchw(before, x, channels)
    padded = size is None or any(side % multiple for side in size)
    rows_columns = ""
    if padded and multiple > 1:
        if size is None:
            shape = before.add("Shape", "frame_shape", [x])
            start, end = (
                before.constant(name, np.array([value], np.int64))
                for name, value in (("side_first", 2), ("side_end", 4))
            )
            rows_columns = before.add("Slice", "frame_sides", [shape, start, end])
        else:
            rows_columns = before.constant("frame_sides", np.array(size, np.int64))
        x = _pad(before, x, rows_columns, multiple, size)
    if (levels, offset) != (255.0, 0.0):
        factor = before.constant("range_factor", np.array(levels / 255, np.float32))
        shift = before.constant("range_offset", np.array(offset, np.float32))
        x = before.add("Mul", "range_scaled", [x, factor])
        x = before.add("Add", "range_shifted", [x, shift])
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name == source:
                node.input[index] = x
    y = result
    if (levels, offset) != (255.0, 0.0):
        y = after.add("Sub", "levels_shifted", [y, "range_offset"])
        y = after.add("Div", "levels_scaled", [y, "range_factor"])
    if padded and multiple > 1:
        y = _crop(after, y, rows_columns, scale, size)
    low, high = (after.constant(f"level_{v}", np.array(v, np.float32)) for v in (0, 255))
    y = after.add("Clip", "clipped", [y, low, high])
    y = after.add("Round", "rounded", [y])
    y = _to_nhwc(after, y, channels)
    after.add("Cast", "upscaled", [y], to=TensorProto.UINT8)

    rows, columns = size or ("height", "width")
    if size is None:
        sides: tuple[Any, ...] = ("upscaled_height", "upscaled_width")
    else:
        sides = target or tuple(int(side * scale) for side in size)
    nodes = [*before.nodes, *graph.node, *after.nodes]
    tensors = (
        [helper.make_tensor_value_info("frame", TensorProto.UINT8, [1, rows, columns, channels])],
        [helper.make_tensor_value_info("upscaled", TensorProto.UINT8, [1, *sides, channels])],
    )
    wrapped = helper.make_model(
        helper.make_graph(nodes, "edge_sr", *tensors, list(graph.initializer)),
        opset_imports=[helper.make_opsetid("", opset)],
        producer_name="edge-sr",
        ir_version=8,
    )
    onnx.checker.check_model(wrapped, full_check=True)
    return wrapped


def _to_nchw(writer: NodeWriter, x: str, channels: int) -> str:
    if channels != 1:
        return writer.add("Transpose", "frame_nchw", [x], perm=[0, 3, 1, 2])
    last = writer.constant("axis_last", np.array([3], np.int64))
    writer.constant("axis_channel", np.array([1], np.int64))
    flat = writer.add("Squeeze", "frame_flat", [x, last])  # free, unlike a transpose
    return writer.add("Unsqueeze", "frame_nchw", [flat, "axis_channel"])


def _to_nhwc(writer: NodeWriter, y: str, channels: int) -> str:
    if channels != 1:
        return writer.add("Transpose", "upscaled_nhwc", [y], perm=[0, 2, 3, 1])
    flat = writer.add("Squeeze", "upscaled_flat", [y, "axis_channel"])
    return writer.add("Unsqueeze", "upscaled_nhwc", [flat, "axis_last"])


def _pad(
    writer: NodeWriter, x: str, rows_columns: str, multiple: int, size: tuple[int, int] | None
) -> str:
    """Replicate the last row and column until both sides are multiples of ``multiple``."""
    if size is not None:
        missing = [-side % multiple for side in size]
        pads = writer.constant("pads", np.array([0, 0, 0, 0, 0, 0, *missing], np.int64))
    else:
        # not Mod of the negative side: TensorRT's shape analysis takes that for a negative size
        step = writer.constant("size_multiple", np.array(multiple, np.int64))
        almost = writer.constant("size_multiple_less_1", np.array(multiple - 1, np.int64))
        raised = writer.add("Add", "sides_raised", [rows_columns, almost])
        steps = writer.add("Div", "sides_in_steps", [raised, step])
        whole = writer.add("Mul", "sides_whole", [steps, step])
        missing_now = writer.add("Sub", "sides_missing", [whole, rows_columns])
        zeros = writer.constant("pads_zero", np.zeros(6, np.int64))
        pads = writer.add("Concat", "pads", [zeros, missing_now], axis=0)
    return writer.add("Pad", "frame_padded", [x, pads], mode="edge")


def _crop(
    writer: NodeWriter, y: str, rows_columns: str, scale: Fraction, size: tuple[int, int] | None
) -> str:
    """Keep floor(side * scale) rows and columns."""
    if size is not None:
        sides = writer.constant("crop_end", np.array([int(s * scale) for s in size], np.int64))
    else:
        up = writer.constant("scale_up", np.array(scale.numerator, np.int64))
        sides = writer.add("Mul", "crop_end", [rows_columns, up])
        if scale.denominator > 1:
            down = writer.constant("scale_down", np.array(scale.denominator, np.int64))
            sides = writer.add("Div", "crop_end_whole", [sides, down])
    zero = writer.constant("crop_start", np.zeros(2, np.int64))
    axes = writer.constant("crop_axes", np.array([2, 3], np.int64))
    return writer.add("Slice", "cropped", [y, zero, sides, axes])
