"""A killed file job goes on, and gives what it would have given."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import frame, info, make_clip, packets
from clocks import HANG_S

from edge_sr.cli.main import main
from edge_sr.errors import MediaError
from edge_sr.media.codec.chunks import CHUNK
from edge_sr.media.codec.unfinished import (
    partial_path,
    same_job,
    take_over,
    ticket_path,
    whole_chunks,
    write_ticket,
)
from edge_sr.media.sinks.output import part_path
from edge_sr.media.sinks.writer import VideoWriter
from edge_sr.media.sources.file import VideoFile
from edge_sr.media.stills.files import write_image
from edge_sr.pipeline.job import JobSpec, Progress
from edge_sr.pipeline.run import run_job

ROOT = Path(__file__).parents[3]
FRAMES = 620


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With sound, and frames that lie unevenly in time."""
    pts = [number + number // 7 for number in range(FRAMES)]
    path = tmp_path_factory.mktemp("resume") / "clip.mp4"
    return make_clip(path, pts=pts, size=(96, 64), audio_s=28, options={"preset": "ultrafast"})


def command(clip: Path, output: Path, *more: str) -> list[str]:
    words = ["run", "--input", str(clip), "--output", str(output), "--backend", "nearest"]
    return [*words, "--preset", "ultrafast", *more]


def kill(words: list[str], output: Path, sent: signal.Signals) -> None:
    """Run the job and end it once a whole chunk lies on the disk."""
    part = output.with_name(f".{output.name}.part")
    with subprocess.Popen([sys.executable, "-m", "edge_sr.cli.main", *words], cwd=ROOT) as job:
        deadline = time.monotonic() + HANG_S
        while not whole_chunks(part):
            assert job.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        job.send_signal(sent)


def content(path: Path) -> list[tuple[Fraction, np.ndarray]]:
    with VideoFile(path) as source:
        return [(item.pts * item.time_base, item.y.copy()) for item in source]


def same(one: Path, other: Path) -> None:
    first, second = content(one), content(other)
    assert [at for at, _ in first] == [at for at, _ in second]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(first, second, strict=True))
    assert packets(one, "audio") == packets(other, "audio")


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_job_goes_on(
    clip: Path, tmp_path: Path, ending: str, sent: signal.Signals
) -> None:
    whole, output = tmp_path / f"whole.{ending}", tmp_path / f"film.{ending}"
    assert main(command(clip, whole)) == 0
    kill(command(clip, output), output, sent)
    assert not output.exists()
    assert ticket_path(output).exists()
    assert main(command(clip, output, "--resume")) == 0
    same(whole, output)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([whole.name, output.name])


@pytest.mark.parametrize(
    ("name", "preset"), [("o.mp4", "ultrafast"), ("o.mp4", "veryfast"), ("o.mkv", "veryfast")]
)
def test_what_was_made_is_not_made_again(tmp_path: Path, name: str, preset: str) -> None:
    """Also with B-frames, of whose first ones Matroska does not give the decoding times."""
    output = tmp_path / name
    writer = VideoWriter(output, source=info(), preset=preset)
    write_ticket(output, {"model": "a"})
    for number in range(CHUNK + 40):
        writer.write(frame(number))
    writer.finish(complete=False)
    found = take_over(output, {"model": "a"})
    assert found is not None
    assert found.frames == CHUNK
    later = VideoWriter(output, source=info(), preset=preset)
    later.go_on(found)
    for number in range(CHUNK, CHUNK + 60):
        later.write(frame(number))
    assert f"{name}: 64x48, 12.40 s" in later.finish()
    assert [at for at, _ in content(output)] == [Fraction(n, 25) for n in range(CHUNK + 60)]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    output = tmp_path / "o.mp4"
    writer = VideoWriter(output, source=info(), preset="ultrafast")
    write_ticket(output, {})
    for number in range(CHUNK + 10):
        writer.write(frame(number))
    writer.finish(complete=False)
    before = partial_path(output).read_bytes()
    found = take_over(output, {})
    assert found is not None
    later = VideoWriter(output, source=info(), preset="ultrafast")
    later.go_on(found)
    later.write(frame(CHUNK))
    later.abort()
    assert partial_path(output).read_bytes() == before
    assert take_over(output, {}) is not None


