"""Rows are read, merged, replaced as a whole, and compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.report.changes import find_changes
from bench.report.summary import make_groups, pareto_front, precision_pairs
from bench.rows import Row, add_losses, merge, read_rows, write_rows
from edge_sr.errors import MediaError

MakeRow = Callable[..., Row]


def test_rows_come_back_and_no_part_stays(row: MakeRow, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "rows.jsonl"
    rows = [row("a"), row("b", p50=None)]
    write_rows(path, rows)
    assert read_rows(path) == rows
    assert [item.name for item in path.parent.iterdir()] == ["rows.jsonl"]


def test_infinity_is_not_written(row: MakeRow, tmp_path: Path) -> None:
    write_rows(tmp_path / "r", [row(psnr=float("inf"))])
    assert "Infinity" not in (tmp_path / "r").read_text()


def test_later_rows_win_and_parts_add_up(row: MakeRow) -> None:
    old, new = row(p50=10.0), row(p50=20.0, psnr=None)
    new["quality"] = {"Set14": {"sha256": "14", "psnr_y_db": 28.0}}
    (found,) = merge([old, new])
    assert found["latency"]["p50_ms"] == 20.0
    assert list(found["quality"]) == ["Set5", "Set14"]
    (kept,) = merge([old, row(p50=None)])
    assert kept["latency"]["p50_ms"] == 10.0
    assert len(merge([old, row(device_name="other")])) == 2


@pytest.mark.parametrize("text", ["nonsense", "[1]", '{"schema": 99}', '{"schema": 1}'])
def test_files_that_are_not_rows_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(MediaError, match=r"rows\.jsonl, line 1: is not"):
        read_rows(path)


def test_losses_are_against_the_whole_model_on_the_same_pictures(row: MakeRow) -> None:
    rows = [row("a", psnr=37.0), row("a.int8", psnr=36.9, precision="int8")]
    add_losses(rows)
    assert rows[1]["quality"]["Set5"]["loss_db"] == pytest.approx(0.1)
    rows[1]["quality"]["Set5"] = {"sha256": "other", "psnr_y_db": 36.0}
    add_losses(rows)
    assert "loss_db" not in rows[1]["quality"]["Set5"]


def test_groups_hold_what_may_be_compared(row: MakeRow) -> None:
    rows = [row("a"), row("b"), row("c", width=128), row("d", device_name="E")]
    groups = make_groups(rows, picture_set=None, sort="name")
    assert [[e.label for e in group.entries] for group in groups] == [["a", "b"], ["c"], ["d"]]
    assert groups[0].title == "64x48 to 128x96 on D, 1 thread"


@pytest.mark.parametrize(("sort", "order"), [("p50", "bac"), ("psnr", "cab"), ("name", "abc")])
def test_sorting(row: MakeRow, sort: str, order: str) -> None:
    rows = [row("a", p50=2.0, psnr=31.0), row("b", p50=1.0), row("c", p50=None, psnr=32.0)]
    (group,) = make_groups(rows, picture_set=None, sort=sort)
    assert "".join(entry.label for entry in group.entries) == order


def test_the_front_is_what_nothing_beats(row: MakeRow) -> None:
    rows = [row("a", p50=1.0), row("b", p50=2.0, psnr=29.0), row("c", p50=3.0, psnr=31.0)]
    (group,) = make_groups([*rows, row("d", p50=None)], picture_set=None, sort="p50")
    assert [entry.label for entry in pareto_front(group.entries)] == ["a", "c"]


def test_precisions_of_one_model_are_paired(row: MakeRow) -> None:
    rows = [row("a"), row("a.int8", precision="int8"), row("b.int8", precision="int8")]
    (group,) = make_groups(rows, picture_set=None, sort="name")
    pairs = precision_pairs(group.entries)
    assert [(whole.label, less.label) for whole, less in pairs] == [("a", "a.int8")]


def test_changes_are_those_beyond_the_noise(row: MakeRow) -> None:
    old = [row("a"), row("b"), row("gone")]
    new = [row("a", p50=10.25), row("b", p50=11.0, psnr=29.9), row("new")]
    changes, notes = find_changes(new, old)
    assert [(change.label, change.worse) for change in changes] == [
        ("b at 64x48", True),
        ("b at 64x48", True),
    ]
    assert "slower by 10.0 % (10.00 to 11.00 ms; noise 1.4 %)" in changes[0].text
    assert "-0.10 dB" in changes[1].text
    assert notes == [
        "2 of 3 rows are in the baseline too.",
        "Not in the baseline: new at 64x48.",
        "In the baseline only: gone at 64x48.",
    ]
    old[0]["latency"]["noise_percent"] = 20.0
    assert not find_changes([row("a", p50=12.0)], old[:1])[0]
