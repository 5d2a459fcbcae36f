"""The commands of docs/live.md are understood, and its Python runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from edge_sr.cli.main import build_parser

PAGE = (Path(__file__).parents[3] / "docs" / "live.md").read_text()


def commands() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    return [line.removeprefix("sudo ") for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("line", commands())
def test_edge_sr_understands_it(line: str) -> None:
    words = shlex.split(line, comments=True)
    assert words[0] == "edge-sr"
    assert callable(build_parser().parse_args(words[1:]).command)


def test_its_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(block, {})  # noqa: S102 - our own page
    assert capsys.readouterr().out == "".join(f"(360, 640) {number}\n" for number in range(3))
