"""Segments of a film, made apart and joined, are the film of an uninterrupted run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge_sr.errors import MediaError
from edge_sr.media.codec.index import read_index
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.run import run_job
from fleet.films import segments
from fleet.films.maker import Maker, NotExactError
from fleet.films.segments import begin, done, job_facts, plan_segments
from fleet.films.sources import Film
from tests.fakes.library_films import assert_same, write_film


def planned(path: Path, spec: JobSpec, folder: Path) -> list[segments.Segment]:
    film = Film(path, folder / path.name)
    job = replace(spec, input=str(film.path), output=str(film.output))
    folder.mkdir(exist_ok=True)
    begin(film, {})
    return plan_segments(film, job, read_index(path))


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "CHUNKS", 1)  # segments of 250 frames


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("a.mp4", {}),
        ("a.mkv", {"options": {"x264-params": "open-gop=1:keyint=48:bframes=3"}}),
        ("a.mov", {"uneven": True, "sound": False}),
        ("a.mp4", {"options": {"x264-params": "intra-refresh=1:keyint=50"}}),
    ],
    ids=["plain", "open-gop", "uneven", "intra-refresh"],
)
def test_joined_segments_are_the_film_of_one_run(
    name: str, more: dict[str, object], tmp_path: Path, spec: Callable[..., JobSpec]
) -> None:
    path = write_film(tmp_path / name, 520, **more)  # type: ignore[arg-type]
    whole = tmp_path / f"whole-{name}"
    run_job(spec(input=str(path), output=str(whole)))
    parts = planned(path, spec(), tmp_path / "out")
    assert [len(part.times) for part in parts] == [250, 250, 20]
    maker = Maker()
    for part in reversed(parts):
        assert done(part) is None
        maker.make(part)
        assert done(part) is not None
    made = maker.join(parts)
    assert made.frames == 520
    assert_same(tmp_path / "out" / name, whole)


def test_the_last_frames_are_no_segment_of_their_own(
    tmp_path: Path, spec: Callable[..., JobSpec]
) -> None:
    counts = {}
    for frames in (250, 252, 253, 502):
        path = write_film(tmp_path / f"{frames}.mp4", frames, sound=False)
        counts[frames] = [len(p.times) for p in planned(path, spec(), tmp_path / "out")]
    assert counts == {250: [], 252: [], 253: [250, 3], 502: [250, 252]}


def test_what_cannot_be_cut_is_made_as_a_whole(
    tmp_path: Path, spec: Callable[..., JobSpec]
) -> None:
    path = write_film(tmp_path / "a.ts", 300, sound=False)
    assert "no index of exact times" in read_index(path).why_whole
    assert planned(path, spec(), tmp_path / "out") == []
    path = write_film(tmp_path / "a.mp4", 300, sound=False)
    for more in ({"calm": "1"}, {"still": "auto"}, {"audio": "convert"}):
        assert planned(path, spec(**more), tmp_path / "out") == []
    assert len(planned(path, spec(calm="off"), tmp_path / "out")) == 2


def test_frames_that_the_packets_did_not_promise_are_refused(
    tmp_path: Path, spec: Callable[..., JobSpec]
) -> None:
    path = write_film(tmp_path / "a.mp4", 300, sound=False)
    _, part = planned(path, spec(), tmp_path / "out")
    wrong = replace(part, times=(part.times[0] + 1, *part.times[1:]))
    with pytest.raises(NotExactError, match="a frame at"):
        Maker().make(wrong)
    with pytest.raises(NotExactError, match="50 frames, not 51"):
        Maker().make(replace(part, times=(*part.times, part.times[-1] + 999)))
    assert not list(part.state.glob("*.mp4"))
    assert done(part) is None


def test_a_segment_that_was_changed_is_made_again(
    tmp_path: Path, spec: Callable[..., JobSpec]
) -> None:
    path = write_film(tmp_path / "a.mp4", 300, sound=False)
    _, part = planned(path, spec(), tmp_path / "out")
    Maker().make(part)
    part.path.write_bytes(part.path.read_bytes()[:-1])
    assert done(part) is None


def test_other_settings_begin_a_film_again(tmp_path: Path, spec: Callable[..., JobSpec]) -> None:
    path = write_film(tmp_path / "a.mp4", 30, sound=False)
    film = Film(path, tmp_path / "out" / "a.mp4")
    model = tmp_path / "model"
    model.write_bytes(b"1")
    facts = job_facts(film, spec(crf=18), model)
    begin(film, facts)
    (film.state / "00000.mp4").touch()
    begin(film, facts)
    assert (film.state / "00000.mp4").exists()
    film.output.touch()
    other = job_facts(film, spec(crf=20), model)
    with pytest.raises(MediaError, match="is of other settings; use --force"):
        begin(film, other)
    begin(film, other, force=True)
    assert not (film.state / "00000.mp4").exists()
