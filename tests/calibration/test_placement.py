"""Where Q/DQ pairs go: every rule asserted on written files, and the check itself is not blind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from calibration.network.load import fold_batch_norm, load_network
from calibration.network.session import open_session, run
from calibration.quantize.check_rules import broken_rules, int8_layers
from calibration.quantize.placement import (
    anchors,
    concat_groups,
    last_layers,
    quantisable,
    residuals,
    weighted_layers,
)
from calibration.quantize.qdq import Plan, quantise, quantise_weight
from tests.calibration.networks import Builder, external_model, luma_model

INNER = {"stem", "body0", "body1", "body2"}


def plan_for(model: onnx.ModelProto, layers: set[str]) -> Plan:
    return Plan(frozenset(layers), dict.fromkeys(quantisable(model), 2.0))


def test_layers_are_distinguished() -> None:
    model = luma_model()
    assert [layer.name for layer in weighted_layers(model)] == [
        "stem", "body0", "body1", "body2", "head", "anchor",
    ]  # fmt: skip
    assert last_layers(model) == {"head", "anchor"}
    assert anchors(model) == {"anchor"}


def test_only_the_identity_of_a_residual_addition_is_quantised() -> None:
    model = luma_model()
    [residual] = residuals(model, INNER)
    assert (residual.name, residual.tensor) == ("skip", "stem_relu")
    assert residuals(model, INNER - {"body1"}) == []  # the branch is float: nothing to fuse
    written = quantise(model, plan_for(model, INNER))
    add = next(node for node in written.graph.node if node.name == "skip")
    assert sorted(add.input) == ["body1", "stem_relu_dq"]


def test_the_image_is_never_an_identity() -> None:
    model = external_model()
    layers = {layer.name for layer in weighted_layers(model)}
    assert residuals(model, layers) == []


def test_a_branch_may_be_rearranged_on_its_way_to_the_addition() -> None:
    b = Builder()
    stem = b.relu(b.conv("stem", "x", (8, 3, 3, 3)))
    weight = b.constant("up_w", b.rng.normal(0, 0.2, (8, 3, 2, 2)))
    identity = b.relu(b.add("ConvTranspose", "up", [stem, weight], strides=[2, 2]))
    branch = b.add("DepthToSpace", "shuffled", [b.conv("wide", stem, (12, 8, 3, 3))], blocksize=2)
    b.add("Add", "y", [identity, branch])
    tensors = [(name, TensorProto.FLOAT, [1, 3, f"{name}h", f"{name}w"]) for name in "xy"]
    [residual] = residuals(b.model(tensors), {"stem", "up", "wide"})
    assert (residual.index, residual.tensor) == (0, "up_relu")


@pytest.mark.parametrize("more", [0, 1, 2])
@pytest.mark.parametrize("where", ["wide", "shuffled"])
def test_a_branch_that_others_read_too_does_not_fuse(where: str, more: int) -> None:
    b = Builder()
    stem = b.relu(b.conv("stem", "x", (8, 3, 3, 3)))
    wide = b.conv("wide", stem, (12, 8, 3, 3))
    shuffled = b.add("DepthToSpace", "shuffled", [wide], blocksize=2)
    identity = b.relu(
        b.add("DepthToSpace", "large", [b.conv("two", stem, (12, 8, 3, 3))], blocksize=2)
    )
    b.add("Add", "y", [identity, shuffled])
    for index in range(more):
        b.add("Abs", f"other{index}", [where])
    tensors = [(name, TensorProto.FLOAT, [1, 3, f"{name}h", f"{name}w"]) for name in "xy"]
    found = residuals(b.model(tensors), {"stem", "wide", "two"})
    assert [item.tensor for item in found] == (["large_relu"] if more == 0 else [])


def test_a_branch_may_be_resized_on_its_way_to_the_addition() -> None:
    b = Builder()
    stem = b.relu(b.conv("stem", "x", (12, 3, 3, 3)))
    scales = b.constant("scales", [1, 1, 2, 2])
    branch = b.add("Resize", "large", [b.conv("thin", stem, (3, 12, 3, 3)), "", scales])
    b.add("Add", "y", [branch, b.add("DepthToSpace", "shuffled", [stem], blocksize=2)])
    tensors = [(name, TensorProto.FLOAT, [1, 3, f"{name}h", f"{name}w"]) for name in "xy"]
    [residual] = residuals(b.model(tensors), {"stem", "thin"})
    assert (residual.index, residual.tensor) == (1, "shuffled")


def test_an_addition_of_no_branch_hides_none_behind_it() -> None:
    b = Builder()
    stem = b.relu(b.conv("stem", "x", (3, 3, 3, 3)))
    twice = b.add("Add", "twice", [stem, stem])
    b.add("Add", "y", [b.conv("branch", twice, (3, 3, 3, 3)), twice])
    tensors = [(name, TensorProto.FLOAT, [1, 3, f"{name}h", f"{name}w"]) for name in "xy"]
    [residual] = residuals(b.model(tensors), {"stem", "branch"})
    assert (residual.name, residual.index, residual.tensor) == ("y", 1, "twice")


def test_what_has_no_constant_matrix_is_no_layer() -> None:
    b = Builder()
    square = b.add("MatMul", "square", ["x", "x"])
    scaled = b.add("Mul", "scaled", [square, b.constant("s", np.ones((4, 4)))])
    shift = b.add("Constant", "shift", [], value_float=1.0)
    shifted = b.add("Add", "shifted", [b.add("Add", "more", [scaled, shift]), "s"])
    lone = b.add("MatMul", "lone", [shifted, b.constant("v", np.ones(4))])
    summed = b.add("Add", "summed", [shifted, lone])
    stacked = b.add("MatMul", "stacked", [summed, b.constant("m", np.ones((2, 4, 4)))])
    flat = b.add("ReduceMax", "flat", [stacked], axes=[0], keepdims=0)
    b.add("Gemm", "y", [flat, b.constant("c", np.ones((7, 4)))], alpha=0.5, beta=1.0, transB=1)
    tensors = [(name, TensorProto.FLOAT, ["n", size]) for name, size in (("x", 4), ("y", 7))]
    found = [(layer.name, layer.axis) for layer in weighted_layers(b.model(tensors))]
    assert found == [("y", 0)]


def test_matrix_products_count_their_outputs_on_the_right_axis() -> None:
    b = Builder()
    x = b.add("MatMul", "first", ["x", b.constant("a", np.ones((3, 5)))])
    x = b.add("Gemm", "second", [x, b.constant("b", np.ones((5, 6)))])
    b.add("Gemm", "y", [x, b.constant("c", np.ones((7, 6)))], transB=1)
    tensors = [(name, TensorProto.FLOAT, ["n", size]) for name, size in (("x", 3), ("y", 7))]
    model = b.model(tensors)
    found = [(layer.name, layer.axis) for layer in weighted_layers(model)]
    assert found == [("first", 1), ("second", 1), ("y", 0)]
    written = quantise(model, plan_for(model, {"first", "second", "y"}))
    assert broken_rules(written) == []
    assert set(int8_layers(written)) == {"first", "second", "y"}


def test_groups_do_not_depend_on_names() -> None:
    for names in (("a", "b", "c"), ("c", "b", "a"), ("b", "c", "a")):
        b = Builder()
        first = b.add("Relu", names[0], ["x"])
        inner = b.add("Concat", names[1], [first, first], axis=1)
        outer = b.add("Concat", names[2], [inner, first], axis=1)
        b.conv("y", outer, (3, 9, 3, 3))
        tensors = [(name, TensorProto.FLOAT, [1, 3, f"{name}h", f"{name}w"]) for name in "xy"]
        groups = concat_groups(b.model(tensors), {outer})
        assert set(groups) == set(names)
        assert len(set(groups.values())) == 1


def test_a_concatenation_and_its_inputs_share_one_scale() -> None:
    model = external_model()
    groups = concat_groups(model, quantisable(model))
    assert len({groups[name] for name in ("first_relu", "second_relu", "both")}) == 1
    clips = dict.fromkeys(quantisable(model), 1.0) | {"second_relu": 3.0}
    written = quantise(model, Plan(frozenset({"first", "second", "third"}), clips))
    constants = {item.name: numpy_helper.to_array(item) for item in written.graph.initializer}
    scales = {
        float(constants[node.input[1]])
        for node in written.graph.node
        if node.op_type == "QuantizeLinear" and node.input[0] != "x"
    }
    assert scales == {float(np.float16(3.0 / 127))}
    assert broken_rules(written) == []


@pytest.mark.parametrize("make", [luma_model, external_model])
def test_written_files_keep_every_rule(make: object) -> None:
    model = make()  # type: ignore[operator]
    every = {layer.name for layer in weighted_layers(model)}
    for layers in (every, every - last_layers(model), set(sorted(every)[:1])):
        written = quantise(model, plan_for(model, layers))
        assert broken_rules(written) == []
        assert set(int8_layers(written)) == layers


def test_the_check_sees_what_is_wrong() -> None:
    def broken_by(change: object) -> list[str]:
        model = quantise(luma_model(), plan_for(luma_model(), INNER))
        change(model.graph)  # type: ignore[operator]
        return broken_rules(model)

    def weight(graph: onnx.GraphProto, name: str) -> onnx.TensorProto:
        return next(item for item in graph.initializer if item.name == name)

    def zero_point(graph: onnx.GraphProto) -> None:
        weight(graph, "int8_0").CopyFrom(numpy_helper.from_array(np.array(3, np.int8), "int8_0"))

    def scale(graph: onnx.GraphProto) -> None:
        old = weight(graph, "stem_relu_scale")
        old.CopyFrom(numpy_helper.from_array(np.array(0, np.float32), old.name))

    def both_sides(graph: onnx.GraphProto) -> None:
        add = next(node for node in graph.node if node.name == "skip")
        add.input[:] = ["stem_relu_dq", "body0_relu_dq"]

    def half_done(graph: onnx.GraphProto) -> None:
        next(node for node in graph.node if node.name == "body0").input[0] = "stem_relu"

    def relu(graph: onnx.GraphProto) -> None:
        next(node for node in graph.node if node.name == "body2_relu").input[0] = "skip_dq"

    def output(graph: onnx.GraphProto) -> None:
        graph.output[0].name = "skip_dq"

    expected = {
        zero_point: "zero point is int8 3",
        scale: "scale is not positive",
        both_sides: "skip: both sides are quantised",
        half_done: "body0: only one of activation and weight",
        relu: "a Relu reads a quantised tensor",
        output: "output skip_dq is quantised",
    }
    for change, message in expected.items():
        assert any(message in line for line in broken_by(change)), message


def test_weights_are_quantised_per_output_channel_also_transposed() -> None:
    rng = np.random.default_rng(0)
    for axis, shape in ((0, (5, 3, 3, 3)), (1, (3, 5, 2, 2))):
        weight = rng.normal(0, 1, shape).astype(np.float32)
        weight[(slice(None),) * axis + (2,)] = 0
        levels, scales = quantise_weight(weight, axis)
        assert levels.dtype == np.int8
        assert scales.shape == (5,)
        assert (scales > 0).all()
        assert np.array_equal(scales, scales.astype(np.float16).astype(np.float32))
        back = levels * scales.reshape([-1 if i == axis else 1 for i in range(4)])
        assert np.abs(back - weight).max() <= 0.51 * scales.max()


def test_a_transposed_convolution_gets_its_scales_on_axis_1() -> None:
    b = Builder()
    x = b.relu(b.conv("first", "x", (8, 3, 3, 3)))
    weight = b.constant("up_w", b.rng.normal(0, 0.2, (8, 3, 2, 2)))
    b.add("ConvTranspose", "y", [x, weight], strides=[2, 2])
    tensors = [(name, TensorProto.FLOAT, [1, 3, f"{name}h", f"{name}w"]) for name in "xy"]
    written = quantise(
        b.model(tensors), Plan(frozenset({"first", "y"}), {"x": 1.0, "first_relu": 2.0})
    )
    assert broken_rules(written) == []
    pair = next(node for node in written.graph.node if node.output[0] == "y_weight_dq")
    assert helper.get_node_attr_value(pair, "axis") == 1


def test_bias_corrections_are_added_to_float_biases() -> None:
    model = luma_model()
    shift = np.full(8, 0.25, np.float32)
    plan = Plan(frozenset({"body0"}), {"stem_relu": 2.0}, bias_shifts={"body0": shift})
    before = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    after = {item.name: item for item in quantise(model, plan).graph.initializer}
    corrected = after["body0_bias_corrected"]
    assert corrected.data_type == TensorProto.FLOAT
    assert np.allclose(numpy_helper.to_array(corrected), before["body0_b"] + 0.25)


def test_batch_norms_are_folded_before_anything_else(tmp_path: Path) -> None:
    b = Builder()
    x = b.conv("first", "x", (4, 3, 3, 3))
    figures = [
        b.constant(name, b.rng.uniform(0.5, 2, 4)) for name in ("gamma", "beta", "mean", "variance")
    ]
    x = b.relu(b.add("BatchNormalization", "norm", [x, *figures]))
    x = b.conv("tail", x, (12, 4, 3, 3))
    b.add("DepthToSpace", "y", [x], blocksize=2)
    tensors = [(name, TensorProto.FLOAT, [1, 3, f"{name}h", f"{name}w"]) for name in "xy"]
    model = b.model(tensors)
    batch = b.rng.uniform(0, 1, (1, 3, 12, 16)).astype(np.float32)
    expected = run(open_session(model), batch)[0]
    fold_batch_norm(model)
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    assert np.allclose(run(open_session(model), batch)[0], expected, atol=1e-5)
    onnx.save(model, tmp_path / "folded.onnx")
    load_network(tmp_path / "folded.onnx", input_range="0..1", output_range="0..1")
