"""The import table of the architecture: which room may import which package."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("edge_sr", "convert", "calibration", "bench", "training")

# a package -> where it may be imported; everything else may be imported anywhere
PLACES = {
    "tensorflow": ("training/", "convert/from_keras.py"),
    "keras": ("training/", "convert/from_keras.py"),
    "tf2onnx": ("convert/from_keras.py",),
    "onnx": ("convert/", "calibration/", "bench/params.py", "bench/wrap.py"),
    "onnxruntime": ("edge_sr/backend/onnx_runtime.py", "calibration/", "convert/", "bench/"),
    "tensorrt": (
        "edge_sr/backend/trt_library.py",
        "edge_sr/backend/tensorrt.py",  # its types alone
        "convert/trt.py",
    ),
    "tensorrt_lean": ("edge_sr/backend/trt_library.py",),
    "tensorrt_rtx": ("edge_sr/backend/trt_library.py", "convert/trt.py"),
    "cuda": ("edge_sr/cuda/",),
    "pycuda": ("edge_sr/cuda/",),
    "cv2": ("edge_sr/video/", "edge_sr/live/"),
    "av": ("edge_sr/video/", "edge_sr/live/", "training/video_codec.py", "training/video_file.py"),
    "matplotlib": ("bench/", "calibration/charts.py", "training/"),
    "PIL": ("edge_sr/video/", "bench/", "training/"),
    "starlette": ("edge_sr/live/page/",),
    "uvicorn": ("edge_sr/live/page/",),
    "pyvirtualcam": ("edge_sr/video/virtual_camera.py",),
    "psutil": ("edge_sr/live/device.py",),
    "pynvml": ("edge_sr/live/device.py", "bench/power.py"),
    "tqdm": ("edge_sr/progress.py", "training/", "convert/", "calibration/", "bench/"),
}
# a room -> the rooms it may import besides itself: arrows point from the workshop to the runtime
ARROWS = {
    "edge_sr": (),
    "training": ("edge_sr", "bench"),
    "calibration": ("edge_sr",),
    "convert": ("edge_sr", "calibration", "training"),
    "bench": ("edge_sr",),
}


def imports() -> Iterator[tuple[str, str]]:
    """(file, top-level package) of every absolute import, also those inside functions."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    yield from ((name, alias.name.partition(".")[0]) for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield name, node.module.partition(".")[0]


def test_heavy_packages_stay_in_their_rooms() -> None:
    wrong = [
        f"{file} imports {package}"
        for file, package in imports()
        if package in PLACES and not file.startswith(PLACES[package])
    ]
    assert wrong == []


def test_arrows_point_from_the_workshop_to_the_runtime() -> None:
    wrong = [
        f"{file} imports {package}"
        for file, package in imports()
        if package in ROOMS
        and package != file.partition("/")[0]
        and package not in ARROWS[file.partition("/")[0]]
    ]
    assert wrong == []


def test_the_table_is_not_blind() -> None:
    found = set(imports())
    assert ("edge_sr/backend/onnx_runtime.py", "onnxruntime") in found  # inside a function
    assert ("convert/from_keras.py", "tensorflow") in found
    assert ("edge_sr/backend/trt_library.py", "tensorrt_lean") in found
    assert ("edge_sr/cuda/pycuda_calls.py", "pycuda") in found


WALL = """
import sys

class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {banned!r}:
            raise AssertionError("imported " + name)

sys.meta_path.insert(0, Wall())
{code}
"""


@pytest.mark.parametrize(
    ("code", "banned"),
    [
        (
            "import edge_sr",
            {"numpy", "tensorflow", "onnx", "onnxruntime", "cv2", "av", "PIL", "tqdm"},
        ),
        (
            "import edge_sr.cli, edge_sr.run, edge_sr.upscaler, edge_sr.sidecar, edge_sr.zoo",
            {"tensorflow", "keras", "onnx", "onnxruntime", "cv2", "av", "PIL", "tqdm", *ROOMS[1:]}
            | {"tensorrt", "tensorrt_lean", "tensorrt_rtx", "cuda", "pycuda"},
        ),
    ],
)
def test_importing_the_runtime_imports_nothing_heavy(code: str, banned: set[str]) -> None:
    command = [sys.executable, "-c", WALL.format(code=code, banned=banned)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
