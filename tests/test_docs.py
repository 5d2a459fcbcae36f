"""What the documents on training and models tell people to type is understood."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = ("docs/training.md", "docs/models.md", "lab/README.md", "lab/training.md", "lab/models.md")


def commands() -> list[list[str]]:
    text = "\n".join((ROOT / page).read_text() for page in PAGES)
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [words for words in map(shlex.split, lines) if words[:2] == ["python", "-m"]]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_module_understands_it(words: list[str]) -> None:
    for package in ("keras", "onnx"):
        pytest.importorskip(package, reason="pip install 'edge-sr[convert,train,bench]'")
    assert importlib.import_module(words[2]).build_parser().parse_args(words[3:])


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text()):
        assert link.startswith("https://") or ((ROOT / page).parent / link).exists(), link


@pytest.mark.parametrize("name", ["targets", "on-video", "search", "nodes"])
def test_models_has_the_marks_that_commands_write_between(name: str) -> None:
    text = (ROOT / "lab/models.md").read_text()
    assert text.index(f"<!-- {name} -->") < text.index(f"<!-- /{name} -->")
