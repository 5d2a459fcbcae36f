"""The command line as a person meets it: results on stdout, messages on stderr, exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from clocks import HANG_S
from PIL import Image

from edge_sr import zoo
from edge_sr.cli.main import build_parser, main
from edge_sr.cli.run import make_spec, with_output
from edge_sr.media.sources.file import VideoFile
from tests.edge_sr.cli.command_line import edge_sr, make_clip

PRETRAINED = Path(__file__).parents[3] / "training" / "pretrained"


def test_a_clip_is_upscaled_with_its_times_and_tags(clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    done = edge_sr("run", "--input", clip, "--output", output)
    assert done.returncode == 0, done.stderr
    assert re.match(rf"{re.escape(str(output))}: 192x128.*6 frames.* fps", done.stdout)
    assert "edge-unet-s-live-x2 (fp32) on onnxruntime, CPU" in done.stderr
    with VideoFile(clip) as before, VideoFile(output) as after:
        pairs = list(zip(before, after, strict=True))
    for old, new in pairs:
        assert new.pts * new.time_base == old.pts * old.time_base
        assert new.color == old.color
        assert new.y.shape == (128, 192)


@pytest.mark.parametrize(
    ("options", "size", "model"),
    [
        (["-m", "edge-unet-s", "--scale", "1.5"], "144x96", "edge-unet-s-x1.5"),
        (["-m", "edge-unet-s", "--target", "128p"], "192x128", "edge-unet-s-x2"),
        (["--target", "128p", "--model", "edge-unet-s-x1.5"], "192x128", "edge-unet-s-x1.5"),
        (["-m", "edge-unet-s", "--target", "120x80"], "120x80", "edge-unet-s-x1.5"),
        (["-m", "edge-unet-s", "--scale", "3"], "288x192", "edge-unet-s-x2"),
        (["--backend", "nearest"], "192x128", "nearest neighbour, no network, CPU"),
    ],
)
def test_the_asked_size_decides_the_model(
    clip: Path, capsys: pytest.CaptureFixture[str], options: list[str], size: str, model: str
) -> None:
    assert main(["run", "--input", str(clip), "--output", "null", *options]) == 0
    said = capsys.readouterr()
    assert size in said.out
    assert model in said.err


def test_beyond_the_models_scale_is_said(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["run", "--input", str(clip), "--output", "null", "--scale", "3"])
    assert "beyond the model's x2: the rest of the way is bicubic" in capsys.readouterr().err


def test_max_frames_cuts(clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mkv"
    assert main(["run", "--input", str(clip), "--output", str(output), "--max-frames", "2"]) == 0
    with VideoFile(output) as source:
        assert len(list(source)) == 2


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
def test_an_image_keeps_its_mode(tmp_path: Path, mode: str) -> None:
    source, output = tmp_path / "in.png", tmp_path / "out.png"
    Image.effect_noise((33, 21), 60).convert(mode).save(source)
    assert main(["run", "--input", str(source), "--output", str(output)]) == 0
    with Image.open(output) as image:
        assert (image.mode, image.size) == (mode, (66, 42))


def test_a_folder_is_upscaled_and_what_is_broken_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, output = tmp_path / "photos", tmp_path / "big"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (20, 16), "teal").save(folder / name)
    (folder / "c.png").write_bytes(b"not a picture")
    assert main(["run", "--input", str(folder), "--output", str(output)]) == 1
    said = capsys.readouterr()
    assert {path.name for path in output.iterdir()} == {"a.png", "b.png"}
    assert "2 of 3 images" in said.out
    assert "c.png" in said.err


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_keeps_what_is_done_under_another_name(
    tmp_path: Path, name: str, code: int
) -> None:
    clip = make_clip(tmp_path / "long.mp4", frames=400)
    output = tmp_path / "out.mp4"
    command = [sys.executable, "-m", "edge_sr", "run", "--threads", "1"]
    command += ["--input", str(clip), "--output", str(output)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + HANG_S
        part = tmp_path / ".out.mp4.part"  # of which 88 bytes come before the first frame
        while not part.exists() or part.stat().st_size < 1000:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(process.pid, getattr(signal, name))
        _, words = process.communicate(timeout=HANG_S)
    assert process.returncode == code, words
    assert not output.exists()
    partial = tmp_path / "out.partial.mp4"
    with VideoFile(partial) as source:
        assert 0 < len(list(source)) < 400
    assert "Traceback" not in words
    assert words.splitlines()[-1] == "stopped early: the same command with --resume continues"
    assert list(tmp_path.glob("*.part")) == []


@pytest.mark.slow
def test_the_demo_shows_a_page_until_it_is_stopped() -> None:
    pytest.importorskip("uvicorn", reason="pip install 'edge-sr[serve]'")
    command = [sys.executable, "-m", "edge_sr", "demo", "--serve", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        pages = (line.partition("page: ")[2].strip() for line in process.stderr)
        address = next(filter(None, pages))
        with urllib.request.urlopen(address, timeout=HANG_S) as answer:  # noqa: S310 - our own page
            assert "<canvas" in answer.read().decode()
        os.kill(process.pid, signal.SIGINT)
        _, words = process.communicate(timeout=HANG_S)
    assert process.returncode == 130, words
    assert "Traceback" not in words


def test_models_lists_the_zoo(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    table = capsys.readouterr().out
    assert all(name in table for name in zoo.names())
    assert table.splitlines()[-1].startswith("-live models are for compressed")
    assert "Set5, Set14, BSD100: PSNR-Y in dB on clean images" in table
    line = next(line for line in table.splitlines() if line.startswith("edge-unet-s-x2 "))
    assert line.split()[1:5] == ["x2", "luma", "fp32", "19,060"]
    assert main(["models", "--json"]) == 0
    assert [item["name"] for item in json.loads(capsys.readouterr().out)] == sorted(
        [*zoo.names(), *zoo.names("int8")]
    )


def test_info_shows_and_checks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "edge-unet-s-x2", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["scale"], facts["color"], facts["precision"]) == ("2", "luma", "fp32")
    assert main(["info", "edge-unet-s-x2"]) == 0
    printed = capsys.readouterr().out
    for words in ("19,060 parameters", "by 2, frames of any size", "bicubic 33.66 dB", "tf2onnx"):
        assert words in printed
    assert main(["info", "edge-unet-s-x2.int8"]) == 0
    assert "against fp32" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "options", "output"),
    [
        ("film.mp4", [], "film-x2.mp4"),
        ("film.MKV", ["--scale", "1.5"], "film-x1.5.MKV"),
        ("film.avi", ["-m", "edge-unet-s-x1.5"], "film-x1.5.mkv"),
        ("my.film.mp4", ["--target", "1080p"], "my.film-1080p.mp4"),
        ("film.mp4", ["--target", "1920x1080"], "film-1920x1080.mp4"),
        ("photo.jpg", [], "photo-x2.jpg"),
        ("photos", [], "photos-x2"),
        ("photos/", [], "photos-x2"),
    ],
)
def test_a_result_without_a_name_is_beside_its_input(
    name: str, options: list[str], output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    args = build_parser().parse_args(["run", name, *options])
    assert with_output(make_spec(args)).output == output


@pytest.mark.parametrize(
    ("words", "show"),
    [
        ("0", True),
        ("/dev/video2", True),
        ("rtsp://camera.local/1", True),
        ("test://64x48", True),
        ("0 --serve 8080", False),
        ("0 --virtual-camera", False),
        ("--camera 0", False),  # what is live opens a window in any case
        ("-", False),
        ("film.mp4 --show", True),
        ("film.mp4 --serve 0", False),
    ],
)
def test_what_is_for_looking_at_writes_no_file(words: str, show: bool) -> None:
    spec = with_output(make_spec(build_parser().parse_args(["run", *words.split()])))
    assert (spec.output, spec.show) == (None, show)


def test_the_name_of_a_variable_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = make_spec(build_parser().parse_args(["run", "env:CAMERA"]))
    monkeypatch.setenv("CAMERA", "rtsp://me:secret@camera.local/1")
    assert with_output(spec).show
    monkeypatch.setenv("CAMERA", "film.mp4")
    assert with_output(spec).output == "film-x2.mp4"


def test_a_film_is_upscaled_beside_itself_and_never_twice(
    clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = clip.with_name("in-x2.mp4")
    assert main(["run", str(clip), "-n", "2"]) == 0
    assert capsys.readouterr().out.startswith(f"{output}: 192x128")
    before = output.read_bytes()
    assert main(["run", str(clip)]) == 1
    assert "--force" in capsys.readouterr().err
    assert output.read_bytes() == before


def test_an_image_and_a_folder_go_beside_themselves(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (20, 16), "teal").save(tmp_path / "photos/a.jpg")
    assert main(["run", str(tmp_path / "photos/a.jpg")]) == 0
    assert main(["run", str(tmp_path / "photos"), "-m", "edge-unet-s-x1.5"]) == 0
    with Image.open(tmp_path / "photos/a-x2.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (40, 32))
    assert {path.name for path in (tmp_path / "photos-x1.5").iterdir()} == {"a.jpg", "a-x2.jpg"}


@pytest.mark.slow
def test_a_keras_file_is_converted_once(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tf2onnx", reason="pip install 'edge-sr[convert]'")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = tmp_path / "mine.keras"
    model.write_bytes((PRETRAINED / "edge-unet-s-x1.5.keras").read_bytes())
    words = ["run", str(clip), "-m", str(model), "-n", "1", "-o"]
    assert main([*words, str(tmp_path / "a.mp4")]) == 0
    first = capfd.readouterr()
    assert first.out.startswith(f"{tmp_path / 'a.mp4'}: 144x96")
    assert "mine.keras: luma, x1.5, fp32" in first.err
    assert main([*words, str(tmp_path / "b.mp4")]) == 0
    assert (tmp_path / "b.mp4").read_bytes() == (tmp_path / "a.mp4").read_bytes()


def test_quiet_leaves_the_result_alone(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-q", str(clip)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert len(printed.out.splitlines()) == 1
