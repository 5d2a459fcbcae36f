"""`python -m convert.build_engine` with NVIDIA's own builder: TensorRT-RTX builds without a GPU."""

from __future__ import annotations

import itertools
from pathlib import Path

import onnx
import pytest

from convert.engine.flavours import rtx_capabilities
from edge_sr import zoo
from edge_sr.cuda import driver
from edge_sr.cuda.driver import Gpu
from edge_sr.cuda.machine import OF_RTX
from edge_sr.model.engine_facts import facts_of
from edge_sr.model.sidecar import load_sidecar
from tests.calibration.networks import external_model
from tests.convert.builds import SMALL, Build, path_of

pytestmark = pytest.mark.slow

pytest.importorskip("tensorrt_rtx", reason="pip install 'edge-sr[dev]'")


QUICK = {  # of the matrix of shipped models, what `make test` builds too
    ("edge-unet-s-x2", "fp32", "1366x768"),
    ("edge-unet-s-x1.5", "fp16", "640x360"),
    ("edge-unet-s-live-x2", "int8", "640x360"),
}
# live and vivid networks have the layers of the plain ones: one of them stands for all
NAMES = [name for name in zoo.names() if zoo.flavour_of(name) == "plain"] + ["edge-unet-s-live-x2"]
MATRIX = [
    pytest.param(*case, marks=() if case in QUICK else pytest.mark.slow)
    for case in itertools.product(
        NAMES, ("fp32", "fp16", "int8"), ("1280x720", "640x360", "1366x768")
    )
]


@pytest.mark.parametrize(("name", "precision", "size"), MATRIX)
def test_every_shipped_model_builds(name: str, precision: str, size: str, build: Build) -> None:
    code, out, err = build("--precision", precision, "--size", size, model=name)
    assert code == 0, err
    card = load_sidecar(path_of(out))
    facts = facts_of(card)
    columns, rows = (int(side) for side in size.split("x"))
    assert (card.width, card.height, card.precision) == (columns, rows, precision)
    expected = zoo.find(name)[1].output_size(columns, rows)
    assert (card.output_width, card.output_height) == expected
    assert facts.census[precision] >= (4 if precision == "int8" else 9)  # some stay fp16
    assert "fp32" not in facts.census or precision == "fp32"
    assert (facts.census_source, facts.portable) == ("network", False)
    assert facts.compute_capabilities == ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")
    assert tuple(facts.options["compute_capabilities"]) == facts.compute_capabilities  # asked for
    assert facts.options["user_allocation"]  # without it, no CUDA graph can be captured
    assert isinstance(facts.verified, str)
    assert facts.verified.startswith("skipped: ")
    assert build("--precision", precision, "--size", size, model=name)[2].count("(reused)") >= 1


@pytest.mark.parametrize(
    "precision", ["fp16", *(pytest.param(p, marks=pytest.mark.slow) for p in ("fp32", "int8"))]
)
def test_the_wide_variant_of_a_model_builds(precision: str, build: Build) -> None:
    plain = build("--precision", precision, "--size", SMALL)[1]
    code, out, err = build("--precision", precision, "--size", SMALL, "--bits", "10")
    assert code == 0, err
    assert path_of(out) != path_of(plain)
    card = load_sidecar(path_of(out))
    facts_of(card)
    assert (card.precision, card.samples, card.bits, card.pixel_bytes) == (
        precision,
        "uint8x2",
        10,
        2,
    )


def test_the_steps_are_printed_and_reused(build: Build) -> None:
    words = ["--precision", "fp16", "--size", SMALL]
    assert build(*words)[0] == 0
    code, out, err = build(*words)
    assert code == 0
    lines = err.splitlines()
    assert [line.split()[0] for line in lines] == [
        "source",
        "fp16",
        "engine",
        "layers",
        "tried",
        "next:",
    ]
    assert [line.endswith("(reused)") for line in lines] == [False, True, True, False, False, False]
    assert f"--model {path_of(out).name} --backend tensorrt" in lines[-1]


