"""A clock that stands still, and how long tests wait for what must come; none measures a time."""

from __future__ import annotations

import os

# what has not come by then never comes; an emulated machine needs longer
HANG_S = float(os.environ.get("TEST_HANG_S", "120"))


class Clock:
    """Stands in for the module `time`: moves only when a test or `sleep` moves it. Seconds."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Move forward at once."""
        self.slept.append(seconds)
        self.now += seconds

    def perf_counter(self) -> float:
        """The time, as `monotonic` returns it too."""
        return self.now

    def perf_counter_ns(self) -> int:
        """The time in nanoseconds, as `process_time_ns` returns it too."""
        return round(self.now * 1e9)
