"""``--config`` and ``--print-config``: every option, checked as on the command line."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from edge_sr.cli.config import config_text, read_config
from edge_sr.cli.main import build_parser, main
from edge_sr.cli.run import make_spec, options_of, run_parser
from edge_sr.errors import UsageError
from edge_sr.pipeline.job import JobSpec

EVERYTHING = """\
input = "rtsp://camera.local/1"
camera-size = "1920x1080"
camera-fps = 25
camera-format = "NV12"
max-frames = 100
output = "null"
show = true
serve = "[::1]:8080"
virtual-camera = ""
crf = 20
preset = "fast"
codec = "h265"
force = true
resume = false
model = "edge-unet-m"
scale = 1.5
precision = "int8"
backend = "onnxruntime"
threads = 2
slots = 3
tile = "off"
compare = "split"
overlay = false
drop-policy = "none"
deadline-ms = 33.5
max-reconnect = 0
save-to = "clips"
"""


def job(*words: str) -> JobSpec:
    return make_spec(build_parser().parse_args(["run", *words]))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "camera.toml"
    found.write_text(EVERYTHING)
    return found


def test_a_file_is_the_same_as_its_options(path: Path) -> None:
    words = ["--camera-size=1920x1080", "--camera-fps=25", "--camera-format=NV12", "-n=100"]
    words += ["-o=null", "--show", "--serve=[::1]:8080", "--virtual-camera", "--crf=20"]
    words += ["--preset=fast", "--codec=h265", "--force", "-m=edge-unet-m", "--scale=1.5"]
    words += ["--precision=int8", "--backend=onnxruntime", "--threads=2", "--slots=3"]
    words += ["--tile=off", "--compare=split", "--no-overlay", "--drop-policy=none"]
    words += ["--deadline-ms=33.5", "--max-reconnect=0", "--save-to=clips"]
    assert job("--config", str(path)) == job("rtsp://camera.local/1", *words)


def test_every_field_of_a_job_has_an_option() -> None:
    names = {action.dest for action in run_parser()._actions}
    assert {item.name for item in fields(JobSpec)} - {"more_outputs"} <= names


def test_the_command_line_wins(path: Path) -> None:
    found = job("film.mp4", "--config", str(path), "--crf", "30", "--target", "1080p", "--overlay")
    assert (found.input, found.crf, found.scale, found.overlay) == ("film.mp4", 30, None, True)
    assert found.preset == "fast"
    assert job("--camera", "0", "--config", str(path)).input is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('inptu = "x"', "unknown key inptu; did you mean input?"),
        ("max_frames = 3", "unknown key max_frames; did you mean max-frames?"),
        ('show = "yes"', r"Expected `bool`, got `str` - at `\$.show`"),
        ("max-frames = [3]", r"at `\$.max-frames`"),
        ("crf = 99", "argument --crf: '99'; expected 0"),
        ('backend = "gpu"', "argument --backend: invalid choice: 'gpu'"),
        ('input = "a"\ncamera = 0', "not allowed with argument"),
        ("crf = ", "Invalid value"),
        ('"a\xff"', "camera.toml"),
    ],
)
def test_what_is_wrong_is_named(path: Path, text: str, message: str) -> None:
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=message) as error:
        read_config(path, run_parser(exit_on_error=False))
    assert str(error.value).startswith(f"{path}: ")


def test_a_missing_file_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--config", "no/such.toml"]) == 2
    assert capsys.readouterr().err.startswith("edge-sr: no/such.toml: cannot be read")


def test_what_is_printed_can_be_read(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--config", str(path), "--print-config"]) == 0
    printed = capsys.readouterr().out
    assert "# quality of a file, lower is better (default: 18)\ncrf = 20\n" in printed
    assert "# target =\n" in printed
    wanted = job("--config", str(path))
    path.write_text(printed)
    assert job("--config", str(path)) == wanted


@pytest.mark.parametrize("target", ["1080p", "1920x1080", "4k"])
def test_a_target_survives(tmp_path: Path, target: str) -> None:
    wanted = job("film.mp4", "--target", target, "--tile", "512")
    (tmp_path / "c.toml").write_text(config_text(options_of(wanted), run_parser(), comments=False))
    assert job("--config", str(tmp_path / "c.toml")) == wanted
