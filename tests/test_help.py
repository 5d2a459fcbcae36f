"""Every command says in a sentence what it does, and shows examples that it understands itself."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("edge_sr", "convert", "calibration", "bench", "training")
NEEDS = {"convert": "onnx", "calibration": "onnx", "bench": "onnx", "training": "keras"}


def modules() -> Iterator[str]:
    """Files that are run as a program and have options: ``python -m NAME``, and edge-sr's own."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            text = path.read_text()
            if "argparse.ArgumentParser(" in text and 'if __name__ == "__main__"' in text:
                yield ".".join(path.relative_to(ROOT).with_suffix("").parts)


def parsers(name: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """(program, parser) of a module and of its commands."""
    parser = importlib.import_module(name).build_parser()
    found = [
        action.choices
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    ]
    if not found:
        yield parser.prog, parser
    for commands in found:
        for command in commands.values():
            yield command.prog, command


@pytest.fixture(params=sorted(modules()))
def module(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    needed = NEEDS.get(name.partition(".")[0])
    if needed:
        pytest.importorskip(needed, reason="pip install 'edge-sr[convert,train,bench]'")
    return name


def test_the_commands_are_found() -> None:
    assert {"edge_sr.cli", "bench.__main__", "convert.precision", "training.train"} <= set(
        modules()
    )


def test_help_is_a_sentence_and_examples_that_parse(module: str) -> None:
    whole = importlib.import_module(module).build_parser()
    for prog, parser in parsers(module):
        assert re.match(r"[A-Z].*\.$", parser.description or "", re.DOTALL), prog
        text = parser.format_help().replace("\\\n", " ")  # a line that goes on
        lines = re.findall(rf"^  ({re.escape(prog)}\b.*)$", text, re.MULTILINE)
        assert lines, f"{prog} --help shows no example"
        for line in lines:
            words = shlex.split(line, comments=True)[len(whole.prog.split()) :]
            assert whole.parse_args(words), line


def test_programs_are_named_as_they_are_called(module: str) -> None:
    prog = importlib.import_module(module).build_parser().prog
    name = module.removesuffix(".__main__")
    assert prog in (f"python -m {name}", "edge-sr")
