"""Wrap another network: uint8 NHWC frame in, uint8 NHWC frame out, inside its graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_sr.errors import ModelFileError

LEAST_OPSET = 11  # the first with Round and with Clip's bounds as inputs

if TYPE_CHECKING:
    import onnx


def wrap_network(
    model: onnx.ModelProto, *, name: str, layout: str, channels: int, peak: float
) -> onnx.ModelProto:
    """A copy of a one-input, one-output float network that takes and gives 8-bit frames.

    Args:
        layout: of the network's input and output, "nchw" or "nhwc".
        channels: 1 or 3.
        peak: the network's value for white: 1 or 255.

    Raises:
        ModelFileError: not one float input and one output, or an opset that is too old.
    """
    from onnx import TensorProto, compose, helper

    opset = max(item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
    weights = {item.name for item in model.graph.initializer}
    inputs = [item for item in model.graph.input if item.name not in weights]
    if opset < LEAST_OPSET:
        raise ModelFileError(f"{name}: is of opset {opset}; expected {LEAST_OPSET} or later")
    if len(inputs) != 1 or len(model.graph.output) != 1:
        raise ModelFileError(
            f"{name}: has {len(inputs)} inputs and {len(model.graph.output)} outputs; expected one "
            "of each"
        )
    kind = inputs[0].type.tensor_type.elem_type
    if kind not in (TensorProto.FLOAT, TensorProto.FLOAT16):
        raise ModelFileError(f"{name}: its input is not a float tensor; a rival's has to be")
    core = compose.add_prefix(model, "net/")
    graph = core.graph
    source, result = f"net/{inputs[0].name}", f"net/{model.graph.output[0].name}"
    planar = layout == "nchw"
    before = [
        helper.make_node("Transpose", ["frame"], ["frame_turned"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["frame_turned" if planar else "frame"], ["frame_float"], to=kind),
        helper.make_node("Mul", ["frame_float", "to_range"], [source]),
    ]
    after = [
        helper.make_node("Mul", [result, "to_levels"], ["levels"]),
        helper.make_node("Clip", ["levels", "level_0", "level_255"], ["levels_cut"]),
        helper.make_node("Round", ["levels_cut"], ["levels_whole"]),
        helper.make_node(
            "Cast", ["levels_whole"], ["bytes" if planar else "upscaled"], to=TensorProto.UINT8
        ),
        helper.make_node("Transpose", ["bytes"], ["upscaled"], perm=[0, 2, 3, 1]),
    ]
    nodes = [*before[0 if planar else 1 :], *graph.node, *after[: None if planar else -1]]
    constants = {"to_range": peak / 255, "to_levels": 255 / peak, "level_0": 0, "level_255": 255}
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend(nodes)
    for key, value in constants.items():
        graph.initializer.append(helper.make_tensor(key, kind, [], [value]))
    for tensors, name_of, sides in (
        (graph.input, "frame", ("height", "width")),
        (graph.output, "upscaled", ("upscaled_height", "upscaled_width")),
    ):
        tensors.append(
            helper.make_tensor_value_info(name_of, TensorProto.UINT8, [1, *sides, channels])
        )
    return core
