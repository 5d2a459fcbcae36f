"""A machine with a GPU, on doubles, and the command that builds on it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

import convert.onnx.runners
from convert.build_engine import main
from convert.command import Steps
from convert.engine.prepare import BuildRequest, prepare
from edge_sr.cuda import driver
from tests.convert.engine.device import Device

FAKES = Path(__file__).parents[2] / "fakes" / "builder"
SIZE = "64x48"


@pytest.fixture(scope="session")
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
