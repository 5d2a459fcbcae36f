"""`python -m convert.build_engine` with NVIDIA's own builder: TensorRT-RTX builds without a GPU."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from convert.build_engine import main
from convert.engine.flavours import rtx_capabilities
from edge_sr import zoo
from edge_sr.cuda import driver
from edge_sr.cuda.driver import Gpu
from edge_sr.cuda.machine import OF_RTX
from edge_sr.errors import BackendError
from edge_sr.model import build_request
from edge_sr.model.build_request import cached_engine
from edge_sr.model.engine_cache import cache_dir
from edge_sr.model.engine_facts import Machine, facts_of
from edge_sr.model.sidecar import load_sidecar, sha256_of, sidecar_path, write_sidecar
from tests.calibration.networks import external_model, save_luma

pytestmark = pytest.mark.slow

trt = pytest.importorskip("tensorrt_rtx", reason="pip install 'edge-sr[dev]'")
Build = Callable[..., tuple[int, str, str]]
SMALL = "64x48"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def build(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Build:
    """Run the command in a cache that the tests of this file share."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))

    def start(*words: str, model: str = "edge-unet-s-x2") -> tuple[int, str, str]:
        code = main(["--model", model, "--flavour", "tensorrt-rtx", *words])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return start


def path_of(out: str) -> Path:
    return Path(out.partition(": ")[0])


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


@pytest.mark.parametrize("asked", ["8.7", "9.0"])  # Orin and H200: TensorRT-RTX has no kernels
def test_what_the_installed_builder_does_not_know_is_refused_first(
    build: Build, asked: str
) -> None:
    before = sorted(cache_dir().rglob("*"))
    code, _, err = build("--size", SMALL, "--compute-capability", asked)
    assert code == 1
    assert f"cannot build for compute capability {asked}; expected 7.5, 8.0" in err
    assert sorted(cache_dir().rglob("*")) == before


