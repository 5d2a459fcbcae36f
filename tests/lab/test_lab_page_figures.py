"""The figures of the page: options are checked, and a film's bandwidth is printed."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="pip install 'edge-sr[serve]'")

from lab.soak.page_figures import main
from tests.edge_sr.media.clips import make_clip


def test_bandwidth_of_a_film(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = make_clip(tmp_path / "film.mkv", size=(320, 180))
    assert main(["bandwidth", str(clip), "--frames", "4"]) == 0
    assert "Mbit/s" in capsys.readouterr().out


def test_bandwidth_needs_a_film(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["bandwidth"])
    assert stop.value.code == 2
    assert "bandwidth needs a film" in capsys.readouterr().err
