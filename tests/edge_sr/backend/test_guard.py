"""The look at every n-th result."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sr.backend.tensorrt.guard import OutputGuard

NOISE = np.random.default_rng(1).integers(0, 256, (1, 40, 40, 1)).astype(np.uint8)


def test_every_nth_from_the_first_on() -> None:
    guard = OutputGuard(every=3)
    for _ in range(7):
        guard.note(NOISE, NOISE)
    assert (guard.frames, guard.looked, guard.notices) == (7, 3, [])


def test_never_if_not_asked() -> None:
    guard = OutputGuard(every=0)
    for _ in range(5):
        guard.note(NOISE, np.zeros_like(NOISE))
    assert (guard.looked, guard.notices) == (0, [])


@pytest.mark.parametrize(
    ("result", "field"),
    [
        (np.zeros_like(NOISE), "black"),
        (np.full_like(NOISE, 200), "constant"),
        (np.full(NOISE.shape, np.nan, np.float32), "non_finite"),
        (np.where(NOISE > 128, np.inf, 0).astype(np.float16), "non_finite"),
    ],
)
def test_what_cannot_be_right_is_counted_once(result: np.ndarray, field: str) -> None:
    guard = OutputGuard(every=1)
    guard.note(NOISE, result)
    counts = {name: getattr(guard, name) for name in ("black", "constant", "non_finite")}
    assert counts == {name: int(name == field) for name in counts}
    assert "of 1 results that were looked at" in guard.notices[0]


def test_a_flat_frame_may_stay_flat() -> None:
    guard = OutputGuard(every=1)
    for value in (0, 16, 200):
        flat = np.full_like(NOISE, value)
        guard.note(flat, flat)
    assert guard.notices == []
