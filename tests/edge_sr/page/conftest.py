"""A page without a pipeline: frames are published by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="pip install 'edge-sr[serve]'")

from edge_sr import Upscaler
from edge_sr.live.compare import View
from edge_sr.live.control import RunControl
from edge_sr.live.recorder import Recorder
from edge_sr.media.sources.pattern import Pattern
from edge_sr.page.server import PageServer
from edge_sr.session.model_switch import ModelSwitch
from edge_sr.types import Size


@pytest.fixture
def control(tmp_path: Path) -> Iterator[RunControl]:
    """A run from 64x48 to 128x96 that nobody drives."""
    source = Pattern(64, 48, live=True)
    with ModelSwitch(Upscaler.open("edge-unet-s-x2"), Size(128, 96), Upscaler.open) as switch:
        yield RunControl(
            source=source,
            size=Size(128, 96),
            switch=switch,
            recorder=Recorder(tmp_path, source=source.info),
            folder=tmp_path,
            view=View(),
        )


@pytest.fixture
def page(control: RunControl) -> Iterator[PageServer]:
    """Its page, on loopback."""
    server = PageServer(control, host="127.0.0.1", port=0)
    try:
        yield server
    finally:
        server.close()