def test_output_gets_a_copy_with_its_own_sidecar(build: Build, tmp_path: Path) -> None:
    output = tmp_path / "mine.engine"
    words = ["--size", SMALL, "--output", str(output)]
    assert build(*words)[0] == 0
    card = load_sidecar(output)
    assert card.name == "mine"
    assert facts_of(card).onnx_sha256 == card.made_from_sha256
    assert "exists; use --force" in build(*words)[2]
    assert build(*words, "--force")[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"mine.engine", "mine.engine.json"}


def test_a_target_is_resized_to_inside_the_engine(build: Build) -> None:
    code, out, _ = build("--size", "96x54", "--target", "144x81", model="edge-unet-s-x2")
    assert code == 0
    card = load_sidecar(path_of(out))
    assert (card.output_width, card.output_height, card.scale) == (144, 81, "3/2")
    code, out, _ = build("--size", "96x54", "--target", "192x108", model="edge-unet-s-x2")
    assert "target" not in {
        node.name for node in onnx.load(zoo.FOLDER / "edge-unet-s-x2.onnx").graph.node
    }
    assert (code, load_sidecar(path_of(out)).scale) == (0, "2")
    code, _, err = build("--size", "96x54", "--target", "48x27")
    assert (code, "edge-sr only upscales" in err) == (2, True)


def test_sizes_and_compute_capabilities(build: Build) -> None:
    words = ["--sizes", "64x64,96x64,128x128", "--compute-capability", "8.9,8.6"]
    code, out, err = build(*words)
    assert code == 0, err
    facts = facts_of(load_sidecar(path_of(out)))
    assert facts.sizes == {"min": (64, 64), "opt": (64, 96), "max": (128, 128)}
    assert (facts.compute_capabilities, facts.portable) == (("8.6", "8.9"), False)
    code, _, err = build("--size", SMALL, "--compute-capability", "5.3")
    assert code == 1
    assert "cannot build for compute capability 5.3; expected 7.5, 8.0, 8.6" in err


def test_an_engine_for_another_gpu_is_neither_opened_nor_tried(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Gpu("NVIDIA GeForce RTX 4090", "8.9", "12.8", False)
    monkeypatch.setattr(driver, "find_gpu", lambda: (here, ""))
    code, out, err = build("--size", SMALL, "--compute-capability", "12.0")
    assert code == 0, err
    facts = facts_of(load_sidecar(path_of(out)))
    assert (facts.compute_capabilities, facts.census_source) == (("12.0",), "network")
    assert str(facts.verified).startswith("skipped: this machine's GPU cannot open TensorRT-RTX")
    assert "(reused)" in build("--size", SMALL, "--compute-capability", "12.0")[2]


@pytest.mark.slow
def test_keras_to_int8(build: Build, tiny: dict[str, Path], tmp_path: Path) -> None:
    source = str(tiny["2"])
    words = ["--precision", "int8", "--size", SMALL, "--allow-loss"]
    code, _, err = build(*words, model=source)
    assert code == 1
    assert err.count("\n") == 1  # before the export takes its time
    assert "int8 needs calibration frames: give --calibration FOLDER or VIDEO" in err
    code, out, err = build(*words, "--calibration", "own", model=source)
    assert code == 0, err
    assert [line.split()[0] for line in err.splitlines()][:3] == ["import", "frames", "int8"]
    assert facts_of(load_sidecar(path_of(out))).census["int8"] >= 1


def test_an_external_model_gets_frame_input_and_output(build: Build, tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    onnx.save(external_model(), path)
    code, out, err = build("--size", SMALL, model=str(path))
    assert code == 0, err
    assert "other.onnx: RGB NCHW, range" in err
    card = load_sidecar(path_of(out))
    assert (card.color, card.precision, card.width) == ("rgb", "fp16", 64)


def test_the_gpus_that_rtx_is_advised_for_are_those_that_it_knows() -> None:
    pytest.importorskip("tensorrt_rtx")
    assert rtx_capabilities() == OF_RTX
