"""Timestamps that always increase, from a stream whose own may be missing or go back."""

from __future__ import annotations

from fractions import Fraction

JUMP_S = 1  # a step back of more than this is a cut in the stream, not a small disorder


class Timestamps:
    """Passes good timestamps through untouched and repairs the others, counting them.

    * missing: one frame duration after the frame before; 0 for the first
    * not after the frame before: one tick after it
    * more than a second before the frame before (a stream that was cut together): this frame and
      all that follow are moved to go on one frame duration after it
    """

    def __init__(self, time_base: Fraction, frame_rate: Fraction | None) -> None:
        self.repaired = 0
        self.jumped = False  # whether the newest timestamp follows a cut in the stream
        self._time_base = time_base
        self._step = max(1, round(1 / ((frame_rate or Fraction(25)) * time_base)))
        self._last: int | None = None
        self._shift = 0

    def next(self, pts: int | None, duration: int | None = None) -> int:
        """The timestamp to use for a frame that claims ``pts``, in units of the time base."""
        step = duration or self._step
        self.jumped = False
        if pts is None:
            self.repaired += 1
            used = 0 if self._last is None else self._last + step
        else:
            used = pts + self._shift
            if self._last is not None and used <= self._last:
                self.repaired += 1
                used = self._after(pts, used, step)
        self._last = used
        return used

    def _after(self, pts: int, used: int, step: int) -> int:
        assert self._last is not None  # noqa: S101
        if (self._last - used) * self._time_base <= JUMP_S:
            return self._last + 1
        self._shift = self._last + step - pts
        self.jumped = True
        return self._last + step
