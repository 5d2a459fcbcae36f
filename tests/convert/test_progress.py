"""Nested phases of the builder -> one share that rises to 1."""

from __future__ import annotations

import pytest

from convert.engine.progress import Tracker


def test_the_share_rises_to_one_whatever_the_order() -> None:
    seen: list[tuple[float, str]] = []
    tracker = Tracker(lambda share, name: seen.append((share, name)))
    tracker.start("build", None, 2)
    tracker.start("clone", "build", 4)
    for step in range(4):
        tracker.step("clone", step)
    tracker.finish("clone")
    assert seen[-1][0] == pytest.approx(0.5)
    tracker.step("build", 0)
    tracker.start("tactics", "build", 10)
    tracker.step("tactics", 4)
    assert seen[-1] == (pytest.approx(0.75), "tactics")
    tracker.step("unknown", 3)
    tracker.start("inner", "tactics", 0)
    tracker.finish("inner")
    tracker.finish("tactics")
    tracker.finish("build")
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
