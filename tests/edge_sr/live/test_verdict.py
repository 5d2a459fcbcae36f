"""Whether a run keeps up, in one line; and percentiles that belong to one model."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from fakes.sessions import a_shot

from edge_sr import Upscaler
from edge_sr.live.compare import View
from edge_sr.live.control import RunControl
from edge_sr.live.recorder import Recorder
from edge_sr.live.verdict import Verdict
from edge_sr.media.frame import StreamInfo
from edge_sr.media.sources.pattern import Pattern
from edge_sr.pipeline.stats import Stats
from edge_sr.session.model_switch import ModelSwitch
from edge_sr.types import Size

INFO = StreamInfo("camera 0", 64, 48, Fraction(1, 25), Fraction(25), None, live=True)


def verdict_of(monkeypatch: pytest.MonkeyPatch, info: StreamInfo, out_of: int) -> dict[str, object]:
    """After four seconds of 25 frames each, of which one in `out_of` was upscaled."""
    found, stats = Verdict(info), Stats()
    for number in range(0, 101, out_of):
        monkeypatch.setattr("time.perf_counter", lambda number=number: number / 25)
        stats.read, stats.dropped = number, number - number // out_of
        found.note(stats)
    return found.facts()


def test_the_verdict_is_about_the_last_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Verdict(INFO).facts()["verdict"] == ""
    assert verdict_of(monkeypatch, INFO, 1)["verdict"] == "keeps up with 25 fps"
    slow = verdict_of(monkeypatch, INFO, 4)
    assert slow["verdict"] == "drops 75 %: 6.2 of 25 fps"
    assert (slow["source_fps"], slow["dropped_percent"]) == (25, 75)
    film = verdict_of(monkeypatch, replace(INFO, live=False), 2)
    assert film["verdict"] == "12.5 fps, 0.50 times the film's speed"


def test_another_model_begins_with_empty_percentiles(tmp_path: object) -> None:
    source = Pattern(64, 48, live=True)
    with ModelSwitch(Upscaler.open("edge-unet-s-x2"), Size(128, 96), Upscaler.open) as switch:
        control = RunControl(
            source=source,
            size=Size(128, 96),
            switch=switch,
            recorder=Recorder(tmp_path, source=source.info),  # type: ignore[arg-type]
            folder=tmp_path,  # type: ignore[arg-type]
            view=View(),
        )
        control.show(a_shot())
        for values in (control.stats.infer, control.stats.age, control.stats.screen):
            values.add(9.0)
        control.show(a_shot())
        assert control.facts()["screen_p50_ms"] == 9000
        switch.request("bicubic")
        switch.upscale(a_shot().before)
        control.show(a_shot())
        assert control.facts()["age_p99_ms"] is None
        assert control.facts()["screen_p50_ms"] is None
        assert control.stats.age.count == 1  # the totals go on
