"""A page, a recording and RTSP at once for some seconds: the figures that are printed."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("websockets", reason="pip install 'edge-sr[serve]'")

from edge_sr.media.sinks.rtsp_server import find_python
from lab import page_together


@pytest.mark.slow
@pytest.mark.skipif(find_python() is None, reason="needs GStreamer's RTSP server")
def test_all_three_run_to_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_together, "EVERY_S", 1.0)
    assert page_together.main(["--minutes", "0.4"]) == 0
    printed = capsys.readouterr().out
    assert "viewer and reader were there to the end: True" in printed
    assert int(re.findall(r"(\d+) frames", printed)[0]) > 0
