"""The import table of the architecture: which room may import which package."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("edge_sr", "convert", "calibration", "bench", "training", "lab")

# a package -> where it may be imported; everything else may be imported anywhere
PLACES = {
    "tensorflow": ("training/", "convert/keras/to_onnx.py"),
    "keras": ("training/", "convert/keras/to_onnx.py"),
    "tf2onnx": ("convert/keras/to_onnx.py",),
    "onnx": ("convert/", "calibration/", "lab/", "bench/models/params.py", "bench/models/wrap.py"),
    "onnxruntime": (
        "edge_sr/backend/onnxruntime/backend.py",
        "calibration/",
        "convert/",
        "bench/",
        "lab/",
    ),
    "tensorrt": (
        "edge_sr/backend/tensorrt/loader.py",
        "edge_sr/backend/tensorrt/engine.py",  # its types alone
        "convert/engine/trt.py",
    ),
    "tensorrt_lean": ("edge_sr/backend/tensorrt/loader.py",),
    "tensorrt_rtx": ("edge_sr/backend/tensorrt/loader.py", "convert/engine/trt.py"),
    "cuda": ("edge_sr/cuda/",),
    "pycuda": ("edge_sr/cuda/",),
    "cv2": ("edge_sr/media/", "edge_sr/live/", "edge_sr/page/"),
    "av": (
        "edge_sr/media/",
        "edge_sr/live/",
        "training/data/video_codec.py",
        "training/data/video_file.py",
    ),
    "matplotlib": ("bench/", "lab/", "calibration/frames/charts.py", "training/"),
    "PIL": ("edge_sr/media/", "bench/", "lab/", "training/"),
    "starlette": ("edge_sr/page/",),
    "uvicorn": ("edge_sr/page/",),
    "pyvirtualcam": ("edge_sr/media/sinks/virtual_camera.py",),
    "psutil": ("edge_sr/live/device.py",),
    "pynvml": ("edge_sr/live/device.py", "bench/measure/power.py"),
    "tqdm": ("edge_sr/progress.py", "training/", "convert/", "calibration/", "bench/", "lab/"),
}
# a room -> the rooms it may import besides itself: arrows point from the workshop to the runtime
ARROWS = {
    "edge_sr": (),
    "training": ("edge_sr", "bench"),
    "lab": ("edge_sr", "convert", "calibration", "training", "bench"),
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
    assert ("edge_sr/backend/onnxruntime/backend.py", "onnxruntime") in found  # inside a function
    assert ("convert/keras/to_onnx.py", "tensorflow") in found
    assert ("edge_sr/backend/tensorrt/loader.py", "tensorrt_lean") in found
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
            "import edge_sr.cli.main, edge_sr.pipeline.run, edge_sr.upscaler, edge_sr.zoo",
            {"tensorflow", "keras", "onnx", "onnxruntime", "cv2", "av", "PIL", "tqdm", *ROOMS[1:]}
            | {"tensorrt", "tensorrt_lean", "tensorrt_rtx", "cuda", "pycuda"},
        ),
    ],
)
def test_importing_the_runtime_imports_nothing_heavy(code: str, banned: set[str]) -> None:
    command = [sys.executable, "-c", WALL.format(code=code, banned=banned)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
