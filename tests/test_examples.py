"""Every script of `examples/` runs, is short, and is listed in the folder's README."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_sr.media.sources.file import VideoFile

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
LINES = {"triton_clip.py": 60}  # a client of a server, and a film; the others: 40


def run(name: str, *words: str | Path, home: Path) -> str:
    """Run a script in a process of its own; returns what it printed."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *map(str, words)],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_are_listed_and_short() -> None:
    names = sorted(path.name for path in EXAMPLES.glob("*.py"))
    listed = re.findall(r"\| \[(\w+\.py)\]", (EXAMPLES / "README.md").read_text())
    assert sorted(listed) == names
    assert len(names) == 6
    assert [
        n for n in names if len((EXAMPLES / n).read_text().splitlines()) > LINES.get(n, 40)
    ] == []


def test_a_folder_of_images(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.new("RGB", (32, 24), (200, 90, 30)).save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_text("no picture")
    said = run("folder_of_images.py", "in", "out", home=tmp_path)
    assert "left out: in/b.png" in said
    assert "1 upscaled, 0 were there, 1 left out" in said
    with Image.open(tmp_path / "out" / "a.png") as picture:
        assert picture.size == (64, 48)


def test_a_film_with_progress(tmp_path: Path) -> None:
    said = run("film_with_progress.py", "test://64x48?frames=6", "o.mp4", home=tmp_path)
    assert "6/6 frames" in said
    assert "sha256" in said
    with VideoFile(tmp_path / "o.mp4") as film:
        assert [frame.size for frame in film] == [(128, 96)] * 6


def test_a_camera_loop_without_a_screen(tmp_path: Path) -> None:
    source = "test://64x48@50?live=1"
    run("camera_loop.py", source, "--frames", "5", "--save", "last.png", home=tmp_path)
    with Image.open(tmp_path / "last.png") as file:
        picture = np.asarray(file)
    assert picture.shape == (96, 128, 3)
    assert picture.std() > 20


def test_numpy_arrays(tmp_path: Path) -> None:
    said = run("numpy_arrays.py", home=tmp_path)
    assert "RGB (90, 160, 3) -> (180, 320, 3)" in said
    assert "frame 2 320x180" in said


@pytest.mark.slow
def test_a_keras_network_of_ones_own(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="pip install 'edge-sr[convert]'")
    builds = importlib.util.find_spec("tensorrt_rtx") is not None
    said = run("own_keras_model.py", "out", *["--engine"] * builds, home=tmp_path)
    assert "out/mine.onnx (36, 64, 3)" in said
    assert (tmp_path / "out" / "mine.onnx.json").is_file()
    assert len(list(tmp_path.rglob("*.engine"))) == builds
