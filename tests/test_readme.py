"""What the README shows as commands is understood; what it shows in Python runs."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest

from edge_sr.cli.main import build_parser

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
MODULES = {  # python -m NAME -> the extra that brings what it imports
    "convert.export_onnx": "onnx",
    "convert.precision": "onnx",
    "convert.verify": "onnx",
    "convert.build_engine": "onnx",
    "calibration.collect": "onnx",
    "training.train": "keras",
    "bench": "onnx",
}


def commands() -> list[list[str]]:
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [shlex.split(line, comments=True) for line in lines]


def test_the_readme_has_commands_of_every_kind() -> None:
    assert {words[0] for words in commands()} >= {"make", "edge-sr", "python", "pip"}


@pytest.mark.parametrize(
    "words", [words for words in commands() if words[0] == "edge-sr"], ids=" ".join
)
def test_edge_sr_understands_it(words: list[str]) -> None:
    assert callable(build_parser().parse_args(words[1:]).command)


@pytest.mark.parametrize(
    "words", [words for words in commands() if words[0] == "python"], ids=" ".join
)
def test_a_module_understands_it(words: list[str]) -> None:
    assert words[1] == "-m"
    name = words[2]
    pytest.importorskip(MODULES[name], reason="pip install 'edge-sr[convert,train,bench]'")
    module = importlib.import_module(f"{name}.__main__" if name == "bench" else name)
    assert module.build_parser().parse_args(words[3:])


@pytest.mark.parametrize("words", [words for words in commands() if words[0] == "make"])
def test_make_has_the_target(words: list[str]) -> None:
    assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    "words", [words for words in commands() if words[:2] == ["pip", "install"]]
)
def test_pip_installs_extras_that_exist(words: list[str]) -> None:
    extras = re.search(r"\[(.*)\]", words[2])  # what follows are bounds of other packages
    assert extras is not None
    known = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert set(extras[1].split(",")) <= set(known)


def test_the_python_examples_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})  # noqa: S102 - our own README


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
