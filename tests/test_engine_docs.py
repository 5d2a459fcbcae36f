"""docs/engines.md: its commands are understood, its JetPack table is the code's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="pip install 'edge-sr[convert]'")

from convert import build_engine, verify
from convert.engine.platforms import JETPACKS

TEXT = (Path(__file__).parent.parent / "docs" / "engines.md").read_text()
MODULES = {"convert.build_engine": build_engine, "convert.verify": verify}
COMMANDS = [
    shlex.split(line[2:], comments=True)
    for block in re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
]


@pytest.mark.parametrize("words", [w for w in COMMANDS if "convert." in str(w)], ids=" ".join)
def test_its_commands_are_understood(words: list[str]) -> None:
    assert words[1] == "-m"
    assert MODULES[words[2]].build_parser().parse_args(words[3:])


def test_its_options_exist() -> None:
    known = build_engine.build_parser().format_help()
    for option in re.findall(r"^\| `(--[\w-]+)", TEXT, re.MULTILINE):
        assert option in known


def test_its_jetpacks_are_the_codes() -> None:
    rows = re.findall(r"^\| (\d\.\d[.\d]*) \|(.*)\|$", TEXT, re.MULTILINE)
    shown = {}
    for name, rest in rows:
        l4t, cuda, tensorrt, python, boards, _ = (cell.strip() for cell in rest.split("|"))
        for release in l4t.split(", "):
            shown[release] = (name, cuda, tensorrt, python, boards)
    assert shown == {
        item.l4t: (item.name, item.cuda, item.tensorrt, item.python, item.boards)
        for item in JETPACKS
    }
