"""A library of films: which are made, kept and reported. The workers are this process; no Ray."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from edge_sr.errors import MediaError, MissingDependencyError, UsageError
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.run import run_job
from fleet import library as command
from fleet.films import cluster, segments
from fleet.films.cluster import Outcome, Work, Worker, WorkError
from fleet.films.library import Library
from fleet.films.maker import Maker
from fleet.films.report import write_report
from fleet.films.sources import find_films
from tests.fakes.library_films import assert_same, write_film


class Here:
    """Does the work in this process, in order, and remembers it."""

    def __init__(self, *, stop_after: int = 99) -> None:
        self.worker, self.did, self._left = Worker(), list[Work](), stop_after

    def work(self, items: Sequence[Work], on_done: Callable[[Outcome], Sequence[Work]]) -> None:
        waiting = list(items)
        while waiting:
            work = waiting.pop(0)
            if not self._left:
                raise KeyboardInterrupt
            self._left -= 1
            self.did.append(work)
            try:
                outcome = self.worker.do(work)
            except WorkError as error:
                outcome = error.outcome
            waiting += on_done(outcome)

    def close(self) -> None:
        """Nothing to do."""


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "CHUNKS", 1)


@pytest.fixture
def films(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    (folder / "sub").mkdir(parents=True)
    write_film(folder / "a.mp4", 520)
    write_film(folder / "sub" / "b.mkv", 60)
    (folder / "broken.mp4").write_bytes(b"no film")
    (folder / ".hidden.mp4").write_bytes(b"no film")
    (folder / "notes.txt").write_text("no film")
    return folder


def run(folder: Path, output: Path, spec: JobSpec, here: Here | None = None) -> Library:
    library = Library(find_films([str(folder)], output), spec)
    library.plan()
    try:
        library.run(here or Here())  # type: ignore[arg-type]
    finally:
        write_report(library, output) if output.is_dir() else None
    return library


@pytest.mark.slow
def test_films_are_made_as_by_run_and_a_broken_one_is_reported(
    films: Path, tmp_path: Path, spec: Callable[..., JobSpec]
) -> None:
    output = tmp_path / "out"
    library = run(films, output, spec())
    assert [bool(entry.made) for entry in library.entries] == [True, False, True]
    for name in ("a.mp4", "sub/b.mkv"):
        alone = tmp_path / f"alone{Path(name).suffix}"
        run_job(spec(input=str(films / name), output=str(alone)))
        assert_same(output / name, alone)
    found = json.loads((output / "report.json").read_text())
    states = {Path(film["film"]).name: film["state"] for film in found["films"]}
    assert states == {"a.mp4": "done", "b.mkv": "done", "broken.mp4": "failed"}
    assert found["summary"].startswith("2 of 3 films are done, 1 failed; 580 frames of them made")
    page = (output / "report.md").read_text()
    assert "| broken.mp4 | broken.mp4 | 0 | 0 |  | " in page
    assert "not a video file that can be read" in page


def test_a_second_call_makes_only_what_is_missing(
    films: Path, tmp_path: Path, spec: Callable[..., JobSpec]
) -> None:
    output = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run(films, output, spec(), Here(stop_after=2))  # two of the three segments of a.mp4
    assert not (output / "a.mp4").exists()
    here = Here()
    library = run(films, output, spec(), here)
    assert [(len(work), work[0].number) for work in here.did] == [(1, 2), (1, 0), (3, 0)]
    assert library.entries[0].kept == 500
    assert library.entries[0].made is not None
    again = Here()
    library = run(films, output, spec(), again)
    assert again.did == []
    assert library.kept == library.frames == 580
    state = library.entries[0].film.state
    assert sorted(path.name for path in state.iterdir()) == ["film.json", "job.json"]


@pytest.mark.slow
def test_other_settings_need_force(
    films: Path, tmp_path: Path, spec: Callable[..., JobSpec]
) -> None:
    run(films, tmp_path / "out", spec())
    library = run(films, tmp_path / "out", spec(crf=30))
    assert "is of other settings; use --force" in library.entries[0].error
    library = run(films, tmp_path / "out", spec(crf=30, force=True))
    assert library.entries[0].made is not None


@pytest.mark.slow
def test_a_film_whose_packets_promise_other_frames_is_made_as_a_whole(
    films: Path, tmp_path: Path, spec: Callable[..., JobSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = segments.plan_segments

    def wrong(*args: object, **more: object) -> list[segments.Segment]:
        found = plan(*args, **more)  # type: ignore[arg-type]
        return [replace(part, times=(part.times[0] + 1, *part.times[1:])) for part in found]

    monkeypatch.setattr("fleet.films.library.plan_segments", wrong)
    library = run(films, tmp_path / "out", spec())
    assert library.entries[0].made is not None
    alone = tmp_path / "alone.mp4"
    run_job(spec(input=str(films / "a.mp4"), output=str(alone)))
    assert_same(tmp_path / "out" / "a.mp4", alone)


def test_a_segment_that_fails_is_reported_and_the_others_go_on(
    films: Path, tmp_path: Path, spec: Callable[..., JobSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Maker.make

    def full(self: Maker, segment: segments.Segment) -> segments.Made:
        if segment.number == 1:
            raise MediaError("No space left on device")
        return make(self, segment)

    monkeypatch.setattr(Maker, "make", full)
    library = run(films, tmp_path / "out", spec())
    first, _, last = library.entries
    assert (first.error, first.made) == ("No space left on device", None)
    assert last.made is not None
    monkeypatch.setattr(Maker, "make", make)
    here = Here()
    assert run(films, tmp_path / "out", spec(), here).entries[0].made is not None
    assert [work[0].number for work in here.did] == [1, 0]  # the segment, and joining


def test_sources_are_folders_patterns_and_lists(films: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"# mine\n{films / 'a.mp4'}\n\n{films / 'sub'}\n")
    output = tmp_path / "out"
    found = find_films([f"@{tmp_path / 'list.txt'}", str(films / "sub" / "*.mkv")], output)
    assert [film.output for film in found] == [output / "a.mp4", output / "b.mkv"]
    write_film(films / "a.avi", 5, sound=False)
    assert find_films([str(films)], output)[0].output == output / "a.mkv"


@pytest.mark.parametrize(
    ("sources", "output", "message"),
    [
        (["films"], "films/out", "is inside the source"),
        (["films"], "films", "is inside the source"),
        (["films/a.mp4"], "films", "is in the output folder"),
        (["s3://bucket/a.mp4"], "out", "takes folders and files; mount it"),
        (["none/*.mp4"], "out", "no such file, folder or pattern"),
        (["@none.txt"], "out", "cannot be read as a list"),
        (["films/a.mp4", "films/sub/a.mp4"], "out", "both would be"),
    ],
)
def test_wrong_sources_are_one_line(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sources: list[str],
    output: str, message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    write_film(films / "sub" / "a.mp4", 5, sound=False)
    with pytest.raises(UsageError, match=message):
        find_films(sources, Path(output))


def test_a_process_checks_its_version_and_the_folder(tmp_path: Path) -> None:
    from edge_sr import __version__

    assert Maker().check(__version__, tmp_path) == ""
    assert "install the same one there" in Maker().check("9.9", tmp_path)
    assert "a folder that every node shares" in Maker().check(__version__, tmp_path / "no")


def test_without_ray_the_message_names_what_works_without(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(MissingDependencyError, match="edge-sr run FILM -o RESULT"):
        cluster.check_ray(None)
    assert command.main([str(films), "--output", str(tmp_path / "out")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "edge-sr[ray]" in line


@pytest.mark.parametrize(
    ("address", "message"),
    [("10.0.0.1", "expected HOST:PORT"), ("127.0.0.1:1", "no cluster answers")],
)
def test_a_cluster_that_is_not_there_is_one_line(
    films: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], address: str, message: str
) -> None:
    pytest.importorskip("ray", reason="pip install 'edge-sr[ray]'")
    words = [str(films), "-q", "--output", str(tmp_path / "out"), "--backend", "nearest"]
    assert command.main([*words, "--ray", address]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "out").exists()


def test_an_output_on_a_server_is_one_line(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ray", reason="pip install 'edge-sr[ray]'")
    monkeypatch.chdir(tmp_path)
    assert command.main([str(films), "--output", "s3://bucket/out"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "mount it" in line
    assert not (tmp_path / "s3:").exists()


def test_an_output_that_cannot_be_written_is_one_line(
    films: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ray", reason="pip install 'edge-sr[ray]'")
    (tmp_path / "file").touch()
    assert command.main([str(films), "--output", str(tmp_path / "file" / "out")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot be written" in line
