"""Optional packages: which extra of edge-sr brings them, and the pip command that installs it."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

JETSON = Path("/etc/nv_tegra_release")
ON_A_JETSON = {"cpu": "jetson", "window": "jetson", "bench": "jetson,check"}


@dataclass(frozen=True)
class Extra:
    """What a program of the workshop cannot do without."""

    name: str
    modules: tuple[str, ...]
    helps: bool = False  # whether the program shows its --help without them


BUILD = Extra("build", ("onnx", "onnxruntime", "av", "tqdm", "matplotlib"))
# a package or program -> its extra; the longest name that fits decides
NEEDS = {
    "convert": BUILD,
    "convert.build_engine": Extra(BUILD.name, BUILD.modules, helps=True),
    "convert.export_onnx": Extra("convert", ("onnx", "keras", "tensorflow", "tf2onnx")),
    "convert.zoo": Extra("convert", ("onnx", "keras", "tensorflow", "tf2onnx")),
    "calibration": BUILD,
    "training": Extra("train", ("keras", "tensorflow", "av", "PIL", "tqdm", "matplotlib")),
    "fleet.library": Extra("cpu", ("av", "tqdm")),
    "fleet.export_triton": Extra("triton", ("tritonclient",)),
    "bench": Extra("bench", ("onnx", "onnxruntime", "skimage", "jinja2", "matplotlib")),
}
PIP_NAMES = {"PIL": "pillow", "cv2": "opencv-python", "skimage": "scikit-image"}


def install_command(extra: str) -> str:
    """The pip command, for this interpreter, that installs what an extra of edge-sr names.

    On a Jetson "cpu" and "window" become "jetson", and "bench" too: their OpenCV would hide
    JetPack's own, which reads CSI cameras.
    """
    if JETSON.is_file():
        extra = ON_A_JETSON.get(extra, extra)
    python = shlex.quote(sys.executable or "python3")
    try:
        metadata.version("edge-sr")
    except metadata.PackageNotFoundError:
        root = Path(__file__).parents[1]
        if (root / "pyproject.toml").is_file():  # a checkout that was never installed
            return f"{python} -m pip install --editable {shlex.quote(f'{root}[{extra}]')}"
    return f"{python} -m pip install 'edge-sr[{extra}]'"


def version_of(*distributions: str) -> str | None:
    """The version of the first of these distributions that is installed."""
    for name in distributions:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def missing(program: str, words: Sequence[str] = ()) -> str:
    """Why a program cannot run: the package that is missing, and the pip command; "" if it can.

    Args:
        program: a module of the workshop, as "convert.export_onnx".
        words: its arguments; some programs show their help without their packages.
    """
    extra = _extra(program)
    if extra.helps and not {"-h", "--help"}.isdisjoint(words):
        return ""
    absent = [name for name in extra.modules if not _is_installed(name)]
    if not absent:
        return ""
    shown = ", ".join(PIP_NAMES.get(name, name) for name in absent)
    verb = "is" if len(absent) == 1 else "are"
    return f"{shown} {verb} not installed: {install_command(extra_of(program))}"


def extra_of(program: str) -> str:
    """The name of the extra that a program of the workshop needs."""
    return _extra(program).name


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # half of a package, or one that is being loaded
        return False


def _extra(program: str) -> Extra:
    names = [name for name in NEEDS if f"{program}.".startswith(f"{name}.")]
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
