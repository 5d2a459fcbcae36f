"""The commands of docs/live.md are understood, and its Python runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from edge_sr.cli.config import read_config
from edge_sr.cli.main import build_parser
from edge_sr.cli.run import run_parser

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


def test_its_configuration_is_read(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "camera.toml"
    path.write_text(block)
    found = read_config(path, run_parser(exit_on_error=False))
    assert found["output"] == ["today.mp4", "small.mp4?size=720p&crf=28"]
    assert (found["publish"], found["deadline_ms"]) == (["rtsp://127.0.0.1:8554/door"], 30)
