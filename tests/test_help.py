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
ROOMS = ("edge_sr", "convert", "calibration", "bench", "fleet", "training", "lab")
NEEDS = {"convert": "onnx", "calibration": "onnx", "bench": "onnx", "training": "keras"}


CHILDREN = {
    "bench.check.step",
    "bench.measure.memory",
    "lab.soak.counted",
    "convert.engine.child",
    "convert.keras.export",
    "edge_sr.children",
    "edge_sr.cuda.driver",
    "edge_sr.doctor.probe",
}  # started by our own modules only
SAME = {"edge_sr.__main__", "edge_sr.cli.__main__"}  # other names of edge_sr.cli.main


def modules() -> Iterator[str]:
    """Files that a person runs as a program: ``python -m NAME``, and edge-sr's own."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            if 'if __name__ == "__main__"' in path.read_text() and name not in CHILDREN | SAME:
                yield name


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A program's parser and those of its commands, and of theirs."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from parsers(command)


@pytest.fixture(params=sorted(modules()))
def module(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    needed = NEEDS.get(name.partition(".")[0])
    if needed:
        pytest.importorskip(needed, reason="pip install 'edge-sr[convert,train,bench]'")
    return name


def test_the_commands_are_found() -> None:
    found = set(modules())
    assert {"edge_sr.cli.main", "bench.__main__", "convert.build_engine", "training.train"} <= found
    from edge_sr.cli.main import build_parser

    assert "edge-sr service install" in {parser.prog for parser in parsers(build_parser())}


def test_help_is_a_sentence_and_examples_that_parse(module: str) -> None:
    whole = importlib.import_module(module).build_parser()
    for parser in parsers(whole):
        prog = parser.prog
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
