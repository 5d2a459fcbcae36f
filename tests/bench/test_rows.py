"""Rows are read, merged, replaced as a whole, and compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from bench.records import Row
from bench.report.changes import find_changes
from bench.report.summary import make_groups, pareto_front, precision_pairs
from bench.rows import add_losses, merge, read_rows, write_rows
from edge_sr.errors import MediaError
from tests.fakes.bench_data import make_latency, make_score

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
    old, new = row(p50=10.0), row(p50=20.0, quality={"Set14": make_score(28.0)})
    (found,) = merge([old, new])
    assert found.latency
    assert found.latency.p50_ms == 20.0
    assert list(found.quality) == ["Set5", "Set14"]
    (kept,) = merge([old, row(p50=None)])
    assert kept.latency == old.latency
    assert len(merge([old, row(device_name="other")])) == 2


def test_an_error_is_gone_once_the_model_was_timed(row: MakeRow) -> None:
    failed = row(p50=None, error="too slow")
    assert merge([failed, row()])[0].error is None
    assert merge([row(), failed])[0].error == "too slow"


def test_rows_of_edge_sr_0_1_are_read() -> None:
    ours, int8, floor = read_rows(Path(__file__).with_name("rows-0.1.jsonl"))
    assert (ours.name, ours.device.edge_sr, ours.kind) == ("edge-unet-s-x2", "0.1.0", "model")
    assert ours.latency
    assert ours.latency.fps == pytest.approx(30 / 0.2243)
    assert ours.latency.state_before.utc == "2026-11-30T04:23:34Z"
    assert ours.quality["hr"].each == (("color.png", 41.8433), ("grey.png", 37.1963))
    assert int8.quality["hr"].loss_db == pytest.approx(0.0148)
    assert floor.parameters == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "is not JSON; expected rows of python -m bench run"),
        ("[1]", "is not a row of python -m bench run (Expected `object`, got `array`)"),
        ('{"schema": 99}', "Invalid enum value 99 - at `$.schema`"),
        ('{"schema": 1}', "missing required field `name`"),
        ('{"schema": 1, "nmae": "a"}', "contains unknown field `nmae`"),
        ('{"schema": 1, "name": 3}', "Expected `str`, got `int` - at `$.name`"),
        ("[" * 100_000, "is not"),
        (b"\xff\xfe", "is not"),
    ],
)
def test_a_line_that_is_no_row_is_refused_with_its_number(
    row: MakeRow, tmp_path: Path, text: str | bytes, message: str
) -> None:
    path = tmp_path / "rows.jsonl"
    write_rows(path, [row()])
    damaged = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(path.read_bytes() + b"\n" + damaged)
    with pytest.raises(MediaError) as raised:
        read_rows(path)
    assert str(raised.value).startswith(f"{path}, line 3: is not")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_losses_are_against_the_whole_model_on_the_same_pictures(row: MakeRow) -> None:
    whole, less = row("a", psnr=37.0), row("a.int8", psnr=36.9, precision="int8")
    found = add_losses([whole, less])
    assert found[0] == whole
    assert found[1].quality["Set5"].loss_db == pytest.approx(0.1)
    other = row("a.int8", precision="int8", quality={"Set5": make_score(36.0, sha256="other")})
    assert add_losses([whole, other])[1].quality["Set5"].loss_db is None


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
    noisy = row("a", latency=replace(make_latency(10.0), noise_percent=20.0))
    assert not find_changes([row("a", p50=12.0)], [noisy])[0]
