"""docs/commands.md is what the commands print for ``--help`` today."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from stand_ins import ROOT

for package in ("keras", "onnx"):
    pytest.importorskip(package, reason="pip install 'edge-sr[convert,train,bench]'")

from lab.pages import help_page  # noqa: E402


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="argparse writes options in another way")
def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    assert help_page.render() == page, "run: python -m lab.pages.help_page"


def test_it_has_every_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert help_page.main(["--output", str(tmp_path / "page.md")]) == 0
    assert "page.md" in capsys.readouterr().out
    text = (tmp_path / "page.md").read_text()
    for title in ("edge-sr run", "edge-sr service install", "python -m convert.build_engine"):
        assert f"\n## {title}\n" in text
