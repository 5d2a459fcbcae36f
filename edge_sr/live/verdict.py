"""Whether a run keeps up with its source, in one line."""

from __future__ import annotations

import time
from collections import deque

from edge_sr.media.frame import StreamInfo
from edge_sr.pipeline.stats import Stats

SPAN_S = 5.0  # that the verdict is about
LEAST = 3  # frames before there is one
FINE = 0.01  # share of dropped frames that nobody sees


class Verdict:
    """Counts of the last seconds. `note` and `facts` may be called from different threads."""

    def __init__(self, info: StreamInfo) -> None:
        self._info = info
        self._notes: deque[tuple[float, int, int]] = deque()  # when, read, dropped

    def note(self, stats: Stats) -> None:
        """A frame came out."""
        now = time.perf_counter()
        self._notes.append((now, stats.read, stats.dropped))
        while len(self._notes) > LEAST and self._notes[0][0] < now - SPAN_S:
            self._notes.popleft()

    def clear(self) -> None:
        """Another model: begin again."""
        self._notes.clear()

    def facts(self) -> dict[str, object]:
        """``source_fps``, ``dropped_percent`` and ``verdict``: a line, "" before there is one."""
        notes = list(self._notes)
        if len(notes) < LEAST:
            return {"source_fps": None, "dropped_percent": None, "verdict": ""}
        (since, read, dropped), (until, read_last, dropped_last) = notes[0], notes[-1]
        seconds = max(until - since, 1e-9)
        came, lost = read_last - read, dropped_last - dropped
        share = lost / max(came, 1)
        rate, out = came / seconds, (len(notes) - 1) / seconds
        if not self._info.live:
            usual = self._info.frame_rate
            speed = f", {out / usual:.2f} times the film's speed" if usual else ""
            text = f"{out:.1f} fps{speed}"
        elif share < FINE:
            text = f"keeps up with {rate:.0f} fps"
        else:
            text = f"drops {share:.0%}: {out:.1f} of {rate:.0f} fps".replace("%:", " %:")
        return {
            "source_fps": round(rate, 1),
            "dropped_percent": round(100 * share, 1),
            "verdict": text,
        }
