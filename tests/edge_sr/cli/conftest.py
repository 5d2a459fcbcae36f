"""A clip to run the command on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.edge_sr.cli.command_line import make_clip


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "in.mp4")
