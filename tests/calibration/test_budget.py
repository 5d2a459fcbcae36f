"""A bound on time: what was left out is noted once, and searches use the best so far."""

from __future__ import annotations

from calibration.network.budget import Budget


def test_what_is_left_out_is_noted_once() -> None:
    budget = Budget.of_minutes(1e-9)
    assert budget.spent(0.5, "ranges")
    assert budget.spent(1.0, "ranges")
    assert budget.spent(1.0)
    assert budget.left_out == ["ranges"]


def test_without_a_bound_nothing_is_left_out() -> None:
    budget = Budget.of_minutes(None)
    assert not budget.spent(1e-9, "ranges")
    assert budget.left_out == []
