"""What `python -m convert.build_engine` refuses: one line, and the way out where there is one."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from convert.build_engine import main
from edge_sr import zoo
from edge_sr.cuda import driver
from edge_sr.cuda.driver import Gpu
from edge_sr.model.engine_cache import cache_dir
from edge_sr.model.sidecar import sha256_of, write_sidecar
from tests.calibration.networks import save_luma
from tests.convert.builds import SMALL, Build

pytestmark = pytest.mark.slow

pytest.importorskip("tensorrt_rtx", reason="pip install 'edge-sr[dev]'")


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


def test_type_stubs_alone_are_no_tensorrt(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", type(sys)("tensorrt"))
    assert main(["--model", "edge-unet-s-x2", "--flavour", "tensorrt"]) == 1
    assert "TensorRT is not installed" in capsys.readouterr().err
