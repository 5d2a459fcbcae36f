"""The cache of engines, with NVIDIA's own builder: listed, pruned, read by the runtime, rebuilt."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from convert.build_engine import main
from edge_sr import zoo
from edge_sr.errors import BackendError
from edge_sr.model import build_request
from edge_sr.model.build_request import cached_engine
from edge_sr.model.engine_cache import cache_dir
from edge_sr.model.engine_facts import Machine
from edge_sr.model.sidecar import load_sidecar, sidecar_path
from tests.convert.builds import SMALL, Build, path_of

pytestmark = pytest.mark.slow

trt = pytest.importorskip("tensorrt_rtx", reason="pip install 'edge-sr[dev]'")


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
