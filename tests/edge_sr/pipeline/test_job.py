"""Jobs as plain values, and what `run_job` returns."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sr.errors import MediaError, UsageError
from edge_sr.media.stills.files import read_image, write_image
from edge_sr.pipeline.job import JobSpec, Progress, Result
from edge_sr.pipeline.run import run_job, upscale_file
from edge_sr.pipeline.target import Target
from edge_sr.types import Size


def test_a_job_survives_json() -> None:
    spec = JobSpec(
        input="rtsp://me:secret@cam/1",
        output="o.mp4",
        scale=Fraction(3, 2),
        target=Target(short=1080),
        camera_size=Size(640, 480),
        serve=("127.0.0.1", 8080),
        deadline_ms=33.5,
    )
    text = json.dumps(spec.to_dict())
    found = JobSpec.from_dict(json.loads(text))
    assert found == spec
    assert found.camera_size.height == 480
    assert "secret" not in repr(spec)
    assert JobSpec.from_dict({"input": "a.mp4"}) == JobSpec(input="a.mp4")
    assert spec.goes_somewhere
    assert not JobSpec(input="0", serve=("127.0.0.1", 8080)).goes_somewhere


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"inptu": "a.mp4"}, "unknown fields inptu"),
        ({"threads": "many"}, "`int | null`, got `str` - at `\\$.threads`"),
        ({"scale": "2/0"}, "divides by 0"),
        ({"scale": "wide"}, "wide"),
        ({"camera_size": [640]}, "camera_size"),
    ],
)
def test_a_job_that_makes_no_sense_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        JobSpec.from_dict(values)


def test_a_video_job_returns_counts_and_digests(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "o.mp4"
    seen: list[tuple[int, int | None]] = []

    def progress(report: Progress) -> None:
        seen.append((report.done, report.total))

    spec = JobSpec(input="test://64x48?frames=5", output=str(output), backend="nearest")
    result: Result = run_job(spec, progress=progress)
    assert (result.read, result.written, result.dropped) == (5, 5, 0)
    assert result.exit_code == 0
    assert result.seconds > 0
    assert result.fps == pytest.approx(5 / result.seconds)
    assert seen == [(number, 5) for number in range(1, 6)]
    assert [item.path for item in result.outputs] == [output]
    assert "128x96" in result.outputs[0].summary
    assert result.outputs[0].digest() == hashlib.sha256(output.read_bytes()).hexdigest()
    assert capfd.readouterr() == ("", "")


def test_a_job_that_is_stopped_leaves_a_part(tmp_path: Path) -> None:
    stop, output = threading.Event(), tmp_path / "o.mp4"
    spec = JobSpec(input="test://64x48?frames=500", output=str(output), backend="nearest")
    result = run_job(spec, stop=stop, progress=lambda _report: stop.set())
    assert result.interrupted is None
    assert result.written < 500
    assert not output.exists()
    assert [item.path for item in result.outputs] == [tmp_path / "o.partial.mp4"]
    assert result.outputs[0].digest() is not None


def test_a_folder_counts_what_was_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="edge_sr")
    folder, output = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    write_image(folder / "a.png", np.full((16, 24), 90, np.uint8))
    (folder / "b.png").write_bytes(b"no image")
    done: list[int] = []
    result = run_job(
        JobSpec(input=str(folder), output=str(output), backend="nearest"),
        progress=lambda report: done.append(report.done),
    )
    assert (result.written, result.failed, result.exit_code) == (1, 1, 1)
    assert result.outputs[0].summary == f"{output}: 1 of 2 images"
    assert "left out" in result.notices[0]
    assert result.notices[0] in caplog.messages
    assert done == [1, 2]


def test_a_file_is_upscaled_by_one_call(tmp_path: Path) -> None:
    picture, larger = tmp_path / "a.png", tmp_path / "b.png"
    write_image(picture, np.full((16, 24), 90, np.uint8))
    result = upscale_file(picture, larger, scale=1.5, backend="nearest")
    assert result.outputs[0].summary == f"{larger}: 36x24"
    assert upscale_file(picture, "null", target="64x48").outputs[0].path is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 2, "target": "1080p"}, "both given"),
        ({"scale": 1}, "expected a number above 1"),
        ({"target": "big"}, "target is 'big'; expected 1080p"),
    ],
)
def test_options_of_a_call_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        upscale_file("test://64x48?frames=1", "null", **options)


@pytest.mark.parametrize(
    ("name", "kind"), [("pipe.png", "uint8"), ("pipe", "uint8"), ("pipe", "uint16")]
)
def test_an_image_comes_through_a_pipe_that_is_read_once(
    tmp_path: Path, name: str, kind: str
) -> None:
    """The flavour is chosen by the image, too, which must not open the pipe again."""
    gradient = np.linspace(0, np.iinfo(kind).max, 16 * 24 * 3).reshape(16, 24, 3).astype(kind)
    write_image(tmp_path / "a.png", gradient)
    data, pipe = (tmp_path / "a.png").read_bytes(), tmp_path / name
    os.mkfifo(pipe)
    feeder = threading.Thread(target=pipe.write_bytes, args=(data,), daemon=True)
    feeder.start()
    result = run_job(JobSpec(input=str(pipe), output=str(tmp_path / "o.png"), threads=1))
    feeder.join(10)
    run_job(JobSpec(input=str(tmp_path / "a.png"), output=str(tmp_path / "b.png"), threads=1))
    assert result.outputs[0].summary.endswith("o.png: 48x32")
    assert read_image(tmp_path / "o.png").pixels.dtype == kind
    assert (tmp_path / "o.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_an_image_without_an_ending_is_read_for_what_it_becomes(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.full((16, 24), 90, np.uint8))
    (tmp_path / "a.png").rename(tmp_path / "download")
    upscale_file(tmp_path / "download", tmp_path / "o.jpg", backend="nearest")
    assert read_image(tmp_path / "o.jpg").pixels.shape == (32, 48)
    (tmp_path / "text").write_text("no image")
    with pytest.raises(MediaError, match="text: not an image that can be read"):
        upscale_file(tmp_path / "text", tmp_path / "p.jpg", backend="nearest")


def test_an_image_does_not_replace_itself(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", np.full((16, 24), 90, np.uint8))
    (tmp_path / "b.png").hardlink_to(tmp_path / "a.png")
    for output in ("a.png", "b.png"):
        with pytest.raises(MediaError, match="is the input itself"):
            upscale_file(tmp_path / "a.png", tmp_path / output, backend="nearest", force=True)


@pytest.mark.parametrize("output", ["", "  "])
def test_an_output_without_a_name_is_refused(output: str) -> None:
    with pytest.raises(UsageError, match='the output is ""; expected a file'):
        upscale_file("test://64x48?frames=1", output)
    with pytest.raises(UsageError, match='the output is ""'):
        JobSpec(input="a.mp4", output="o.mp4", more_outputs=(output,))
