"""What every test may use: a clock that stands still, and a limit for what could wait for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import pytest
from clocks import HANG_S, Clock

T = TypeVar("T")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the clocks and `sleep` of the module `time` for one test of one thread."""
    fake = Clock()
    for name in ("perf_counter", "monotonic"):
        monkeypatch.setattr(time, name, fake.perf_counter)
    for name in ("perf_counter_ns", "process_time_ns"):
        monkeypatch.setattr(time, name, fake.perf_counter_ns)
    monkeypatch.setattr(time, "sleep", fake.sleep)
    return fake


@pytest.fixture
def finishes() -> Callable[[Callable[[], T]], T]:
    """``finishes(work)`` returns what `work()` returns or raises; fails if it never comes back."""

    def run(work: Callable[[], T]) -> T:
        results: list[T] = []
        errors: list[BaseException] = []

        def catch() -> None:
            try:
                results.append(work())
            except BaseException as error:  # noqa: BLE001 - raised again below
                errors.append(error)

        thread = threading.Thread(target=catch, name="test", daemon=True)
        thread.start()
        thread.join(HANG_S)
        if thread.is_alive():
            pytest.fail(f"it has not ended in {HANG_S:g} s")
        if errors:
            raise errors[0]
        return results[0]

    return run
