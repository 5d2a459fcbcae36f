"""The CPU's variant: what ONNX Runtime fuses, with the numbers of the plan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper

from calibration.network.session import open_session, run
from calibration.quantize.check_rules import broken_cpu_rules, int8_layers
from calibration.quantize.cpu import cpu_plan, missing_outputs, nonnegative, quantise_for_cpu
from calibration.quantize.placement import quantisable, weighted_layers
from calibration.quantize.qdq import Plan, quantise
from tests.calibration.networks import Builder, external_model, luma_model, picture

INNER = frozenset({"stem", "body0", "body1", "body2"})
OUTPUTS = {"body1": 3.0, "body2_relu": 3.0}


def plan_for(model: onnx.ModelProto, layers: frozenset[str]) -> Plan:
    return Plan(layers, dict.fromkeys(quantisable(model), 3.0))


def fused(model: onnx.ModelProto, folder: Path) -> list[str]:
    """Operators of the graph that ONNX Runtime makes of it."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return [node.op_type for node in onnx.load(folder / "optimised.onnx").graph.node]


def test_every_int8_layer_becomes_an_integer_kernel(tmp_path: Path) -> None:
    model = luma_model()
    written = quantise_for_cpu(model, plan_for(model, INNER), OUTPUTS)
    assert int8_layers(written) == ["body0", "body1", "body2"]  # the stem reads one channel
    operators = fused(written, tmp_path)
    assert operators.count("QLinearConv") == 3
    assert operators.count("QLinearAdd") == 1
    with_int8 = quantise(model, plan_for(model, INNER))
    assert "QLinearConv" not in fused(with_int8, tmp_path)  # why there are two variants


def test_a_result_that_is_always_0_has_a_scale() -> None:
    model = luma_model()
    written = quantise_for_cpu(model, plan_for(model, INNER), OUTPUTS | {"body2_relu": 0.0})
    assert "body2" in int8_layers(written)
    assert broken_cpu_rules(written) == []


def test_the_kernels_compute_what_the_file_says() -> None:
    model = luma_model()
    written = quantise_for_cpu(model, plan_for(model, INNER), OUTPUTS)
    frame = picture(64, 80, 1, 3)[None]
    exact, defined, kernels = (
        run(open_session(item, integer=integer), frame)[0].astype(int)
        for item, integer in ((model, False), (written, False), (written, True))
    )
    assert np.abs(defined - kernels).max() <= 1
    assert 10 * np.log10(255**2 / np.mean((exact - kernels) ** 2)) > 35


def test_the_numbers_are_those_of_the_other_variant() -> None:
    model = luma_model()
    plan = plan_for(model, INNER)
    here, there = (
        {item.name: numpy_helper.to_array(item) for item in made.graph.initializer}
        for made in (quantise_for_cpu(model, plan, OUTPUTS), quantise(model, plan))
    )
    for name in ("body0_weight", "body1_weight", "body2_weight"):
        assert np.array_equal(here[f"{name}_int8"], there[f"{name}_int8"])
        assert np.array_equal(here[f"{name}_scale"], there[f"{name}_scale"])
    assert here["skip_scale"] == there["skip_scale"]  # may be negative: its zero is 128
    assert here["stem_relu_scale"] == pytest.approx(3.0 / 255)  # is not: all levels above 0
    steps = here["stem_relu_scale"] * here["body0_weight_scale"]
    assert np.allclose(here["body0_bias_int32"] * steps, there["body0_b"], atol=steps.max())


@pytest.mark.parametrize("make", [luma_model, external_model])
def test_written_files_keep_every_rule(make: object) -> None:
    model = make()  # type: ignore[operator]
    every = [layer.name for layer in weighted_layers(model)]
    for layers in (every, every[1:], every[:2], every[:1]):
        plan = plan_for(model, frozenset(layers))
        wanted = missing_outputs(model, plan)
        for count in range(len(wanted) + 1):
            outputs = dict.fromkeys(wanted[:count], 3.0)
            written = quantise_for_cpu(model, plan, outputs)
            assert broken_cpu_rules(written) == []
            assert set(int8_layers(written)) == cpu_plan(model, plan, outputs).layers


