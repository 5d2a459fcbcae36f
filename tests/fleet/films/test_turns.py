"""Two segments at once use one open model, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from edge_sr.errors import BackendError, MediaError, UsageError
from edge_sr.media.codec.index import read_index
from edge_sr.media.frame import Frame, StreamInfo
from edge_sr.media.sinks.writer import VideoWriter
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.run import run_job
from edge_sr.upscaler import Upscaler
from fleet.films import segments, turns
from fleet.films.maker import Maker, NotExactError
from fleet.films.segments import begin, plan_segments
from fleet.films.sources import Film
from fleet.films.turns import Models, Turn
from tests.fakes.library_films import assert_same, write_film


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The model of each time that one was opened."""
    found: list[str] = []
    real = turns.open_upscaler

    def note(spec: JobSpec, *args: object, **more: object) -> tuple[Upscaler, object]:
        found.append(spec.model)
        return real(spec, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(turns, "open_upscaler", note)
    return found


@pytest.fixture
def parts(
    tmp_path: Path, spec: Callable[..., JobSpec], monkeypatch: pytest.MonkeyPatch
) -> list[segments.Segment]:
    """Of 300 frames, by 250."""
    monkeypatch.setattr(segments, "CHUNKS", 1)
    film = Film(write_film(tmp_path / "a.mp4", 300), tmp_path / "out" / "a.mp4")
    film.output.parent.mkdir()
    begin(film, {})
    job = spec(input=str(film.path), output=str(film.output))
    return plan_segments(film, job, read_index(film.path))


@pytest.mark.slow
def test_segments_made_at_once_are_those_of_one_run(
    parts: list[segments.Segment], opened: list[str], tmp_path: Path, spec: Callable[..., JobSpec]
) -> None:
    maker = Maker()
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(maker.make, parts))
    assert len(opened) == 1
    maker.join(parts)
    run_job(spec(input=str(tmp_path / "a.mp4"), output=str(tmp_path / "whole.mp4")))
    assert_same(tmp_path / "out" / "a.mp4", tmp_path / "whole.mp4")


def test_a_segment_that_fails_gives_its_turn_back(
    parts: list[segments.Segment], opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, (_, last) = Maker(), parts
    with pytest.raises(NotExactError):
        maker.make(replace(last, times=(*last.times, last.times[-1] + 999)))
    with monkeypatch.context() as patch:
        patch.setattr(VideoWriter, "write", _full)
        with pytest.raises(MediaError, match="No space left"):
            maker.make(last)
    assert maker.make(last).frames == 50
    assert len(opened) == 3  # frames may have been in flight: the model is opened again


def test_a_turn_lasts_from_the_first_frame_to_the_last(
    spec: Callable[..., JobSpec], opened: list[str]
) -> None:
    models = Models()
    base = Fraction(1, 25)
    info = StreamInfo("a", 8, 8, base, 1 / base, None, live=False)
    first, second = (Turn(models, spec(), info, 2) for _ in range(2))
    with pytest.raises(UsageError, match="no model yet"):
        assert first.facts
    with ThreadPoolExecutor(1) as threads:
        first.upscale(_frame())
        waiting = threads.submit(second.upscale, _frame())
        assert not waiting.done()
        assert first.upscale(_frame()).size.width == 16
        assert waiting.result(60).size.width == 16
    with pytest.raises(UsageError, match="segment is over"):
        first.upscale(_frame())
    second.close()
    second.close()
    third = Turn(models, spec(), info, 1)
    third.close()
    with pytest.raises((UsageError, BackendError), match="over"):
        third.upscale(_frame())
    assert Turn(models, spec(), info, 1).upscale(_frame()).size.width == 16
    assert len(opened) == 2
    models.close()
    models.close()


def _full(_writer: VideoWriter, _frame: Frame) -> None:
    raise MediaError("No space left on device")


def _frame() -> Frame:
    grey = np.full((4, 4), 128, np.uint8)
    return Frame((np.zeros((8, 8), np.uint8), grey, grey), pts=0, time_base=Fraction(1, 25))
