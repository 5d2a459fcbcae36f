"""`bench run` end to end: rows, resuming, interruption, inputs that are wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.__main__ import main
from bench.commands import run as command
from bench.measure import quality as measure_quality
from bench.measure import speed as measure_speed
from bench.records import Row
from bench.rows import read_rows

pytest.importorskip("onnxruntime", reason="pip install onnxruntime")

Bench = Callable[..., int]


@pytest.fixture(autouse=True)
def no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is measured in children, which cost a second each; test_timing starts a real one."""
    monkeypatch.setattr(measure_speed, "peak_mib", lambda *_: 50)


@pytest.fixture
def bench(folder: Path, tmp_path: Path) -> Bench:
    """Run on the two small pictures, quickly."""

    def run(*options: str, models: tuple[str, ...] = ("nearest", "bicubic")) -> int:
        quick = ["--seconds", "0.05", "--runs", "10", "--threads", "1", "--size", "64x48"]
        places = ["--images", str(folder), "--output", str(tmp_path / "rows.jsonl")]
        return main(["run", "--models", *models, *quick, *places, *options])

    return run


def rows(tmp_path: Path) -> list[Row]:
    return read_rows(tmp_path / "rows.jsonl")


def test_a_run_measures_everything(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(models=("edge-unet-s-x2", "bicubic")) == 0
    ours, floor = rows(tmp_path)
    assert (ours.name, floor.name) == ("edge-unet-s-x2", "bicubic-x2")
    assert ours.parameters > 0
    assert ours.macs
    assert ours.latency
    assert ours.latency.runs >= 1  # as many as its seconds hold
    assert ours.latency.interleaved_with == ("edge-unet-s-x2", "bicubic-x2")
    score = ours.quality["hr"]
    assert (score.pictures, score.rgb_pictures) == (2, 1)
    assert 10 < score.psnr_y_db < 60
    assert ours.device.cpu
    out = capsys.readouterr().out
    assert "edge-unet-s-x2" in out
    assert out.strip().endswith("rows.jsonl")


def test_without_names_one_flavour_of_each_network_is_measured(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flavours differ in their weights alone; with all of them a run took over six minutes."""
    seen: list[list[str]] = []
    monkeypatch.setattr(
        command, "measure", lambda bench: seen.append([item.name for item in bench.contenders])
    )
    words = ["run", "--images", str(folder), "--output", str(tmp_path / "rows.jsonl")]
    for named in ([], ["--models", "all"]):
        main([*words, *named])
    few, everything = seen
    assert {"edge-unet-s-x2", "edge-unet-s-x2.int8", "bicubic-x2"} <= set(few) < set(everything)
    assert not any("live" in name or "vivid" in name for name in few)
    assert "edge-unet-s-vivid-x2.int8" in everything


def test_finished_rows_are_not_measured_again(
    bench: Bench, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench() == 0
    before = (tmp_path / "rows.jsonl").read_text()

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(measure_speed, "measure_latency", never)
    monkeypatch.setattr(measure_quality, "measure", never)
    assert bench() == 0
    assert (tmp_path / "rows.jsonl").read_text() == before
    Image.new("RGB", (40, 40)).save(folder / "third.png")
    with pytest.raises(AssertionError, match="measured again"):
        bench()


def test_ctrl_c_keeps_what_is_finished_and_the_next_run_completes_it(
    bench: Bench,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole, calls = measure_quality.measure, []

    def interrupted(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 3:  # the second model's first picture
            raise KeyboardInterrupt
        return whole(*args)

    monkeypatch.setattr(measure_quality, "measure", interrupted)
    assert bench() == 130
    assert "2 rows are kept" in capsys.readouterr().err
    first, second = rows(tmp_path)
    assert first.quality
    assert second.latency
    assert not second.quality
    assert bench() == 0
    assert [row.quality != {} for row in rows(tmp_path)] == [True, True]
    assert rows(tmp_path)[0] == first
    assert len(calls) == 3 + 2


def test_a_model_that_fails_at_one_size_leaves_the_rest(
    bench: Bench,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from edge_sr.backend.nearest import NearestBackend
    from edge_sr.errors import BackendError

    plain = NearestBackend.infer

    def picky(self: NearestBackend, frame: Any) -> Any:
        if frame.shape[2] == 128:
            raise BackendError("nearest-x2: cannot do 128 columns")
        return plain(self, frame)

    monkeypatch.setattr(NearestBackend, "infer", picky)
    assert bench("--size", "64x48", "128x48") == 1
    found = {(row.name, row.width): row for row in rows(tmp_path)}
    assert len(found) == 4
    assert found["nearest-x2", 128].error == "nearest-x2: cannot do 128 columns"
    assert found["nearest-x2", 64].latency
    assert found["bicubic-x2", 128].latency
    assert capsys.readouterr().err.count("cannot do 128 columns") == 1


def test_pictures_that_cannot_be_used_are_named_and_the_rest_goes_on(
    bench: Bench, tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.zeros((40, 40), np.uint16)).save(folder / "deep.png")
    Image.new("RGB", (9, 9)).save(folder / "tiny.png")
    assert bench() == 1
    text = capsys.readouterr().err
    assert text.count("deep.png: has 16 bits or more") == 1
    assert text.count("tiny.png: is 9x9; x2 needs sides of 15 or more") == 1
    assert "Traceback" not in text
    assert rows(tmp_path)[0].quality["hr"].pictures == 2


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--images", "nowhere"], 1, "no such folder"),
        (["--models", "no-such-model"], 1, "no such model"),
        (["--rivals", "none.toml"], 1, "cannot be read"),
        (["--video", "none.mp4"], 1, "none.mp4"),
        (["--video", "a", "b", "c"], 2, "was given 3 files"),
        (["--threads", "999"], 2, "may use"),
    ],
)
def test_wrong_inputs_say_so_in_one_line(
    bench: Bench,
    options: list[str],
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert bench(*options) == code
    text = capsys.readouterr().err.strip()
    assert message in text
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize("text", ["1280", "0x720", "axb"])
def test_sizes_are_checked(bench: Bench, text: str) -> None:
    with pytest.raises(SystemExit) as ended:
        bench("--size", text)
    assert ended.value.code == 2


def test_rows_of_something_else_are_not_overwritten(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("my notes\n")
    assert bench() == 1
    assert (tmp_path / "rows.jsonl").read_text() == "my notes\n"


def test_a_row_is_one_line_of_json(bench: Bench, tmp_path: Path) -> None:
    assert bench() == 0
    lines = (tmp_path / "rows.jsonl").read_text().splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["nearest-x2", "bicubic-x2"]
