"""What needs a GPU and TensorRT 10 or 11, on doubles: a fake builder in the real child process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from convert.verify import main as verify
from edge_sr.cuda.driver import Gpu
from edge_sr.model.engine_cache import cache_dir
from edge_sr.model.engine_facts import facts_of, seal
from edge_sr.model.sidecar import load_sidecar, write_sidecar
from tests.convert.engine.device import Device, engines


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


def test_an_engine_is_compared_with_its_file(
    device: Device, build: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    engine = Path(build()[1].partition(": ")[0])
    source = next(cache_dir().rglob("edge-unet-s-x2.fp16.onnx"))
    assert verify([str(source), str(engine), "--count", "3"]) == 0
    assert "largest difference   0 grey levels" in capsys.readouterr().out
    device.noise = 9
    assert verify([str(source), str(engine), "--count", "3"]) == 1
