"""Frame I/O of every model file: uint8 NHWC frames in and out of a core network."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from convert.onnx.graph import OPSET
from convert.probe.geometry import Geometry
from edge_sr.model.value_range import RANGES, ValueRange


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
    geometry: Geometry,
    target: tuple[int, int] | None = None,
    input_range: ValueRange = RANGES["0..255"],
    output_range: ValueRange | None = None,
    layouts: tuple[str, str] = ("nchw", "nchw"),
    opset: int = OPSET,
) -> onnx.ModelProto:
    """Give a network the file contract: uint8 NHWC ``frame`` in, ``upscaled`` out.

    Args:
        core: one 4-D input and output, each float32 or uint8.
        channels: of the frame, 1 or 3.
        geometry: how frames are padded before, and cut behind, the core; padding repeats the
            border.
        target: (rows, columns) of the result where it is not floor(size * scale).
        input_range: what black and white are to the core's input.
        output_range: the same of its output; None: as the input.
        layouts: of the core's input and output, "nchw" or "nhwc".
        opset: that the core is written in, 13 or later.
    """
    output_range = output_range or input_range
    scale, size = geometry.scale, geometry.size
    graph = onnx.GraphProto()
    graph.CopyFrom(core.graph)
    source, result = graph.input[0], graph.output[0]
    before, after = NodeWriter(graph), NodeWriter(graph)
    x = before.add("Cast", "frame_float", ["frame"], to=TensorProto.FLOAT)
    x = _to_nchw(before, x, channels)
    fits = size is not None and not any(sum(pads) for pads in geometry.padding(*size))
    padded = not fits and (geometry.multiple > 1 or geometry.margin != (0, 0))
    cut = padded or geometry.crop != (0, 0)
    rows_columns = ""
    if cut:
        if size is None:
            shape = before.add("Shape", "frame_shape", [x])
            start, end = (
                before.constant(name, np.array([value], np.int64))
                for name, value in (("side_first", 2), ("side_end", 4))
            )
            rows_columns = before.add("Slice", "frame_sides", [shape, start, end])
        else:
            rows_columns = before.constant("frame_sides", np.array(size, np.int64))
    if padded:
        x = _pad(before, x, rows_columns, geometry)
    x = _scale(before, x, input_range)
    if source.type.tensor_type.elem_type == TensorProto.UINT8:
        x = before.add("Cast", "frame_bytes", [x], to=TensorProto.UINT8)
    if layouts[0] == "nhwc":
        x = before.add("Transpose", "frame_nhwc", [x], perm=[0, 2, 3, 1])
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name == source.name:
                node.input[index] = x
    y = result.name
    if layouts[1] == "nhwc":
        y = after.add("Transpose", "result_nchw", [y], perm=[0, 3, 1, 2])
    if result.type.tensor_type.elem_type == TensorProto.UINT8:
        y = after.add("Cast", "result_float", [y], to=TensorProto.FLOAT)
    y = _unscale(after, y, output_range, same=output_range == input_range)
    if cut:
        y = _crop(after, y, rows_columns, geometry)
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


def _scale(writer: NodeWriter, x: str, values: ValueRange) -> str:
    """Grey levels -> the core's own values."""
    if values == RANGES["0..255"]:
        return x
    factor = writer.constant("range_factor", np.array(values.levels / 255, np.float32))
    x = writer.add("Mul", "range_scaled", [x, factor])
    if not values.offset:
        return x
    shift = writer.constant("range_offset", np.array(values.offset, np.float32))
    return writer.add("Add", "range_shifted", [x, shift])


def _unscale(writer: NodeWriter, y: str, values: ValueRange, *, same: bool) -> str:
    """The core's own values -> grey levels."""
    if values == RANGES["0..255"]:
        return y
    if values.offset:
        shift = "range_offset"
        if not same:
            shift = writer.constant("result_offset", np.array(values.offset, np.float32))
        y = writer.add("Sub", "levels_shifted", [y, shift])
    factor = writer.constant("result_factor", np.array(255 / values.levels, np.float32))
    return writer.add("Mul", "levels_scaled", [y, factor])


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


def _pad(writer: NodeWriter, x: str, rows_columns: str, geometry: Geometry) -> str:
    """Repeat the border: the margin on all sides, and behind it up to the size multiple."""
    (top, left), multiple = geometry.margin, geometry.multiple
    if geometry.size is not None or multiple == 1:
        (_, bottom), (_, right) = geometry.padding(*(geometry.size or (0, 0)))
        sides = [0, 0, top, left, 0, 0, bottom, right]
        pads = writer.constant("pads", np.array(sides, np.int64))
        return writer.add("Pad", "frame_padded", [x, pads], mode="edge")
    # not Mod of the negative side: TensorRT's shape analysis takes that for a negative size
    step = writer.constant("size_multiple", np.array(multiple, np.int64))
    plain = geometry.margin == (0, 0)
    more = np.array(multiple - 1 if plain else [2 * m + multiple - 1 for m in (top, left)])
    almost = writer.constant("size_multiple_less_1", more.astype(np.int64))
    raised = writer.add("Add", "sides_raised", [rows_columns, almost])
    steps = writer.add("Div", "sides_in_steps", [raised, step])
    whole = writer.add("Mul", "sides_whole", [steps, step])
    missing = writer.add("Sub", "sides_missing", [whole, rows_columns])
    if not plain:
        margin = writer.constant("pads_margin", np.array([top, left], np.int64))
        missing = writer.add("Sub", "sides_behind", [missing, margin])
    first = writer.constant("pads_zero", np.array([0, 0, top, left, 0, 0], np.int64))
    pads = writer.add("Concat", "pads", [first, missing], axis=0)
    return writer.add("Pad", "frame_padded", [x, pads], mode="edge")


def _crop(writer: NodeWriter, y: str, rows_columns: str, geometry: Geometry) -> str:
    """Keep floor(side * scale) rows and columns, from the crop's first on."""
    scale, start = geometry.scale, geometry.crop
    if geometry.size is not None:
        kept = [int(s * scale) + c for s, c in zip(geometry.size, start, strict=True)]
        sides = writer.constant("crop_end", np.array(kept, np.int64))
    else:
        up = writer.constant("scale_up", np.array(scale.numerator, np.int64))
        sides = writer.add("Mul", "crop_end", [rows_columns, up])
        if scale.denominator > 1:
            down = writer.constant("scale_down", np.array(scale.denominator, np.int64))
            sides = writer.add("Div", "crop_end_whole", [sides, down])
        if start != (0, 0):
            more = writer.constant("crop_more", np.array(start, np.int64))
            sides = writer.add("Add", "crop_end_shifted", [sides, more])
    first = writer.constant("crop_start", np.array(start, np.int64))
    axes = writer.constant("crop_axes", np.array([2, 3], np.int64))
    return writer.add("Slice", "cropped", [y, first, sides, axes])