def test_a_layer_whose_result_is_not_quantised_stays_float() -> None:
    model = luma_model()
    plan = plan_for(model, INNER)
    assert missing_outputs(model, plan) == ["body1", "body2_relu"]
    assert cpu_plan(model, plan, OUTPUTS).layers == {"body0", "body1", "body2"}
    assert cpu_plan(model, plan, {"body1": 3.0}).layers == {"body0", "body1"}
    # body1 in float leaves nobody to read body0's result in int8
    assert cpu_plan(model, plan, {"body2_relu": 3.0}).layers == {"body2"}


def test_a_layer_left_out_stays_float_between_int8_layers(tmp_path: Path) -> None:
    """ONNX Runtime quantises the weights of a convolution that stands between two pairs."""
    b = Builder()
    x = b.relu(b.conv("first", "x", (8, 3, 3, 3)))
    for name in ("a", "b", "c", "d"):
        x = b.relu(b.conv(name, x, (8, 8, 3, 3)))
    b.add("DepthToSpace", "y", [b.conv("tail", x, (12, 8, 3, 3))], blocksize=2)
    model = b.model([(name, TensorProto.FLOAT, [1, 3, f"{name}h", f"{name}w"]) for name in "xy"])
    plan = plan_for(model, frozenset("acd"))
    outputs = dict.fromkeys(missing_outputs(model, plan), 3.0)
    written = quantise_for_cpu(model, plan, outputs)
    assert int8_layers(written) == ["c", "d"]
    assert fused(written, tmp_path).count("QLinearConv") == 2


def test_a_bias_beyond_int32_keeps_its_layer_float() -> None:
    model = luma_model()
    for item in model.graph.initializer:
        if item.name == "body0_w":
            item.CopyFrom(
                numpy_helper.from_array(np.full((8, 8, 3, 3), 1e-9, np.float32), item.name)
            )
        if item.name == "body0_b":
            item.CopyFrom(numpy_helper.from_array(np.full(8, 100, np.float32), item.name))
    plan = plan_for(model, INNER)
    assert "body0" not in cpu_plan(model, plan, OUTPUTS).layers


def test_signs_are_followed_through_what_keeps_them() -> None:
    b = Builder()
    a = b.relu(b.conv("a", "x", (4, 3, 3, 3)))
    c = b.conv("c", a, (4, 4, 3, 3))
    both = b.add("Concat", "both", [a, a], axis=1)
    b.add("Concat", "mixed", [a, c], axis=1)
    b.add("Add", "sum", [a, c])
    b.add("Add", "shifted", [a, b.constant("minus", -1.0)])
    b.conv("y", both, (3, 8, 3, 3))
    model = b.model([(name, TensorProto.FLOAT, [1, 3, "h", "w"]) for name in "xy"])
    assert nonnegative(model) == {"a_relu", "both"}


def test_the_check_sees_what_is_wrong() -> None:
    def broken_by(change: object) -> list[str]:
        model = quantise_for_cpu(luma_model(), plan_for(luma_model(), INNER), OUTPUTS)
        change(model.graph)  # type: ignore[operator]
        return broken_cpu_rules(model)

    def put(graph: onnx.GraphProto, name: str, value: np.ndarray) -> None:
        item = next(item for item in graph.initializer if item.name == name)
        item.CopyFrom(numpy_helper.from_array(value, name))

    def zero_point(graph: onnx.GraphProto) -> None:
        put(graph, "uint8_128", np.array(3, np.uint8))

    def scale(graph: onnx.GraphProto) -> None:
        put(graph, "stem_relu_scale", np.array(0, np.float32))

    def bias_step(graph: onnx.GraphProto) -> None:
        put(graph, "body0_bias_scale", np.ones(8, np.float32))

    def float_bias(graph: onnx.GraphProto) -> None:
        next(node for node in graph.node if node.name == "body0").input[2] = "stem_b"

    def float_reader(graph: onnx.GraphProto) -> None:
        next(node for node in graph.node if node.name == "skip").input[0] = "body1"

    def output(graph: onnx.GraphProto) -> None:
        graph.output[0].name = "skip_dq"

    expected = {
        zero_point: "zero point is uint8 3",
        scale: "scale is not positive",
        bias_step: "body0: its bias is not in steps",
        float_bias: "body0: its bias is not int32",
        float_reader: "body1: its result is not quantised, or read in float too",
        output: "output skip_dq is quantised",
    }
    for change, message in expected.items():
        assert any(message in line for line in broken_by(change)), message
