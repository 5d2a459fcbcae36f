"""``edge-sr export | build | calibrate | train | bench``: the programs of the workshop."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sr import extras
from edge_sr.cli import doors
from edge_sr.cli.main import build_parser, main

ROOT = Path(__file__).parents[3]
WORKSHOP = ("onnx", "skimage", "jinja2", "matplotlib", "tensorflow", "keras", "tf2onnx")
HIDE = """
import sys

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)

sys.meta_path.insert(0, Hide())
"""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []

    def run(program: str, words: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        found.append((program, list(words)))
        return subprocess.CompletedProcess([], 7)

    monkeypatch.setattr(doors, "run_module", run)
    monkeypatch.setattr(doors, "missing", lambda _program, _words: "")
    return found


@pytest.mark.parametrize(
    ("words", "program", "handed"),
    [
        ("export --model a.keras -v", "convert.export_onnx", "--model a.keras -v"),
        ("export --help", "convert.export_onnx", "--help"),
        ("build --list-cache", "convert.build_engine", "--list-cache"),
        ("calibrate clip.mp4 --output f", "calibration.collect", "clip.mp4 --output f"),
        ("calibrate collect clip.mp4", "calibration.collect", "clip.mp4"),
        ("calibrate ranges --model a.onnx", "calibration.ranges", "--model a.onnx"),
        ("calibrate sensitivity --help", "calibration.sensitivity", "--help"),
        ("train --from edge-unet-s-x2", "training.train", "--from edge-unet-s-x2"),
        ("bench run --models a", "bench", "run --models a"),
        ("bench", "bench", ""),
        ("fleet plan a.toml", "fleet", "plan a.toml"),
        ("library a -o b --ray auto", "fleet.library", "a -o b --ray auto"),
        ("export-triton a -o b", "fleet.export_triton", "a -o b"),
    ],
)
def test_arguments_are_handed_over(
    asked: list[tuple[str, list[str]]], words: str, program: str, handed: str
) -> None:
    assert main(words.split()) == 7
    assert asked == [(program, handed.split())]


def test_the_exit_code_and_the_messages_are_the_programs(
    capfd: pytest.CaptureFixture[str],
) -> None:
    for package in ("onnx", "skimage", "jinja2", "matplotlib"):
        pytest.importorskip(package, reason="pip install 'edge-sr[bench]'")
    assert main(["bench", "nonsense"]) == 2
    assert "python -m bench" in capfd.readouterr().err


@pytest.mark.parametrize("door", doors.DOORS, ids=lambda door: door.name)
def test_a_missing_package_is_one_line_with_the_pip_command(
    door: doors.Door, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(extras.NEEDS, door.program, extras.Extra("some", ("no_such_package",)))
    assert main([door.name, "--version"]) == 1
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert "no_such_package is not installed: " in line
    assert line.endswith("pip install 'edge-sr[some]'")
    assert printed.out == ""


@pytest.mark.parametrize(
    ("program", "package", "extra"),
    [
        ("convert.export_onnx", "tf2onnx", "convert"),
        ("convert.build_engine", "onnx", "build"),
        ("convert.precision", "onnx", "build"),
        ("calibration.collect", "onnx", "build"),
        ("training.train", "keras", "train"),
        ("bench", "skimage", "bench"),
    ],
)
def test_a_program_of_the_workshop_names_its_extra(
    program: str, package: str, extra: str, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(HIDE.format(names=(package,)))
    done = subprocess.run(
        [sys.executable, "-m", program, "--quiet"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    name = extras.PIP_NAMES.get(package, package)
    missing, _, command = line.removeprefix(f"{program}: ").partition(" not installed: ")
    assert name in re.split(r", | ", missing)  # where less is installed, it names that as well
    assert command
    assert line.endswith(f"pip install 'edge-sr[{extra}]'")


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("convert.build_engine", "--precision"),
        ("bench", "device-check"),
        ("bench run", "--rivals"),
        ("bench demo", "1440p"),
    ],
)
def test_help_is_shown_without_the_packages(command: str, shown: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HIDE.format(names=WORKSHOP))
    done = subprocess.run(
        [sys.executable, "-m", *command.split(), "--help"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert shown in done.stdout


def test_the_demo_needs_what_make_demo_installs(tmp_path: Path) -> None:
    """README's first command: on a new machine only the extra `cpu` is there."""
    demo, made = (ROOT / "Makefile").read_text().split("\ndemo: ")[1].split("\n\n")[0].split("\n\t")
    assert (demo, made.split(" -m ")[1]) == (".venv/.cpu", "bench demo")
    assert extras.extra_of("bench", ["demo"]) == "cpu"
    (tmp_path / "sitecustomize.py").write_text(HIDE.format(names=WORKSHOP))
    done = subprocess.run(
        [sys.executable, "-m", "bench", "demo", "--no-such-option"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, "it began: the usage was wrong, no package was missing"


def test_importing_a_package_of_programs_checks_nothing(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HIDE.format(names=("onnx", "keras")))
    code = "import convert, calibration, training, bench"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_advice_on_a_jetson_never_hides_its_opencv(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert extras.install_command("cpu").endswith("'edge-sr[cpu]'")
    monkeypatch.setattr(extras, "JETSON", tmp_path)
    assert extras.install_command("cpu").endswith("'edge-sr[cpu]'")
    (tmp_path / "release").touch()
    monkeypatch.setattr(extras, "JETSON", tmp_path / "release")
    assert extras.install_command("cpu").endswith("'edge-sr[jetson]'")
    assert extras.install_command("window").endswith("'edge-sr[jetson]'")
    assert extras.install_command("bench").endswith("'edge-sr[jetson,check]'")


def test_doors_parse_whatever_a_program_takes() -> None:
    args = build_parser().parse_args(["export", "--help", "-q", "--version", "--", "x"])
    assert args.words == ["--help", "-q", "--version", "--", "x"]
