"""Python packages: the ones the default path needs, and the ones that bring more."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
from pathlib import Path

from edge_sr.children import why_not_importable
from edge_sr.cuda.machine import install_tensorrt, suitable_flavour
from edge_sr.doctor.line import Line
from edge_sr.extras import (
    CUDA_PYTHON,
    LOAD_ERRORS,
    PIP,
    install_command,
    install_module,
    load_failure,
    version_of,
)

IMPORT_S = 60.0
# module, distributions that may bring it, extra, what it is for
NEEDED: tuple[tuple[str, tuple[str, ...], str, str], ...] = (
    ("numpy", ("numpy",), "cpu", "everything"),
    ("onnxruntime", ("onnxruntime", "onnxruntime-gpu"), "cpu", "inference on the CPU"),
    ("av", ("av",), "cpu", "video files and network streams"),
    ("cv2", ("opencv-python-headless", "opencv-python"), "cpu", "resizing, cameras, windows"),
    ("PIL", ("pillow",), "cpu", "image files"),
    ("tqdm", ("tqdm",), "cpu", "progress"),
)
OPTIONAL: tuple[tuple[str, tuple[str, ...], str, str], ...] = (
    ("openvino", ("openvino",), "openvino", "a faster CPU path"),
    ("starlette", ("starlette",), "serve", "the browser page, --serve"),
    ("uvicorn", ("uvicorn",), "serve", "the browser page, --serve"),
    ("psutil", ("psutil",), "serve", "load and temperatures on the page"),
    ("pynvml", ("nvidia-ml-py",), "serve", "a GPU's load and power on the page"),
    ("pyvirtualcam", ("pyvirtualcam",), "virtual-camera", "--virtual-camera"),
)
TENSORRT: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("tensorrt", ("tensorrt", "tensorrt-cu12", "tensorrt-cu13"), "TensorRT"),
    ("tensorrt_rtx", ("tensorrt-rtx-cu12", "tensorrt-rtx"), "TensorRT-RTX"),
    ("tensorrt_lean", ("tensorrt-lean", "tensorrt-lean-cu12"), "TensorRT lean runtime"),
)
BINDINGS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("cuda", ("cuda-bindings", "cuda-python"), "CUDA through cuda-python"),
    ("pycuda", ("pycuda",), "CUDA through pycuda"),
)


def lines(root: Path = Path("/")) -> list[Line]:
    """One line per package; the needed ones are really imported."""
    gpu = (root / "proc/driver/nvidia/version").is_file()
    jetson = (root / "etc/nv_tegra_release").is_file()
    found = [_needed(*row) for row in NEEDED]
    found += [_optional(*row) for row in OPTIONAL]
    advice = install_tensorrt()
    suits = suitable_flavour().replace("-", "_")
    for module, names, what in TENSORRT:
        wanted = module == suits and (suits == "tensorrt" or not _is_installed("tensorrt"))
        found.append(_gpu_package(module, names, what, advice if wanted else "", gpu or jetson))
    for module, names, what in BINDINGS:
        wanted = module == "cuda"
        advice = f"{PIP} {CUDA_PYTHON}" if wanted else ""
        found.append(_gpu_package(module, names, what, advice, gpu or jetson))
    return found


def _needed(module: str, names: tuple[str, ...], extra: str, what: str) -> Line:
    advice = install_module(module, extra)
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # as in media.lines
            loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            found = f"needs {error.name}, which is missing"
            return Line("packages", module, "broken", found, advice)
        return Line("packages", module, "broken", f"missing; for {what}", advice)
    except LOAD_ERRORS as error:
        found, advice = load_failure(module, str(error)) or (
            f"does not load: {str(error).partition(chr(10))[0]}",
            advice,
        )
        return Line("packages", module, "broken", found, advice)
    version = version_of(*names) or str(vars(loaded).get("__version__", "installed"))
    return Line("packages", module, "ok", version)


def _optional(module: str, names: tuple[str, ...], extra: str, what: str) -> Line:
    if not _is_installed(module):
        return Line("packages", module, "gap", f"missing; for {what}", install_command(extra))
    return Line("packages", module, "ok", version_of(*names) or "installed")


def _gpu_package(module: str, names: tuple[str, ...], what: str, advice: str, gpu: bool) -> Line:
    """Found, or missing: a gap only where there is a GPU that could use it."""
    if _is_installed(module):
        version = version_of(*names) or "installed"
        why = _import_in_child(module)
        if why and gpu:
            known = load_failure(module, why)
            found, advice = known or (f"does not load: {why}", advice)
            return Line("packages", module, "gap", f"{version}, {found}", advice)
        state = "note" if why or not gpu else "ok"
        loads = f"does not load here: {why}" if why else what
        return Line("packages", module, state, f"{version}; {loads}")
    if gpu and advice:
        return Line("packages", module, "gap", f"missing; for {what}", advice)
    return Line("packages", module, "note", "not installed" if gpu else "not installed; no GPU")


def _import_in_child(module: str) -> str:
    """Why a package cannot be imported, "" if it can; in a process of its own, as it may crash."""
    name = "cuda.bindings.driver" if module == "cuda" else module
    return why_not_importable(name, timeout_s=IMPORT_S)


def _is_installed(module: str) -> bool:
    """Whether there is code to import; type stubs and left-over folders do not count."""
    spec = importlib.util.find_spec(module)
    if spec is None:
        return False
    if spec.origin is not None:
        return True
    places = list(spec.submodule_search_locations or [])  # a namespace, as NVIDIA's "cuda" is
    return any(found.suffix != ".pyi" for place in places for found in Path(place).glob("*/*"))