def test_a_gpu_that_rtx_does_not_know_is_named(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    h200 = Gpu("NVIDIA H200", "9.0", "13.0", False)
    monkeypatch.setattr(driver, "find_gpu", lambda: (h200, ""))
    code, _, err = build("--size", SMALL)
    assert code == 1
    assert "cannot build for compute capability 9.0 of this NVIDIA H200" in err


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


def unsupported(path: Path) -> Path:
    """A frame model with an operator that TensorRT has no importer for."""
    nodes = [
        helper.make_node("Cast", ["frame"], ["x"], name="frame_float", to=TensorProto.FLOAT),
        helper.make_node("Det", ["x"], ["d"], name="determinant"),
        helper.make_node("Mul", ["x", "d"], ["y"], name="product"),
        helper.make_node("Cast", ["y"], ["upscaled"], name="bytes", to=TensorProto.UINT8),
    ]
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.UINT8, [1, 48, 64, 1])
        for name in ("frame", "upscaled")
    ]
    graph = helper.make_graph(nodes, "g", tensors[:1], tensors[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def test_what_cannot_be_built_is_one_clear_line(
    build: Build, tmp_path: Path, tiny: dict[str, Path]
) -> None:
    wrong = unsupported(tmp_path / "wrong.onnx")
    facts = replace(zoo.find("edge-unet-s-x2")[1], sha256=sha256_of(wrong), precision="fp32")
    write_sidecar(wrong, facts)
    luma = save_luma(tmp_path / "luma.onnx")
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    for end in ("", ".json"):
        shutil.copy(zoo.FOLDER / f"edge-unet-s-x2.int8.onnx{end}", tmp_path / f"cpu.int8.onnx{end}")
    cases: list[tuple[list[str], str, str]] = [
        (["--precision", "fp32", "--size", SMALL], str(wrong), r"determinant (Det)"),
        (["--precision", "int4"], "edge-unet-s-x2", "expected fp32, fp16, int8"),
        (["--precision", "int8"], str(luma), "give --calibration FOLDER or VIDEO"),
        (["--precision", "int8", "--calibration", "nowhere"], str(luma), "no such folder or video"),
        ([], "no-such-model", "no such model; expected an .onnx file or one of"),
        ([], str(tmp_path / "gone.onnx"), "no such file"),
        ([], str(tmp_path / "gone.keras"), "no such file"),
        ([], str(tmp_path / "junk.onnx"), "not an ONNX file"),
        ([], str(tmp_path / "cpu.int8.onnx"), "--to int8 --around fp16"),
        ([], str(tmp_path / "x.engine"), "is an engine already"),
        (["--dla", "0"], "edge-unet-s-x2", "TensorRT-RTX has no DLA"),
        (["--hardware-compatible", "ampere-plus"], "edge-unet-s-x2", "portable already"),
        (["--version-compatible"], "edge-unet-s-x2", "no version-compatible engines"),
        (["--output", "x.onnx"], "edge-unet-s-x2", "expected a name that ends in .engine"),
        (["--precision", "int8", "--size", SMALL], "edge-unet-s-x2.onnx", "no such file"),
    ]
    for words, model, message in cases:
        code, out, err = build(*words, model=model)
        assert (code, out) == (1, ""), (words, err)
        assert message in err.splitlines()[-1], (words, err)
        assert err.splitlines()[-1].startswith("build_engine: ")


@pytest.mark.parametrize("flavour", ["auto", "tensorrt", "tensorrt-rtx"])
def test_without_tensorrt_the_way_to_get_it_is_named(
    flavour: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("tensorrt", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, name, None)
    assert main(["--model", "edge-unet-s-x2", "--flavour", flavour]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "installed" in err
    assert "pip install " in err
    assert "'edge-sr[" in err


def test_a_tensorrt_that_does_not_load_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a container on JetPack 7.2: what helps is a library, not another TensorRT."""
    (tmp_path / "tensorrt.py").write_text("raise ImportError('libnvdla_compiler.so: not found')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    assert main(["--model", "edge-unet-s-x2"]) == 1
    err = capsys.readouterr().err
    assert "TensorRT needs libnvdla_compiler.so, which JetPack 7.2 no longer gives" in err
    assert "docker run -v" in err


def test_the_gpus_that_rtx_is_advised_for_are_those_that_it_knows() -> None:
    pytest.importorskip("tensorrt_rtx")
    assert rtx_capabilities() == OF_RTX


def test_type_stubs_alone_are_no_tensorrt(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", type(sys)("tensorrt"))
    assert main(["--model", "edge-unet-s-x2", "--flavour", "tensorrt"]) == 1
    assert "TensorRT is not installed" in capsys.readouterr().err


def test_the_cache_is_listed_and_pruned(
    build: Build, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for precision in ("fp16", "fp32"):
        assert build("--size", SMALL, "--precision", precision)[0] == 0
    folder = cache_dir() / "engines"
    paths = sorted(folder.glob("*.engine"))
    paths[0].write_bytes(paths[0].read_bytes()[:-1])
    left = folder / f".{paths[1].stem}.1.part"
    left.mkdir()
    (left / "x.engine").write_bytes(b"left")
    assert main(["--list-cache"]) == 0
    listed = capsys.readouterr().out
    assert listed.count("TensorRT-RTX") == len(paths) - 1
    assert "damaged: " in listed
    assert main(["--prune"]) == 0
    pruned = capsys.readouterr().out
    assert pruned.count("removed ") == 1
    assert sorted(folder.glob("*.engine")) == paths[1:]
    assert not left.exists()
    assert main(["--prune", "all"]) == 0
    assert {path.suffix for path in (home / "edge-sr").rglob("*") if path.is_file()} == {".lock"}


def test_a_cache_that_cannot_be_written_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "edge-sr").write_text("a file where a folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert main(["--model", "edge-unet-s-x2", "--flavour", "tensorrt-rtx"]) == 1
    assert "cannot be written" in capsys.readouterr().err


MACHINE = Machine(
    flavour="tensorrt-rtx",
    version=str(trt.__version__),
    gpu="NVIDIA RTX A2000",
    compute_capability="8.6",
    cuda="13.0",
)


def test_the_runtime_asks_for_an_engine_once(build: Build, home: Path) -> None:
    path, card = zoo.find("edge-unet-s-x2")
    lines: list[str] = []
    asked: dict[str, Any] = {"size": (50, 70), "machine": MACHINE, "notify": lines.append}
    for precision in ("fp16", "int8", "fp32"):
        lines.clear()
        first = cached_engine(path, card, precision=precision, **asked)
        assert len(lines) == 1
        assert lines[0].startswith(f"building the {precision} engine of edge-unet-s-x2 for NVIDIA")
        assert load_sidecar(first).precision == precision
        assert cached_engine(path, card, precision=precision, **asked) == first
        assert len(lines) == 1
    small = zoo.find("edge-unet-s-x2", precision="int8")  # shipped with fp32 around, for CPUs
    assert cached_engine(*small, precision="int8", **asked).name.startswith("edge-unet-s-x2.int8")
    assert len(lines) == 1
    first.write_bytes(b"damaged")
    assert cached_engine(path, card, precision="fp32", **asked) == first
    assert "is not used and will be built again" in lines[1]
    assert first.stat().st_size > 1000


def test_the_runtime_says_why_an_engine_in_the_cache_does_not_fit(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, card = zoo.find("edge-unet-s-x2")
    lines: list[str] = []
    asked: dict[str, Any] = {"size": (50, 70), "precision": "fp16", "notify": lines.append}
    cached_engine(path, card, machine=MACHINE, **asked)
    lines.clear()
    newer = replace(MACHINE, version="1.9.0.1")
    failed = subprocess.CompletedProcess([], 1, "")
    monkeypatch.setattr(build_request, "run_module", lambda *_, **__: failed)
    with pytest.raises(BackendError, match="no engine could be built"):
        cached_engine(path, card, machine=newer, **asked)
    assert "built with TensorRT-RTX 1.7" in lines[0]
    assert "this machine is TensorRT-RTX 1.9.0.1 on NVIDIA RTX A2000 (8.6)" in lines[0]
    assert "rebuilding (it took" in lines[0]


def test_copies_need_their_sidecar(build: Build, tmp_path: Path) -> None:
    _, out, _ = build("--size", SMALL)
    path = path_of(out)
    shutil.copy(path, tmp_path / "alone.engine")
    sidecar_path(path).unlink()
    code, out, err = build("--size", SMALL)
    assert (code, path_of(out)) == (0, path)
    assert "the cached engine is not used and will be built again" in err


@pytest.mark.slow
def test_frames_of_a_video_are_collected_once(build: Build, tmp_path: Path) -> None:
    from edge_sr.cli.main import main as edge_sr

    clip = tmp_path / "clip.mp4"
    command = ["run", "--input", "test://96x64@30", "--max-frames", "12", "--output", str(clip)]
    assert edge_sr([*command, "--backend", "nearest"]) == 0
    words = ["--precision", "int8", "--calibration", str(clip), "--size", SMALL, "--allow-loss"]
    code, _, err = build(*words)
    assert code == 0, err
    assert "calibrated on your frames" in err
    code, _, err = build(*words)
    assert code == 0
    frames = next(line for line in err.splitlines() if line.startswith("frames"))
    assert frames.endswith("of clip.mp4 (reused)")
    assert "int8 " in err
    code, _, err = build("--precision", "int8", "--calibration", "own", "--size", SMALL)
    assert "calibrated on edge-sr's own set" in err
