from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sr import extras
from edge_sr.errors import MissingDependencyError
from edge_sr.media import libraries

CODE = """
import sys

class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"cv2", "av", "PIL"}:
            raise AssertionError("imported " + name)

sys.meta_path.insert(0, Wall())
import edge_sr.media.frame
for name in (
    "chroma", "color", "sinks.null", "sinks.window", "sinks.writer", "sources.camera",
    "sources.file", "sources.pattern", "stills.files",
):
    __import__("edge_sr.media." + name)
"""


def test_importing_the_modules_imports_no_foreign_package() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("package", "load", "name"),
    [
        ("av", libraries.load_av, "PyAV"),
        ("cv2", libraries.load_cv2, "OpenCV"),
        ("PIL", libraries.load_pillow, "Pillow"),
    ],
)
def test_a_missing_package_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, package: str, load: object, name: str
) -> None:
    for loaded in [key for key in sys.modules if key.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf"{name} .*pip install 'edge-sr\[cpu\]'"):
        load()  # type: ignore[operator]


@pytest.mark.parametrize(
    "raised",
    ["ImportError('numpy.core.multiarray failed')", "AttributeError('_ARRAY_API not found')"],
)
def test_jetpacks_opencv_beside_numpy_2_is_recognised(
    raised: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """opencv/opencv issue 25772; pip's OpenCV would hide JetPack's, and is not advised."""
    (tmp_path / "cv2.py").write_text(f"raise {raised}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    monkeypatch.setattr(extras, "version_of", lambda *_: "2.2.6")
    with pytest.raises(MissingDependencyError, match=r"NumPy 2.2.6 .* install 'numpy<2'$"):
        libraries.load_cv2()


def test_opencv_comes_before_pyav_where_there_is_a_screen() -> None:
    code = (
        "import sys; from edge_sr.media.libraries import load_av; load_av(); "
        "names = list(sys.modules); print(names.index('cv2') < names.index('av'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "DISPLAY": ":0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "True\n", done.stderr
