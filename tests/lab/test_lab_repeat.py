"""Two runs are compared by ranks and by ratios between models, not by milliseconds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.records import Row
from edge_sr.errors import MediaError
from lab.repeat import compare, main

MakeRow = Callable[..., Row]


def test_a_machine_that_is_twice_as_slow_changes_no_ratio(row: MakeRow) -> None:
    first = [row("a", p50=10.0), row("b", p50=20.0), row("c", p50=41.0)]
    found = compare(first, [row("c", p50=82.0), row("b", p50=40.0), row("a", p50=20.0)])
    assert found.same_rank
    assert found.worst_percent == pytest.approx(0)
    assert found.p50_ms["a (auto) at 64x48"] == (10.0, 20.0)


def test_ratios_and_places_that_changed_are_named(row: MakeRow) -> None:
    first = [row("a", p50=10.0), row("b", p50=20.0), row("c", p50=21.0)]
    found = compare(first, [row("a", p50=10.0), row("b", p50=23.0), row("c", p50=21.0)])
    assert (found.same_rank, found.swapped) == (False, ("b (auto) / c (auto)",))
    assert found.worst_pair == "b (auto) / c (auto)"
    assert found.worst_percent == pytest.approx(15)


def test_models_of_different_sizes_are_no_pair(row: MakeRow) -> None:
    rows = [row("a", p50=10.0), row("b", p50=20.0, width=128)]
    with pytest.raises(MediaError, match="no two timed models of one size"):
        compare(rows, rows)


def test_a_run_that_fails_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--", "--models", "no-such-model"]) == 1
    assert "bench: bench run ended with 1; see above" in capfd.readouterr().err


@pytest.mark.slow
def test_two_real_runs_are_compared(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = ["--seconds", "0.05", "--runs", "2", "--size", "64x48"]
    assert main(["--", "--models", "nearest", "bicubic", *quick]) in (0, 1)  # no timed tests
    out = capsys.readouterr().out
    assert "nearest-x2 (auto) at 64x48" in out
    assert "ratios differ by up to" in out
