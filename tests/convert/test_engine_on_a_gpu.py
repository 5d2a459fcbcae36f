"""What needs a GPU and TensorRT 10 or 11, on doubles: a fake builder in the real child process."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convert.engine.build
import convert.engine.flavours
import convert.engine.run_child
import convert.onnx.runners
from calibration.network.session import open_session, run
from convert.build_engine import main
from convert.command import Steps
from convert.engine.prepare import BuildRequest, prepare
from convert.verify import main as verify
from edge_sr import zoo
from edge_sr.cuda import driver
from edge_sr.cuda.driver import Gpu
from edge_sr.model.engine_cache import cache_dir
from edge_sr.model.engine_facts import facts_of, seal
from edge_sr.model.sidecar import load_sidecar, write_sidecar

FAKES = Path(__file__).parents[1] / "fakes" / "builder"
ORIN = Gpu("Orin", "8.7", "12.6", True)
SIZE = "64x48"


class Device:
    """A machine with a GPU and a TensorRT that does what is asked."""

    def __init__(self, orders: Path, patch: pytest.MonkeyPatch) -> None:
        self.orders, self.patch = orders, patch
        self.noise = 0
        self.opened = 0
        self.order()
        self.set_gpu(ORIN)

    def order(self, **orders: Any) -> None:
        """What the fake TensorRT is to do from now on."""
        self.orders.write_text(json.dumps(orders))
        self.log.write_text("")
        sys.modules.pop("tensorrt", None)

    @property
    def log(self) -> Path:
        return self.orders.with_name(self.orders.name + ".log")

    def asked(self, word: str) -> list[Any]:
        """Values that were set under this word, in order."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [value for name, value in lines if name == word]

    def set_gpu(self, gpu: Gpu | None) -> None:
        found = (gpu, "" if gpu else "no CUDA driver")
        self.patch.setattr(driver, "find_gpu", lambda: found)

    def open_backend(self, path: Path, sidecar: Any, *, backend: str) -> Any:
        """The engine's double: ONNX Runtime on the file it was made from, and some noise."""
        assert backend == "tensorrt"
        self.opened += 1
        model = next(p for f in (cache_dir(), zoo.FOLDER) for p in f.rglob(sidecar.made_from))
        session, noise = open_session(str(model)), self.noise

        class Fake:
            def infer(self, frame: np.ndarray) -> np.ndarray:
                levels = run(session, frame)[0].astype(np.int16)
                return np.clip(levels + noise, 0, 255).astype(np.uint8)

            def close(self) -> None:
                pass

        return Fake()


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which the shipped model is converted already."""
    home = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home))
        for precision in ("fp16", "int8"):
            prepare(BuildRequest("edge-unet-s-x2", precision, Fraction(2), None, None), Steps())
    return home


@pytest.fixture
def device(converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    shutil.copytree(converted, tmp_path / "cache")
    orders = tmp_path / "orders.json"
    monkeypatch.setenv("FAKE_TENSORRT", str(orders))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", f"{FAKES}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.syspath_prepend(str(FAKES))
    made = Device(orders, monkeypatch)
    monkeypatch.setattr(convert.onnx.runners, "open_backend", made.open_backend)
    monkeypatch.setattr(driver, "free_mib", lambda: 4096)
    yield made  # type: ignore[misc]
    sys.modules.pop("tensorrt", None)


@pytest.fixture
def build(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def start(*words: str, precision: str = "fp16") -> tuple[int, str, str]:
        command = ["--model", "edge-unet-s-x2", "--precision", precision, "--flavour", "tensorrt"]
        size = [] if "--sizes" in words else ["--size", SIZE]
        code = main([*command, *size, *words])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return start


def engines() -> list[Path]:
    return list((cache_dir() / "engines").glob("*"))


def nothing_kept() -> bool:
    return all(path.name.endswith(".lock") for path in engines())


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("version", ["10.0.1.6", "10.16.2.10", "11.4.0.106"])
def test_the_same_path_serves_10_and_11(
    device: Device, build: Callable[..., Any], version: str, precision: str
) -> None:
    device.order(version=version)
    code, out, err = build(precision=precision)
    assert code == 0, err
    assert device.asked("typed") == [True]
    assert device.asked("flag") == []  # no FP16, no INT8: precision lives in the file
    path = Path(out.partition(": ")[0])
    facts = facts_of(load_sidecar(path))
    assert (facts.gpu, facts.compute_capabilities, facts.cuda) == ("Orin", ("8.7",), "12.6")
    assert (facts.version, facts.census_source) == (version, "inspector")
    assert facts.census[precision] >= 4
    assert facts.verified["frames"] >= 8  # type: ignore[index]
    assert "read back from the engine" in err
    code, out, err = build(precision=precision)
    assert (code, "(reused)" in err, Path(out.partition(": ")[0])) == (0, True, path)
    assert device.asked("build") == [None]


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


@pytest.mark.slow
@pytest.mark.parametrize("said", ["", "nothing that is JSON", '{"Layers": ["a name alone"]}'])
def test_an_inspector_that_says_nothing_costs_no_engine(
    device: Device, build: Callable[..., Any], said: str
) -> None:
    device.order(description=said)
    code, out, err = build()
    assert code == 0, err
    facts = facts_of(load_sidecar(Path(out.partition(": ")[0])))
    assert (facts.census_source, facts.census["fp16"] > 3) == ("network", True)


@pytest.mark.slow
def test_an_engine_for_ampere_and_later_is_tried_on_a_later_gpu(
    device: Device, build: Callable[..., Any]
) -> None:
    device.set_gpu(Gpu("NVIDIA H200", "9.0", "13.0", False))
    code, out, err = build("--hardware-compatible", "ampere-plus")
    assert code == 0, err
    facts = facts_of(load_sidecar(Path(out.partition(": ")[0])))
    assert facts.census_source == "inspector"
    assert facts.verified["gpu"] == "NVIDIA H200"  # type: ignore[index]


@pytest.mark.slow
def test_fp32_is_not_tf32(device: Device, build: Callable[..., Any]) -> None:
    """TensorRT's default computes float32 with 10 bits of mantissa."""
    assert build(precision="fp32")[0] == 0
    assert device.asked("cleared") == ["TF32"]


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
def test_an_engine_of_another_version_gpu_or_driver_is_built_again(
    device: Device, build: Callable[..., Any]
) -> None:
    assert build()[0] == 0
    for change in (
        lambda: device.order(version="10.3.0.30"),
        lambda: device.set_gpu(Gpu("AGX Orin", "8.7", "12.6", True)),
        lambda: device.set_gpu(Gpu("AGX Orin", "8.9", "12.6", True)),
        lambda: device.set_gpu(Gpu("AGX Orin", "8.9", "13.0", True)),
    ):
        device.order(version="10.3.0.30")
        change()
        code, _, err = build()
        assert (code, "(reused)" in err.partition("engine ")[2]) == (0, False)
        assert device.asked("build") == [None]
    assert len([path for path in engines() if path.suffix == ".engine"]) == 5


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


