"""What a run has done so far, readable from any thread while it runs."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from dataclasses import dataclass, field

KEPT = 300  # values that percentiles are made of
RATE_S = 2.0  # the span that the current rate is taken from


class Recent:
    """The last values of something, in seconds mostly, and their percentiles."""

    def __init__(self, kept: int = KEPT) -> None:
        self._values: deque[float] = deque(maxlen=kept)
        self._lock = threading.Lock()
        self.count = 0
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        with self._lock:
            self._values.append(value)
            self.count += 1
            self.total += value

    def clear(self) -> None:
        """Forget the values that percentiles are made of; the sums stay."""
        with self._lock:
            self._values.clear()

    @property
    def last(self) -> float | None:
        """The newest value; None without any."""
        with self._lock:
            return self._values[-1] if self._values else None

    @property
    def mean(self) -> float | None:
        """Of the last values; None without any."""
        with self._lock:
            return sum(self._values) / len(self._values) if self._values else None

    def percentile(self, share: float) -> float | None:
        """The value that a share of the last ones, 0 to 1, does not exceed; None without any."""
        with self._lock:
            ordered = sorted(self._values)
        if not ordered:
            return None
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    def rate(self, span_s: float = RATE_S) -> float:
        """Of points in time: how many a second came within the last `span_s` seconds."""
        now = time.perf_counter()
        with self._lock:
            inside = [value for value in self._values if value > now - span_s]
        if len(inside) < 2:
            return 0.0
        return (len(inside) - 1) / max(now - inside[0], 1e-9)


@dataclass
class Stats:
    """What a run did; filled while it runs. Seconds are wall time."""

    read: int = 0
    written: int = 0
    dropped: int = 0  # live frames replaced by newer ones before they were upscaled
    infer_s: float = 0.0  # spent in upscaling, summed over the frames
    started: float = field(default_factory=time.perf_counter)
    finished: float | None = None
    depth: int = 0  # frames that wait between the stages
    depth_max: int = 0
    infer: Recent = field(default_factory=Recent)  # of each frame
    age: Recent = field(default_factory=Recent)  # from capture until every sink has the frame
    screen: Recent = field(default_factory=Recent)  # from capture until a browser has shown it
    computed: Recent = field(
        default_factory=Recent
    )  # share of each frame that was computed, 0 to 1
    times: Recent = field(default_factory=Recent)  # when frames were written

    def clear_recent(self) -> None:
        """Forget the times of the frames so far, as another model's say nothing of this one's."""
        for values in (self.infer, self.age, self.screen, self.computed):
            values.clear()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start, until the end or now."""
        return (self.finished or time.perf_counter()) - self.started

    @property
    def fps(self) -> float:
        """Frames written per second of wall time, 0 before the first."""
        return self.written / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def current_fps(self) -> float:
        """Frames written per second over the last two seconds."""
        return self.times.rate()
