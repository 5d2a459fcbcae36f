"""The extras of pyproject.toml: what each must and must not bring."""

from __future__ import annotations

import sys

import pytest
from source import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXTRAS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
    "optional-dependencies"
]


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
    names, waiting = set(), ["check", "jetson"]
    while waiting:
        for item in EXTRAS[waiting.pop()]:
            names.add(item)
            waiting += (
                item.removeprefix("edge-sr[").removesuffix("]").split(",")
                if (item.startswith("edge-sr["))
                else []
            )
    assert not any("opencv" in name for name in names)
    assert any("opencv" in name for name in EXTRAS["cpu"])
    assert {item for item in EXTRAS["bench"] if not item.startswith("edge-sr[")} <= names
