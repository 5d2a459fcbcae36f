"""What the documents on training and models show is understood."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest
from source import modules

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


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


def test_the_tree_of_the_architecture_is_the_tree() -> None:
    tree = ARCHITECTURE.partition("## The tree")[2].partition("```text")[2].partition("```")[0]
    named, parents = set(), [""]
    for line in tree.strip("\n").splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        parents[depth + 1 :] = [parents[depth] + line.split()[0]]
        named.add(parents[depth + 1].rstrip("/"))
    folders = {path.parent.relative_to(ROOT).as_posix() for path in modules().values()}
    assert named - {"tests"} == folders


def test_each_journey_names_at_most_eight_files_that_exist() -> None:
    journeys = ARCHITECTURE.partition("## Journeys")[2].partition("\n## ")[0].split("\n### ")[1:]
    assert len(journeys) == 4
    for journey in journeys:
        names = set(re.findall(r"`([\w/]+\.py)`", journey))
        assert 4 <= len(names) <= 8, journey
        for name in names:
            assert (ROOT / name).is_file(), name


def test_files_that_contributing_names_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    names = [name for name in re.findall(r"`([\w/]+(?:\.py|/))`", text) if "/" in name]
    assert len(names) > 15
    for name in names:
        assert (ROOT / name).exists(), name
