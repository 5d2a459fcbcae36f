"""Asking the driver, on a double of it in C; and reading a Jetson's release."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edge_sr.children import child_environment, run_module
from edge_sr.cuda import driver as cuda_driver
from edge_sr.cuda import machine
from edge_sr.cuda.driver import Gpu, find_gpu
from edge_sr.cuda.machine import l4t_release, this_machine
from edge_sr.errors import UsageError

DRIVER = """
#include <string.h>
int cuInit(unsigned f) { return %(init)d; }
int cuDeviceGetCount(int *n) { *n = %(count)d; return 0; }
int cuDriverGetVersion(int *v) { *v = 12060; return 0; }
int cuDeviceGet(int *d, int i) { *d = 7; return i; }
int cuDeviceGetName(char *s, int n, int d) { strcpy(s, "Orin"); return d == 7 ? %(name)d : 1; }
int cuDeviceGetAttribute(int *v, int k, int d)
{ *v = k == 75 ? 8 : k == 76 ? 7 : k == 18 ? 1 : -1; return d != 7; }
int cuDeviceGetUuid_v2(char *u, int d) { for (int i = 0; i < 16; i++) u[i] = i; return d != 7; }
"""


def driver(
    folder: Path, patch: pytest.MonkeyPatch, *, init: int = 0, count: int = 1, name: int = 0
) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source, library = folder / "cuda.c", folder / "libcuda.so.1"
    source.write_text(DRIVER % {"init": init, "count": count, "name": name})
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    patch.setattr(cuda_driver, "LIBRARY", str(library))


def test_the_gpu_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver(tmp_path, monkeypatch)
    assert find_gpu() == (Gpu("Orin", "8.7", "12.6", True), "")
    found = this_machine("tensorrt", "10.3.0.26")
    assert str(found) == "TensorRT 10.3.0.26 on Orin (8.7) with CUDA 12.6"
    assert cuda_driver.gpu_uuid() == "GPU-00010203-0405-0607-0809-0a0b0c0d0e0f"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"init": 100}, "finds no GPU"),
        ({"count": 0}, "finds no GPU"),
        ({"init": 999}, r"fails to start \(error 999\)"),
        ({"name": 201}, r"does not describe its GPU \(error 201\)"),
    ],
    ids=str,
)
def test_a_driver_without_a_gpu_is_reported(
    fault: dict[str, int], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver(tmp_path, monkeypatch, **fault)
    gpu, why = find_gpu()
    assert gpu is None
    assert re.search(words, why)


def test_no_driver_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_driver, "LIBRARY", "libcuda-that-is-not-there.so")
    gpu, why = find_gpu()
    assert gpu is None
    assert why.startswith("no CUDA driver")
    assert cuda_driver.gpu_uuid() == ""
    assert str(this_machine("tensorrt-rtx", "1.7.1.116")) == "TensorRT-RTX 1.7.1.116 on no GPU"


def test_a_jetsons_release_is_read(tmp_path: Path) -> None:
    path = tmp_path / "nv_tegra_release"
    assert l4t_release(path) == ""
    path.write_text("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic\n")
    assert l4t_release(path) == "36.4.3"
    path.write_text("something else")
    assert l4t_release(path) == ""


@pytest.mark.parametrize(
    ("shown", "asked", "chosen"),
    [
        ("", "1", "1"),
        ("2,3", "1", "3"),
        ("", "GPU-8f2a1b3c", "GPU-8f2a1b3c"),
        ("0", "GPU-8f2a1b3c", "GPU-8f2a1b3c"),
    ],
)
def test_a_gpu_is_chosen_before_cuda_starts(
    shown: str, asked: str, chosen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver(tmp_path, monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "FASTEST_FIRST")
    cuda_driver.select_gpu(asked)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == chosen
    assert child_environment()["CUDA_VISIBLE_DEVICES"] == chosen


@pytest.mark.parametrize("asked", ["-1", "first", "GPU-x", "1;2", "٣"])
def test_another_name_of_a_gpu_is_refused(asked: str) -> None:
    with pytest.raises(UsageError, match="expected a number"):
        cuda_driver.select_gpu(asked)


def test_a_gpu_that_is_missing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver(tmp_path, monkeypatch, count=0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "")
    with pytest.raises(UsageError, match="--device 7: the CUDA driver finds no GPU"):
        cuda_driver.select_gpu("7")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4")
    with pytest.raises(UsageError, match="shows 1 GPUs"):
        cuda_driver.select_gpu("1")


@pytest.mark.parametrize(
    "words",
    [
        ["edge_sr.cli.main", "run", "test://64x48", "--device", "first"],
        ["edge_sr.cli.main", "doctor", "--device", "first"],
        ["convert.build_engine", "--model", "edge-unet-s-x2", "--device", "first"],
        ["bench", "run", "--device", "first"],
        ["bench", "device-check", "--device", "first"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_commands_that_use_a_gpu_take_a_device(words: list[str]) -> None:
    done = run_module(words[0], words[1:])
    assert done.returncode == 2
    assert "--device is 'first'; expected a number" in done.stderr


@pytest.mark.parametrize(
    ("capability", "cuda", "l4t", "command"),
    [
        ("8.9", "12.4", "", "pip install 'edge-sr[rtx]'"),
        ("", "", "", "pip install 'edge-sr[rtx]'"),  # builds without a GPU
        ("9.0", "12.4", "", "--extra-index-url https://pypi.nvidia.com 'edge-sr[tensorrt]'"),
        ("9.0", "13.0", "", "--extra-index-url https://pypi.nvidia.com 'edge-sr[tensorrt-cu13]'"),
        ("8.7", "12.6", "36.4.3", "sudo apt-get install -y python3-libnvinfer"),
        ("8.7", "13.2", "39.2.0", "sudo apt-get install -y python3-libnvinfer"),
    ],
)
def test_the_tensorrt_that_is_advised_has_kernels_for_the_gpu(
    capability: str, cuda: str, l4t: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = cuda_driver.Gpu("x", capability, cuda, bool(l4t)) if capability else None
    monkeypatch.setattr(cuda_driver, "find_gpu", lambda: (gpu, "no CUDA driver"))
    monkeypatch.setattr(machine, "l4t_release", lambda: l4t)
    assert command in machine.install_tensorrt()
    if not l4t and gpu:
        assert "edge-sr[tensorrt" in machine.install_tensorrt("tensorrt")
