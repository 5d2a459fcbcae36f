"""Measuring what is fastest: in turns, once for each machine, model and size; what bf16 loses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clocks import Clock

from edge_sr import zoo
from edge_sr.backend import cpu
from edge_sr.backend.nearest import NearestBackend
from edge_sr.errors import BackendError
from edge_sr.model import fastest
from edge_sr.model.fastest import Candidate, Measured, measure

PATH, SIDECAR = zoo.find("edge-unet-s-x2")
WHOLE, OTHER = Candidate(PATH, SIDECAR, "onnxruntime"), Candidate(PATH, SIDECAR, "openvino")
HALF = Candidate(PATH, SIDECAR, "openvino", bf16=True)
SECONDS = {WHOLE.label: 0.5, OTHER.label: 0.25, HALF.label: 0.125}


class Timed(NearestBackend):
    """Takes a time that the test decides; bfloat16 is some grey levels off."""

    def __init__(self, item: Candidate, clock: Clock, log: list[str], error: int) -> None:
        super().__init__(item.sidecar)
        self._item, self._clock, self._log = item, clock, log
        self._error = error if item.bf16 else 0

    def infer(self, frame: np.ndarray) -> np.ndarray:
        self._log.append(self._item.label)
        self._clock.sleep(SECONDS[self._item.label])
        return super().infer(frame) + np.uint8(self._error)


@pytest.fixture
def log(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was run, in order; the cache is empty."""
    entries: list[str] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(Candidate, "open", lambda item, _: Timed(item, clock, entries, 0))
    return entries


def run(*items: Candidate, width: int = 64, height: int = 48) -> tuple[list[Measured], bool]:
    return measure(items, width=width, height=height)


def test_candidates_take_turns_after_a_warm_up(log: list[str]) -> None:
    found, before = run(WHOLE, OTHER)
    assert log == [WHOLE.label, OTHER.label] * (1 + fastest.RUNS)
    assert [item.seconds for item in found] == pytest.approx([0.5, 0.25])
    assert not before


def test_a_model_of_one_size_is_measured_at_that_size(log: list[str]) -> None:
    sized = replace(SIDECAR, width=64, height=400, output_width=128, output_height=800)
    found, _ = run(Candidate(PATH, sized, "onnxruntime"), width=1280, height=720)
    assert [item.seconds for item in found] == pytest.approx([0.5])


def test_it_is_measured_once(log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = run(WHOLE, OTHER)
    log.clear()
    assert run(WHOLE, OTHER) == (first, True)
    assert log == []
    assert not run(WHOLE, OTHER, width=80)[1], "another size"
    assert not run(WHOLE, HALF)[1], "other candidates"
    monkeypatch.setattr(cpu, "name", lambda: "another CPU")
    assert not run(WHOLE, OTHER)[1]


@pytest.mark.parametrize("text", ["", "[]", "[{}]", '[{"label": "x", "seconds": 1}]', "no"])
def test_a_damaged_cache_is_measured_again(log: list[str], tmp_path: Path, text: str) -> None:
    run(WHOLE, OTHER)
    for path in tmp_path.rglob("*.json"):
        path.write_text(text)
    assert not run(WHOLE, OTHER)[1]
    assert run(WHOLE, OTHER)[1]


def test_a_cache_that_cannot_be_written_is_no_error(
    log: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert run(WHOLE, OTHER)[0][1].seconds == pytest.approx(0.25)


def test_what_cannot_be_opened_has_no_time(log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Candidate.open

    def refuse(item: Candidate, threads: int | None) -> object:
        if item == OTHER:
            raise BackendError("not here")
        return usual(item, threads)

    monkeypatch.setattr(Candidate, "open", refuse)
    assert [item.seconds is None for item in run(WHOLE, OTHER)[0]] == [False, True]


def test_the_loss_of_bfloat16_comes_from_its_difference(
    clock: Clock, log: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Candidate, "open", lambda item, _: Timed(item, clock, log, 1))
    lost = [item.lost_db for item in run(WHOLE, HALF)[0]]
    # an error of one grey level everywhere, on top of that of 37 dB
    wanted = 10 * np.log10(1 + 1 / (255**2 / 10**3.7))
    assert lost == pytest.approx([0.0, wanted])
    assert run(HALF)[0][0].lost_db == float("inf")  # nothing to compare with


def test_the_strip_has_detail_and_all_channels() -> None:
    picture = fastest._picture(100, 150, 3)
    assert picture.shape == (1, 100, 150, 3)
    assert picture.dtype == np.uint8
    assert 20 < picture.std() < 60