def test_a_run_that_does_not_begin_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("uvicorn", reason="pip install 'edge-sr[serve]'")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        words = ["run", "--input", "test://64x48?frames=9", "--output", str(tmp_path / "o.mp4")]
        assert main([*words, "--serve", port]) == 1
    assert "cannot listen" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_other_settings_are_refused(tmp_path: Path) -> None:
    output = tmp_path / "o.mp4"
    assert take_over(output, {"--crf": "18"}) is None
    write_ticket(output, {"--crf": "18"})
    assert take_over(output, {"--crf": "18"}) is None  # nothing was written yet
    with pytest.raises(MediaError, match="was begun with --crf 18, now it is 20; use the same"):
        take_over(output, {"--crf": "20"})
    ticket_path(output).write_text("{")
    with pytest.raises(MediaError, match="cannot be read"):
        take_over(output, {})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--input", "test://64x48?live=1", "--output", "o.mp4"], "has moved on"),
        (["--input", "test://64x48?frames=9", "--output", "null"], "goes on with --output FILE"),
        (
            ["--input", "test://64x48", "--output", "o.mp4", "--drop-policy", "newest"],
            "loses no frame",
        ),
        (
            ["--input", "test://64x48", "--output", "o.mp4", "--still", "3"],
            "gives frames that depend on those before",
        ),
    ],
)
def test_what_cannot_go_on(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *words, "--resume"]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos, output = tmp_path / "photos", tmp_path / "bigger"
    photos.mkdir()
    for name in ("a", "b", "c"):
        write_image(photos / f"{name}.png", np.full((64, 64, 3), 90, np.uint8))
    words = ["run", "--input", str(photos), "--output", str(output)]
    assert main(words) == 0
    assert not ticket_path(output).exists()
    (output / "b.png").unlink()
    before = (output / "a.png").stat().st_mtime_ns
    assert main([*words, "--resume"]) == 1  # that job was finished: its files are in the way
    write_ticket(output, {"input": str(photos)})
    with pytest.raises(MediaError, match="was begun with backend None"):
        same_job(output, {"input": str(photos), "backend": "auto"})
    facts = {
        "bits": "keep",
        "input": str(photos),
        "model": "auto",
        "precision": "None",
        "scale": "None",
    }
    facts |= {"target": "None", "backend": "auto", "threads": "None", "tile": "None"}
    (output / "b.png").unlink()
    write_ticket(output, facts)
    assert main([*words, "--resume"]) == 0
    assert "3 of 3 images" in capsys.readouterr().out
    assert (output / "a.png").stat().st_mtime_ns == before


def test_a_part_that_is_too_short_to_keep_is_gone_after_the_job(clip: Path, tmp_path: Path) -> None:
    output, stop = tmp_path / "out.mp4", threading.Event()
    spec = JobSpec(input=str(clip), output=str(output), backend="nearest", max_frames=40)
    found = run_job(spec, progress=lambda _: stop.set(), stop=stop)
    assert 0 < found.written < 40
    assert partial_path(output).exists()
    assert not run_job(replace(spec, resume=True)).kept
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_a_part_of_an_earlier_stop_is_gone_after_the_job(clip: Path, tmp_path: Path) -> None:
    output, stop = tmp_path / "out.mp4", threading.Event()
    # the default preset reorders packets, and these frames lie unevenly in time
    spec = JobSpec(input=str(clip), output=str(output), backend="nearest")

    def look(progress: Progress) -> None:
        if progress.done > CHUNK + 20:
            stop.set()

    run_job(spec, progress=look, stop=stop)
    early = partial_path(output).read_bytes()
    stop.clear()
    begun = run_job(replace(spec, resume=True), progress=lambda _: stop.set(), stop=stop)
    assert begun.kept
    part_path(output).write_bytes(partial_path(output).read_bytes())  # as if it was killed now
    partial_path(output).write_bytes(early)
    assert run_job(replace(spec, resume=True)).kept
    assert [at for at, _ in content(output)] == [at for at, _ in content(clip)]
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
