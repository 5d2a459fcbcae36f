"""Fleet files and bench rows as small as they can be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.records import Row
from bench.rows import write_rows
from tests.fakes.bench_data import row

__all__ = ["fleet_file", "row"]

BOARDS = """
[board.hall]
host = "10.0.0.1"
rows = "rows.jsonl"
[board.yard]
host = "yard"
rows = "rows.jsonl"
load = 0.5
port = 9000
[board.roof]
host = "roof.local"
device = "orin-nano-super"
image = "edge-sr:jetpack62"
"""
DEFAULTS = """
[defaults]
model = "edge-unet-s"
fps = 25
size = "640x360"
"""


@pytest.fixture
def fleet_file(tmp_path: Path, row: Callable[..., Row]) -> Callable[..., Path]:
    """Write fleet.toml, beside rows in which a frame of edge-unet-s-x2 takes 6 ms."""
    sizes = {"width": 640, "height": 360, "device_name": "Orin"}
    slow = row("edge-unet-l-x2.int8", p50=15.0, precision="int8", backend="tensorrt", **sizes)
    write_rows(tmp_path / "rows.jsonl", [row("edge-unet-s-x2", p50=5.4, **sizes), slow])

    def write(cameras: str, *, boards: str = BOARDS, defaults: str = DEFAULTS) -> Path:
        path = tmp_path / "fleet.toml"
        path.write_text(defaults + boards + cameras)
        return path

    return write
