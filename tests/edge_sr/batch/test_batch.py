"""Several inputs in one command: what runs, where the results go, and the summary."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from edge_sr.batch.command import expand, is_batch, plan_jobs, summary
from edge_sr.batch.jobs import Outcome, run_jobs
from edge_sr.cli.main import main
from edge_sr.errors import UsageError
from edge_sr.pipeline.job import JobSpec

FAST = ["--backend", "nearest", "--preset", "ultrafast"]


def film(path: Path, count: int = 3) -> Path:
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for number in range(count):
            grey = np.full((24, 32, 3), 20 * number, np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(grey, "rgb24")))
        output.mux(stream.encode(None))
    return path


def image(path: Path) -> Path:
    Image.new("RGB", (16, 12), "red").save(path)
    return path


def outputs(jobs: list[JobSpec]) -> list[tuple[str, str]]:
    return [(Path(job.input or "").name, Path(job.output or "").name) for job in jobs]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_broken_film_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], jobs: str
) -> None:
    films = [str(film(tmp_path / name)) for name in ("a.mp4", "b.avi", "c.mkv")]
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"this is no film")
    words = ["run", films[0], str(broken), *films[1:], "-o", str(tmp_path / "o"), "--jobs", jobs]
    assert main([*words, *FAST]) == 1
    printed = capsys.readouterr()
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == ["a.mp4", "b.mkv", "c.mkv"]
    assert printed.out.splitlines()[-1] == f"4 inputs: 3 done, 1 failed ({broken})"
    assert sum(": 64x48, " in line for line in printed.out.splitlines()) == 3
    assert "Traceback" not in printed.err
    assert f"edge-sr: {broken}: not a video file that can be read" in printed.err


def test_a_folder_of_films_and_images_is_one_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    film(folder / "2.mp4"), film(folder / "10.avi"), image(folder / "p.png")
    assert main(["run", str(folder), "--scale", "2", *FAST]) == 0
    assert sorted(path.name for path in (tmp_path / "in-x2").iterdir()) == [
        "10.mkv", "2.mp4", "p.png",
    ]  # fmt: skip
    assert capsys.readouterr().out.splitlines()[-1] == "3 inputs: 3 done"


@pytest.mark.parametrize("kind", [film, image])
def test_folders_inside_a_folder_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: Callable[[Path], Path]
) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    kind(tmp_path / "in" / ("a.mp4" if kind is film else "a.png"))
    assert main(["run", str(tmp_path / "in"), "-o", str(tmp_path / "o"), *FAST]) == 0
    assert capsys.readouterr().err.count("1 folder inside it is left out") == 1


def test_resume_leaves_finished_films_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    films = [str(film(tmp_path / name)) for name in ("a.mp4", "b.mp4")]
    place = tmp_path / "o"
    place.mkdir()
    (place / "a.mp4").write_bytes(b"made before")
    assert main(["run", *films, "-o", str(place), "--resume", *FAST]) == 0
    assert (place / "a.mp4").read_bytes() == b"made before"
    assert (place / "b.mp4").stat().st_size > 100
    assert capsys.readouterr().out.splitlines()[-1] == "2 inputs: 2 done"


def test_patterns_become_their_files_in_natural_order(tmp_path: Path) -> None:
    for name in ("2.mp4", "10.mp4", "a[1].mp4"):
        (tmp_path / name).touch()
    found = expand([str(tmp_path / "[0-9]*.mp4")])
    assert [Path(name).name for name in found] == ["2.mp4", "10.mp4"]
    assert expand([str(tmp_path / "a[1].mp4")]) == [str(tmp_path / "a[1].mp4")]
    assert expand(["http://host/film.mp4?key=1"]) == ["http://host/film.mp4?key=1"]
    with pytest.raises(UsageError, match="no file has such a name"):
        expand([str(tmp_path / "*.avi")])


def test_a_folder_of_images_alone_is_one_job(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    assert not is_batch([str(tmp_path)])
    film(tmp_path / "a.mp4")
    assert is_batch([str(tmp_path)])


def test_results_have_the_names_of_their_inputs(tmp_path: Path) -> None:
    inputs = [str(tmp_path / name) for name in ("a.mp4", "b.ts", "b.avi", "c.png")]
    jobs = plan_jobs(JobSpec(output=str(tmp_path / "o")), inputs, "x2")
    assert outputs(jobs) == [
        ("a.mp4", "a.mp4"), ("b.ts", "b.mkv"), ("b.avi", "b.avi.mkv"), ("c.png", "c.png"),
    ]  # fmt: skip
    jobs = plan_jobs(JobSpec(), inputs[:2], "x2")
    assert [job.output for job in jobs] == [
        str(tmp_path / "a-x2.mp4"), str(tmp_path / "b-x2.mkv"),
    ]  # fmt: skip
    numbered = [str(tmp_path / name) for name in ("clip.001", "clip.002", "film", "film.")]
    assert [output for _, output in outputs(plan_jobs(JobSpec(output="o"), numbered, "x2"))] == [
        "clip.001.mkv", "clip.002.mkv", "film.mkv", "film..mkv",
    ]  # fmt: skip
    assert [Path(job.output or "").name for job in plan_jobs(JobSpec(), numbered, "x2")] == [
        "clip-x2.001.mkv", "clip-x2.002.mkv", "film-x2.mkv", "film.-x2.mkv",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output": "film.mp4"}, "several inputs go to a folder"),
        ({"output": "-"}, "goes with one input"),
        ({"show": True}, "--show goes with one input"),
        ({"serve": ("127.0.0.1", 8080)}, "--serve goes with one input"),
    ],
)
def test_what_goes_with_one_input_only_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plan_jobs(replace(JobSpec(), **changes), ["a.mp4", "b.mp4"], "x2")


def test_cameras_and_equal_names_are_refused() -> None:
    with pytest.raises(UsageError, match="0: is a camera"):
        plan_jobs(JobSpec(), ["a.mp4", "0"], "x2")
    with pytest.raises(UsageError, match="would both be written to"):
        plan_jobs(JobSpec(output="o"), ["a/f.mp4", "b/f.mp4", "c/f.mp4"], "x2")


def test_nothing_is_begun_after_a_stop(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    specs = [JobSpec(input=str(tmp_path / "no.mp4"), output="null")] * 2
    outcomes = list(run_jobs(specs, stop=stop))
    assert outcomes == [Outcome(spec) for spec in specs]
    assert summary(outcomes) == "2 inputs: 0 done, 2 stopped or not begun"
