"""The extras of pyproject.toml: what each must and must not bring."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from source import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from edge_sr import extras

EXTRAS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
    "optional-dependencies"
]


def requirements(*names: str) -> set[str]:
    """What these extras ask for, with what they name of our own."""
    found, waiting = set(), list(names)
    while waiting:
        for item in EXTRAS[waiting.pop()]:
            found.add(item)
            if item.startswith("edge-sr["):
                waiting += item.removeprefix("edge-sr[").removesuffix("]").split(",")
    return found


def test_a_jetson_keeps_numpy_1_for_jetpacks_opencv() -> None:
    """opencv/opencv issue 25772: it is built for NumPy 1."""
    assert "numpy<2" in EXTRAS["jetson"]
    assert not any("opencv" in item or "[cpu]" in item for item in EXTRAS["jetson"])


@pytest.mark.parametrize("extra", ["jetson", "rtx", "tensorrt", "tensorrt-cu13"])
def test_cuda_python_runs_on_the_drivers_of_cuda_12(extra: str) -> None:
    """cuda-python 13 refuses every driver before 580."""
    assert "cuda-python>=12.6,<13" in EXTRAS[extra]


def test_a_tensorrt_is_named_for_its_cuda_major() -> None:
    """Plain "tensorrt" is TensorRT 11 for CUDA 13, which needs a driver of 580."""
    named = [item for extra in EXTRAS.values() for item in extra if item.startswith("tensorrt")]
    assert all("-cu12" in item or "-cu13" in item for item in named)
    assert any(item.startswith("tensorrt-cu12>") for item in EXTRAS["tensorrt"])


def test_a_check_of_a_jetson_brings_no_opencv() -> None:
    """pip's would hide JetPack's: `bench` has it, `check` and all that it names have not."""
    names = requirements("check", "jetson")
    assert not any("opencv" in name for name in names)
    assert any("opencv" in name for name in EXTRAS["cpu"])
    assert {item for item in EXTRAS["bench"] if not item.startswith("edge-sr[")} <= names


@pytest.mark.parametrize("extra", sorted(set(EXTRAS) - {"dev"}))
def test_no_command_on_a_jetson_brings_an_opencv(
    extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip's OpenCV hides JetPack's, which has GStreamer and with it CSI cameras."""
    monkeypatch.setattr(extras, "JETSON", tmp_path / "nv_tegra_release")
    extras.JETSON.touch()
    line = extras.install_command(extra)
    (named,) = re.findall(r"\[([\w,-]+)\]", line)
    assert not any("opencv" in item for item in {*requirements(*named.split(",")), line})


def test_opencv_of_a_jetson_is_jetpacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "edge-sr[cpu]" in extras.install_module("cv2")
    monkeypatch.setattr(extras, "JETSON", tmp_path)
    monkeypatch.setattr(Path, "is_file", lambda _: True)
    assert extras.install_module("cv2") == "sudo apt-get install -y nvidia-opencv"


def test_the_full_tensorrt_is_installed_with_its_index() -> None:
    for extra in ("tensorrt", "tensorrt-cu13"):
        command = extras.install_command(extra)
        assert "pip install --extra-index-url https://pypi.nvidia.com " in command
        assert f"[{extra}]'" in command


def test_the_cuda_binding_that_is_advised_is_the_one_of_the_extras() -> None:
    assert all(extras.CUDA_PYTHON.strip("'") in EXTRAS[extra] for extra in ("jetson", "rtx"))