def test_options_reach_the_builder_and_the_key(device: Device, build: Callable[..., Any]) -> None:
    words = ["--version-compatible", "--hardware-compatible", "ampere-plus", "--level", "5"]
    code, out, _ = build(*words)
    assert code == 0
    assert device.asked("flag") == ["VERSION_COMPATIBLE"]
    level = device.asked("hardware_compatibility_level")
    assert level == ["HardwareCompatibilityLevel.AMPERE_PLUS"]
    facts = facts_of(load_sidecar(Path(out.partition(": ")[0])))
    assert (facts.gpu, facts.portable, facts.version_compatible) == ("", True, True)
    assert facts.options["optimization_level"] == 5


def test_dla_is_used_where_it_is_and_refused_where_it_is_not(
    device: Device, build: Callable[..., Any]
) -> None:
    code, _, err = build("--dla", "0")
    assert code == 1
    assert "this device has no DLA: leave --dla out" in err
    device.order(version="10.16.2.10")
    assert "TensorRT 10.16.2.10 has no DLA" in build("--dla", "0")[2]
    device.order(dla_cores=2)
    assert build("--dla", "1")[0] == 0
    assert device.asked("flag") == ["GPU_FALLBACK"]
    assert "DLA core 3 was asked for; this device has cores 0 to 1" in build("--dla", "3")[2]


def test_a_profile_of_sizes(device: Device, build: Callable[..., Any]) -> None:
    code, out, err = build("--sizes", "64x48,128x96,256x192")
    assert code == 0, err
    assert device.asked("profile") == [[[1, 48, 64, 1], [1, 96, 128, 1], [1, 192, 256, 1]]]
    card = load_sidecar(Path(out.partition(": ")[0]))
    assert (card.width, facts_of(card).sizes["max"]) == (None, (192, 256))


def test_timings_are_kept_for_each_device_and_version(
    device: Device, build: Callable[..., Any]
) -> None:
    assert build()[0] == 0
    assert build("--level", "4")[0] == 0
    assert device.asked("timing") == [0, 7]
    (path,) = (cache_dir() / "timing").iterdir()
    assert path.name == "10.3.0.26-Orin-8.7.cache"
    path.write_bytes(b"damaged")
    assert build("--level", "5")[0] == 0
    assert device.asked("timing") == [0, 7, 0]


def test_an_engine_from_before_the_gpu_is_tried_when_there_is_one(
    device: Device, build: Callable[..., Any]
) -> None:
    words = ["--flavour", "tensorrt"]
    assert build(*words)[0] == 0
    path = next(path for path in engines() if path.suffix == ".engine")
    card = load_sidecar(path)
    write_sidecar(path, seal(card, replace(facts_of(card), verified="skipped: no GPU")))
    opened = device.opened
    code, _, err = build(*words)
    assert (code, device.opened) == (0, opened + 1)
    assert "the cached engine was not tried on a GPU yet" in err
    assert not isinstance(facts_of(load_sidecar(path)).verified, str)


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


def test_an_engine_is_compared_with_its_file(
    device: Device, build: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    engine = Path(build()[1].partition(": ")[0])
    source = next(cache_dir().rglob("edge-unet-s-x2.fp16.onnx"))
    assert verify([str(source), str(engine), "--count", "3"]) == 0
    assert "largest difference   0 grey levels" in capsys.readouterr().out
    device.noise = 9
    assert verify([str(source), str(engine), "--count", "3"]) == 1
