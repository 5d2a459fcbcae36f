"""The architecture's rules: who imports what, no circles, folders and files of a readable size."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from source import ROOMS, ROOT, circles, files, imported, modules, own_imports, tree

# a package -> where it may be imported; everything else may be imported anywhere
PLACES = {
    "tensorflow": ("training/", "convert/keras/", "lab/forms/"),
    "keras": ("training/", "convert/keras/", "lab/forms/"),
    "tf2onnx": ("convert/keras/to_onnx.py",),
    "onnx": (
        "convert/",
        "calibration/",
        "bench/models/params.py",
        "bench/models/adapters.py",
        "lab/forms/",
    ),
    "onnxruntime": (
        "edge_sr/backend/onnxruntime/backend.py",
        "calibration/",
        "convert/",
        "bench/",
        "lab/",
    ),
    "openvino": (
        "edge_sr/backend/openvino/runtime.py",
        "edge_sr/backend/openvino/backend.py",  # its types alone
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
        "lab/soak/",
        "lab/page_together.py",
    ),
    "matplotlib": ("bench/", "lab/", "calibration/frames/charts.py", "training/"),
    "PIL": ("edge_sr/media/", "bench/", "lab/", "training/"),
    "starlette": ("edge_sr/page/",),
    "uvicorn": ("edge_sr/page/",),
    "prometheus_client": ("edge_sr/page/metrics.py", "edge_sr/page/server.py"),
    "pyvirtualcam": ("edge_sr/media/sinks/virtual_camera.py",),
    "psutil": ("edge_sr/live/device.py",),
    "pynvml": ("edge_sr/live/device.py",),
    "ray": ("fleet/films/",),
    "tritonclient": ("fleet/export_triton.py",),
    "google": ("fleet/export_triton.py",),
    "tqdm": ("edge_sr/progress.py", "training/", "convert/", "calibration/", "bench/", "lab/"),
}
# a room -> the rooms it may import besides itself: arrows point from the workshop to the runtime
ARROWS = {
    "edge_sr": (),
    "training": ("edge_sr", "bench"),
    "lab": ("edge_sr", "convert", "calibration", "training", "bench", "fleet"),
    "calibration": ("edge_sr",),
    "convert": ("edge_sr", "calibration", "training"),
    "bench": ("edge_sr",),
    "fleet": ("edge_sr", "bench"),
}


FILES = 14  # .py files of a folder, at most
LINES = 320  # of a file, at most


def imports() -> Iterator[tuple[str, str]]:
    """(file, top-level package) of every absolute import, also those inside functions."""
    for name, whole in files():
        for node in ast.walk(whole):
            yield from ((name, target.partition(".")[0]) for target in imported(node))


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


def test_the_table_sees_imports_inside_functions() -> None:
    found = set(imports())
    assert ("edge_sr/backend/onnxruntime/backend.py", "onnxruntime") in found
    assert ("convert/keras/to_onnx.py", "tensorflow") in found
    assert ("edge_sr/backend/tensorrt/loader.py", "tensorrt_lean") in found


def test_no_module_imports_itself_by_way_of_others() -> None:
    """At module level and inside functions alike."""
    assert [" ".join(group) for group in circles(own_imports())] == []


def test_the_search_finds_circles() -> None:
    edges = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"a"}}
    assert circles(edges) == [["a", "b", "c"], ["d", "e"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_own_modules_are_imported_at_the_top() -> None:
    """Inside functions only heavy packages of others are imported."""
    found = [
        f"{name} imports {', '.join(sorted(targets))} inside a function"
        for name, targets in own_imports(late=True).items()
        if targets and name != "edge_sr"
    ]
    assert found == []


def test_own_imports_are_absolute() -> None:
    relative = [
        f"{name}:{node.lineno}"
        for name, whole in files()
        for node in ast.walk(whole)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


def test_a_folder_can_be_read_at_a_glance() -> None:
    count = Counter(path.parent.relative_to(ROOT).as_posix() for path in modules().values())
    large = {name: n for name, n in count.items() if n > FILES}
    assert large == {}


def test_a_file_has_one_purpose_and_so_few_lines() -> None:
    long = {
        name: len((ROOT / name).read_text().splitlines())
        for name, _ in files()
        if len((ROOT / name).read_text().splitlines()) > LINES
    }
    assert long == {}


def test_tests_mirror_the_code() -> None:
    """tests/A/B/test_x.py tests A/B; what needs all rooms, and what has no room, stands above."""
    tests = [path for path in (ROOT / "tests").rglob("*.py") if "__pycache__" not in path.parts]
    names = Counter(path.name for path in tests if path.name != "conftest.py")
    twice = sorted(name for name, count in names.items() if count > 1 and name.startswith("test_"))
    assert twice == [], "pytest knows files without packages by their names"
    lost = [
        path.relative_to(ROOT).as_posix()
        for path in tests
        if path.name.startswith("test_")
        and not (ROOT / path.parent.relative_to(ROOT / "tests")).is_dir()
    ]
    assert lost == []


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
            {"numpy", "tensorflow", "onnx", "onnxruntime", "openvino", "cv2", "av", "PIL", "tqdm"},
        ),
        (
            "import edge_sr.cli.main, edge_sr.pipeline.run, edge_sr.upscaler, edge_sr.zoo",
            {
                "tensorflow",
                "keras",
                "onnx",
                "onnxruntime",
                "openvino",
                "cv2",
                "av",
                "PIL",
                "tqdm",
                *(set(ROOMS) - {"edge_sr"}),
            }
            | {"tensorrt", "tensorrt_lean", "tensorrt_rtx", "cuda", "pycuda"},
        ),
    ],
)
def test_importing_the_runtime_imports_nothing_heavy(code: str, banned: set[str]) -> None:
    command = [sys.executable, "-c", WALL.format(code=code, banned=banned)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_test_measures_a_time() -> None:
    """A busy machine fails no test: they use the fixture `clock`, events, or a limit on hanging."""
    timed = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "tests").rglob("*.py")
        if "tools" not in path.parts
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Assert)
        and any(
            isinstance(part, ast.BinOp) and re.search(r"\b(perf_counter|monotonic|time)\(\)", text)
            for part in ast.walk(node.test)
            if (text := ast.unparse(part))
        )
    ]
    assert timed == []
