"""What every parser does: hints for typing errors, help for every option, closed pipes."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata

import pytest

from edge_sr import __version__, cli
from edge_sr.cli.common import make_parser
from edge_sr.cli.main import build_parser, main
from edge_sr.errors import did_you_mean
from edge_sr.pipeline.job import JobSpec, Result


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from parsers(command)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("rum film.mp4", "did you mean run?"),
        ("modles", "did you mean models?"),
        ("run film.mp4 --ouput x", "did you mean --output?"),
        ("run film.mp4 --max-frame=3 --modle x", "did you mean --model?"),
        ("run film.mp4 --backend tensorr", "did you mean tensorrt?"),
        ("models --jsn", "did you mean --json?"),
        ("service instal", "did you mean install?"),
    ],
)
def test_the_nearest_name_is_suggested(
    words: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as error:
        main(words.split())
    assert error.value.code == 2
    assert capsys.readouterr().err.strip().endswith(hint)


def test_a_command_suggests_its_own_options_only(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["models", "--ouput"])
    printed = capsys.readouterr().err
    assert "did you mean" not in printed
    assert printed.startswith("usage: edge-sr models ")


def test_positional_arguments_may_stand_between_options() -> None:
    parser = make_parser("program", "Work.", examples="")
    parser.add_argument("inputs", nargs="*")
    parser.add_argument("--count")
    found = parser.parse_intermixed_args(["a", "--count", "3", "b"])
    assert (found.inputs, found.count) == (["a", "b"], "3")


def test_a_program_of_one_command_has_hints_too(capsys: pytest.CaptureFixture[str]) -> None:
    parser = make_parser("program", "Work.", examples="")
    parser.add_argument("--count")
    with pytest.raises(SystemExit):
        parser.parse_args(["--coutn=3"])
    assert capsys.readouterr().err.endswith("--coutn=3; did you mean --count?\n")


def test_nothing_near_is_no_hint() -> None:
    assert did_you_mean("--frobnicate", ["--output"]) == ""


def test_every_option_has_help() -> None:
    bare = [
        f"{parser.prog} {'/'.join(action.option_strings) or action.dest}"
        for parser in parsers(build_parser())
        for action in parser._actions
        if not action.help and not isinstance(action, argparse._SubParsersAction)
    ]
    assert bare == []


@pytest.mark.parametrize("module", ["edge_sr", "edge_sr.cli", "edge_sr.cli.main"])
def test_the_modules_that_are_the_command(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == f"edge-sr {__version__}"
    assert f"ONNX Runtime {metadata.version('onnxruntime')}" in second


@pytest.mark.parametrize("words", ["models", "doctor --help", "info edge-unet-s-x2 --json"])
def test_a_reader_that_leaves_is_no_traceback(words: str) -> None:
    program = "import os; os.close(0); from edge_sr.cli.main import run_process; run_process()"
    read, write = cli_pipe()
    done = subprocess.run(
        [sys.executable, "-c", program, *words.split()],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    swallowed = 0  # by the argparse of newer Pythons
    assert done.returncode in ((141, swallowed) if "help" in words else (141,))
    assert read is None


def cli_pipe() -> tuple[None, int]:
    """The writing end of a pipe that nobody reads."""
    import os

    read, write = os.pipe()
    os.close(read)
    return None, write


def test_importing_the_package_starts_nothing() -> None:
    assert cli.__doc__


def test_the_demo_is_a_run_of_the_clip_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[JobSpec] = []

    def run_job(spec: JobSpec, **_: object) -> Result:
        asked.append(spec)
        return Result(read=1, written=1, dropped=0, seconds=1.0)

    monkeypatch.setattr("edge_sr.cli.run.run_job", run_job)
    assert main(["demo"]) == 0
    assert main(["demo", "--serve", "0", "-m", "edge-unet-l"]) == 0
    first, second = asked
    assert (first.input, first.serve, first.output) == ("test://clip", ("127.0.0.1", 8080), None)
    assert (second.serve, second.model) == (("127.0.0.1", 0), "edge-unet-l")
