"""What the command refuses: one line on stderr, an exit code, and nothing left behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_sr.cli.main import main
from tests.edge_sr.cli.command_line import edge_sr, make_clip


def broken_files(tmp_path: Path) -> dict[str, Path]:
    clip = make_clip(tmp_path / "whole.mp4").read_bytes()
    files = {
        "missing.mp4": None,
        "text.mp4": b"hello, I am text\n" * 20,
        "empty.mp4": b"",
        "truncated.mp4": clip[: len(clip) // 2],
        "floating.tif": None,
    }
    for name, data in files.items():
        if data is not None:
            (tmp_path / name).write_bytes(data)
    Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / "floating.tif")
    return {name: tmp_path / name for name in files}


@pytest.mark.parametrize(
    "name", ["missing.mp4", "text.mp4", "empty.mp4", "truncated.mp4", "floating.tif"]
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    source = broken_files(tmp_path)[name]
    output = tmp_path / "results" / f"out{source.suffix}"
    output.parent.mkdir()
    done = edge_sr("run", "--input", source, "--output", output)
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[-1].startswith(f"edge-sr: {source}")
    assert len([line for line in lines if line.startswith("edge-sr:")]) == 1
    assert "Traceback" not in done.stderr
    assert list(output.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["run", "--input", "-"], 2, "nowhere to put the result"),
        (["run"], 2, "nothing to read: give a file"),
        (["run", "--print-config"], 2, "nothing to read: give a file"),
        (["run", "--input", "{clip}", "--output", "{clip}"], 1, "is the input"),
        (["run", "--input", "{clip}", "--output", "{folder}/no/o.mp4"], 1, "no/o.mp4"),
        (["run", "--input", "{clip}", "--output", "{folder}/o.txt"], 1, "mp4"),
        (["run", "--input", "{clip}", "--output", "null", "--model", "huge"], 1, "no such model"),
        (["run", "--input", "{clip}", "--output", "null", "--target", "32p"], 2, "not larger"),
        (
            ["run", "--input", "{clip}", "--output", "null", "--scale", "2", "--target", "128p"],
            2,
            "both given",
        ),
        (["info", "{clip}"], 1, "is no model of edge-sr; expected an .onnx file"),
        (["info", "edge-unet-x2"], 1, "; did you mean edge-unet-s-x2?"),
        (["run", "{clip}", "-m", "edge-unt-m"], 1, "; did you mean edge-unet-m?"),
        (["info", "a.keras"], 1, "edge-sr: a.keras: no such file"),
        (["info", "nope.onnx"], 1, "nope.onnx: no such file"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    clip: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, message: str
) -> None:
    before = clip.read_bytes()
    words = [word.format(clip=clip, folder=clip.parent) for word in words]
    assert main(words) == code
    said = capsys.readouterr()
    assert message in said.err.splitlines()[-1]
    assert said.out == ""
    assert clip.read_bytes() == before


def test_a_missing_camera_is_one_line() -> None:
    done = edge_sr("run", "--camera", "63", "--output", "null")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("edge-sr: camera 63")


def test_an_existing_output_stays_without_force(clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    output.write_text("precious")
    done = edge_sr("run", "--input", clip, "--output", output)
    assert done.returncode == 1
    assert "--force" in done.stderr
    assert output.read_text() == "precious"
    assert edge_sr("run", "--input", clip, "--output", output, "--force").returncode == 0
    assert output.stat().st_size > 1000


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--input", "a", "--camera", "0"],
        ["run", "a", "--camera", "0"],
        ["run", "a", "--crf", "60"],
        ["nope"],
    ],
)
def test_wrong_usage_exits_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(words)
    assert error.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.slow
def test_a_keras_file_that_cannot_be_converted_is_one_line(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(clip), "-m", "no.keras"]) == 1
    assert capsys.readouterr().err == "edge-sr: no.keras: no such file\n"
    pytest.importorskip("keras", reason="pip install 'edge-sr[convert]'")
    (tmp_path / "bad.keras").write_bytes(b"not a network")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert main(["run", str(clip), "-m", str(tmp_path / "bad.keras")]) == 1
    assert "bad.keras: not a .keras file" in capsys.readouterr().err.splitlines()[-1]


def test_no_memory_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full() -> list[str]:
        raise MemoryError

    monkeypatch.setattr("edge_sr.zoo.names", full)
    assert main(["models"]) == 1
    assert capsys.readouterr().err.startswith("edge-sr: out of memory; close other programs")
