"""Builders on a GPU that refuse, run out or crash, and engines that are wrong: none is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_sr.model.engine_facts import facts_of
from edge_sr.model.sidecar import load_sidecar
from tests.convert.engine.device import Device, engines, nothing_kept


@pytest.mark.slow
def test_an_engine_that_is_wider_than_its_file_is_refused(
    device: Device, build: Callable[..., Any]
) -> None:
    device.order(inspector="Float")
    code, out, err = build()
    assert (code, out) == (1, "")
    assert "the engine is not fp16: its convolutions are 12 fp32 by the inspector" in err
    assert nothing_kept()
    device.order(inspector="Half")
    code, _, err = build(precision="int8")
    assert code == 1
    assert "the engine is not int8" in err


# NVIDIA/TensorRT issue 4832, TensorRT 10.16.2.10 of JetPack 7.2 on SM 8.7, shortened where the
# issue is; then what TensorRT says when no tactic is left
NO_TACTIC = (
    "Error Code 9: Skipping tactic 0x0000000000000000 due to exception [type.cpp:186: infer_type] "
    "Could not infer output types for operation:\n291: dequantize: Dequantized "
    "input0-(f32[1,16,512,512]) | input0 reshape out_transpose_out reshape out slice_U28 "
    "out-(i8[]), MyelinPW(42188) - Input Dequantization 0 scale weightsHalf-0.35498H:(f16[]) ... "
    "No matching rules found for input operand types\nIn compileGraph at myelin/codeGenerator.cpp"
)
NOTHING = "Error Code 10: Could not find any implementation for node {ForeignNode[a...b]}."


@pytest.mark.slow
def test_int8_goes_on_with_float_scales_where_half_ones_are_refused(
    device: Device, build: Callable[..., Any]
) -> None:
    device.order(version="10.16.2.10", half_scales=[NO_TACTIC, NO_TACTIC, NOTHING, NOTHING])
    code, out, err = build(precision="int8")
    assert code == 0, err
    assert err.count("trying again with int8 and float32 scales") == 1
    facts = facts_of(load_sidecar(Path(out.partition(": ")[0])))
    assert facts.options["float_scales"] is True
    assert facts.census["int8"]


@pytest.mark.slow
def test_fp16_is_built_where_int8_is_refused_with_float_scales_as_well(
    device: Device, build: Callable[..., Any]
) -> None:
    device.order(version="10.16.2.10", half_scales=[NO_TACTIC, NOTHING], no_int8=[NOTHING])
    code, out, err = build(precision="int8")
    assert code == 0, err
    lines = [line for line in err.splitlines() if "building fp16 in its place" in line]
    assert len(lines) == 1
    assert "int8 cannot be built on this GPU: " in lines[0]
    path = Path(out.partition(": ")[0])
    assert load_sidecar(path).precision == "fp16"
    built = len(device.asked("build"))
    code, out, err = build(precision="int8")  # minutes on a Jetson: what was refused is remembered
    assert (code, Path(out.partition(": ")[0])) == (0, path)
    assert "building fp16 in its place" in err
    assert len(device.asked("build")) == built


@pytest.mark.slow
@pytest.mark.parametrize(
    "message",
    [
        "Half of the tactics failed",
        "QuantizeLinear: scale of type Half is not supported for this layer",
        NO_TACTIC.replace("(f16[])", "(f32[])"),
        NOTHING,
    ],
)
def test_another_refusal_is_not_taken_for_it(
    device: Device, build: Callable[..., Any], message: str
) -> None:
    device.order(version="10.16.2.10", half_scales=[message])
    code, _, err = build(precision="int8")
    assert code == 1
    assert "float32 scales" not in err
    assert "fp16" not in err.splitlines()[-1]


@pytest.mark.slow
def test_an_engine_that_computes_something_else_is_refused(
    device: Device, build: Callable[..., Any]
) -> None:
    device.noise = 12
    code, out, err = build()
    assert (code, out) == (1, "")
    assert "on Orin the engine does not give what ONNX Runtime gives: PSNR is" in err
    assert nothing_kept()


@pytest.mark.slow
def test_parser_errors_name_node_and_operator(device: Device, build: Callable[..., Any]) -> None:
    found = [
        {"node": "mix", "op": "Einsum", "desc": "no importer\n registered"},
        {"node": "", "op": "", "desc": "and more"},
    ]
    device.order(parser_errors=found)
    code, _, err = build()
    assert code == 1
    line = err.splitlines()[-1]
    assert "parser refuses the network: node mix (Einsum): no importer registered; and more" in line
    assert "edge-sr run --backend onnxruntime" in line
    assert device.asked("build") == []


def test_a_builder_that_gives_nothing_is_asked_for_less(
    device: Device, build: Callable[..., Any]
) -> None:
    device.order(none=2)
    code, _, err = build("--workspace", "1024")
    assert code == 0
    assert "no engine: Tactic needs 900 MiB: OutOfMemory; trying again with" in err
    assert [size // 2**20 for size in device.asked("workspace")] == [1024, 512, 256]
    assert device.asked("builder_optimization_level") == ["3", "3", "2"]


def test_when_all_tries_fail_it_says_what_to_change(
    device: Device, build: Callable[..., Any]
) -> None:
    device.order(none=99)
    code, _, err = build("--workspace", "8")
    assert code == 1
    assert "4 tries failed" in err
    assert "smaller --size" in err
    assert nothing_kept()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"),
    [("SIGKILL", "killed, which is what Linux does when memory runs out"), ("SIGABRT", "crashed")],
)
def test_a_killed_or_crashed_builder_is_reported_and_tried_again(
    device: Device, build: Callable[..., Any], name: str, words: str
) -> None:
    device.order(crash=name, crashes=1)
    code, _, err = build("--workspace", "64")
    assert code == 0
    assert words in err
    device.order(crash=name)
    code, _, err = build("--workspace", "65")
    assert code == 1
    assert words in err.splitlines()[-1]
    assert [path.suffix for path in engines()].count(".engine") == 1


def test_an_engine_that_cannot_be_opened_is_not_kept(
    device: Device, build: Callable[..., Any]
) -> None:
    device.order(unopenable=True)
    code, _, err = build()
    assert code == 1
    assert "cannot be opened where it was built" in err
    assert nothing_kept()


def test_without_a_gpu_tensorrt_is_refused_before_it_can_crash(
    device: Device, build: Callable[..., Any]
) -> None:
    device.set_gpu(None)
    code, _, err = build()
    assert code == 1
    assert err.count("\n") == 1
    assert "no CUDA driver, and TensorRT builds on the GPU that it builds for" in err


@pytest.mark.parametrize(
    ("l4t", "way"), [("35.4.1", "JetPack 5.1: update to JetPack 6.1"), ("", "pip install")]
)
def test_tensorrt_8_is_refused_with_the_way_out(
    device: Device,
    build: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    l4t: str,
    way: str,
) -> None:
    monkeypatch.setattr("convert.engine.platforms.l4t_release", lambda: l4t)
    device.order(version="8.5.2.2")
    code, _, err = build()
    assert code == 1
    assert err.count("\n") == 1
    assert "TensorRT is 8.5.2.2; expected 10.0 or later" in err
    assert way in err
