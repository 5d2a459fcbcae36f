"""Optional packages: which extra brings them, how pip installs it, and why one does not load."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

JETSON = Path("/etc/nv_tegra_release")
# an extra that brings an OpenCV -> the extra, and the packages besides, that do without
ON_A_JETSON = {
    "cpu": ("jetson", ""),
    "window": ("jetson", ""),
    "openvino": ("jetson", "openvino"),
    "rtx": ("jetson", ""),
    "tensorrt": ("jetson", ""),
    "tensorrt-cu13": ("jetson", ""),
    "bench": ("jetson,check", ""),
    "vmaf": ("jetson,check", "imageio-ffmpeg"),
    "convert": ("jetson,build,train", "tf2onnx"),
}
CUDA_PYTHON = "'cuda-python>=12.6,<13'"  # 13 refuses drivers before 580, 12.9 runs on all later
PIP = f"{shlex.quote(sys.executable or 'python3')} -m pip install"
NVIDIA_INDEX = "https://pypi.nvidia.com"  # of the libraries of the full TensorRT

# besides ImportError: NumPy 1 code beside NumPy 2 raises AttributeError, and compiled code of
# another NumPy ValueError ("numpy.dtype size changed"); a library that is missing OSError;
# packages of NVIDIA RuntimeError without a driver
LOAD_ERRORS = (ImportError, AttributeError, ValueError, OSError, RuntimeError)


@dataclass(frozen=True)
class Extra:
    """What a program of the workshop cannot do without."""

    name: str
    modules: tuple[str, ...]
    helps: bool = False  # whether the program shows its --help without them


BUILD = Extra("build", ("onnx", "onnxruntime", "av", "tqdm", "matplotlib"))
# a package, program or command of one -> its extra; the longest name that fits decides
NEEDS = {
    "convert": BUILD,
    "convert.build_engine": Extra(BUILD.name, BUILD.modules, helps=True),
    "convert.export_onnx": Extra("convert", ("onnx", "keras", "tensorflow", "tf2onnx")),
    "convert.zoo": Extra("convert", ("onnx", "keras", "tensorflow", "tf2onnx")),
    "calibration": BUILD,
    "training": Extra("train", ("keras", "tensorflow", "av", "PIL", "tqdm", "matplotlib")),
    "fleet.library": Extra("cpu", ("av", "tqdm")),
    "fleet.export_triton": Extra("triton", ("tritonclient",)),
    "bench": Extra("bench", ("onnx", "onnxruntime", "skimage", "jinja2", "matplotlib"), helps=True),
    "bench.demo": Extra("cpu", ("av", "cv2", "onnxruntime", "tqdm"), helps=True),
}
PIP_NAMES = {"PIL": "pillow", "cv2": "opencv-python", "skimage": "scikit-image"}


def install_command(extra: str) -> str:
    """The pip command, for this interpreter, that installs what an extra of edge-sr names.

    On a Jetson none that brings an OpenCV: it would hide JetPack's own, which reads CSI cameras.
    The full TensorRT has its libraries on NVIDIA's index.
    """
    more = ""
    if JETSON.is_file():
        extra, more = ON_A_JETSON.get(extra, (extra, ""))
    command = f"{PIP} --extra-index-url {NVIDIA_INDEX}" if extra.startswith("tensorrt") else PIP
    try:
        metadata.version("edge-sr")
    except metadata.PackageNotFoundError:
        root = Path(__file__).parents[1]
        if (root / "pyproject.toml").is_file():  # a checkout that was never installed
            return f"{command} --editable {shlex.quote(f'{root}[{extra}]')} {more}".rstrip()
    return f"{command} 'edge-sr[{extra}]' {more}".rstrip()


def install_module(module: str, extra: str = "cpu") -> str:
    """The command that installs a package of an extra: JetPack's own where it is OpenCV's turn."""
    if module == "cv2" and JETSON.is_file():
        return "sudo apt-get install -y nvidia-opencv"
    return install_command(extra)


def version_of(*distributions: str) -> str | None:
    """The version of the first of these distributions that is installed."""
    for name in distributions:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def load_failure(module: str, error: str) -> tuple[str, str] | None:
    """What is wrong and how to fix it, for failures of loading that are known; else None.

    Args:
        error: what importing the module raised.
    """
    if module == "cv2" and "libGL" in error:
        found = f"does not load: {error.partition(chr(10))[0]}"
        return found, "sudo apt-get install -y libgl1 libglib2.0-0"
    numpy = version_of("numpy") or ""
    # JetPack's OpenCV beside NumPy 2, opencv#25772: "_ARRAY_API not found" is printed, and
    # "numpy.core.multiarray failed to import" raised
    if ("multiarray failed" in error or "_ARRAY_API" in error) and not numpy.startswith("1."):
        found = f"was built for NumPy 1, and NumPy {numpy} is installed"
        return found, f"{PIP} 'numpy<2'"
    if "libnvdla_compiler" in error:
        found = "needs libnvdla_compiler.so, which JetPack 7.2 no longer gives to containers"
        advice = "find /usr/lib -name libnvdla_compiler.so  # on the host: docker run -v FILE:FILE"
        return found, advice
    return None


def missing(program: str, words: Sequence[str] = ()) -> str:
    """Why a program cannot run: the package that is missing, and the pip command; "" if it can.

    Args:
        program: a module of the workshop, as "convert.export_onnx".
        words: its arguments; some programs show their help without their packages.
    """
    extra = _extra(program, words)
    if extra.helps and not {"-h", "--help"}.isdisjoint(words):
        return ""
    absent = [name for name in extra.modules if not _is_installed(name)]
    if not absent:
        return ""
    shown = ", ".join(PIP_NAMES.get(name, name) for name in absent)
    verb = "is" if len(absent) == 1 else "are"
    return f"{shown} {verb} not installed: {install_command(extra.name)}"


def extra_of(program: str, words: Sequence[str] = ()) -> str:
    """The name of the extra that a program of the workshop needs with these arguments."""
    return _extra(program, words).name


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # half of a package, or one that is being loaded
        return False


def _extra(program: str, words: Sequence[str]) -> Extra:
    asked = ".".join([program, *words[:1], ""])
    names = [name for name in NEEDS if asked.startswith(f"{name}.")]
    return NEEDS[max(names, key=len)] if names else Extra("cpu", ())


def check_program(package: str) -> None:
    """Print one line and exit with 1 where ``python -m package.program`` lacks what it needs.

    A package of programs calls this in its ``__init__``. It does nothing when the package is
    imported by other code: only while Python looks for the program is ``sys.argv[0]`` "-m".
    """
    if sys.argv[:1] != ["-m"]:
        return
    words = sys.orig_argv
    at = words.index("-m") + 1 if "-m" in words[:-1] else len(words)
    program = words[at] if at < len(words) else package
    reason = missing(program, words[at + 1 :])
    if reason:
        print(f"{program}: {reason}", file=sys.stderr)
        raise SystemExit(1)
