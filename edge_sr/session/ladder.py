"""Which models a run may change to, and when it steps down to a smaller one."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from fractions import Fraction

from edge_sr import zoo
from edge_sr.model.sidecar import Sidecar

BICUBIC = "bicubic"
WINDOW = 15  # frames that a decision is made of
ROOM = 0.7  # of the limit: below that, the larger model is worth a try
PATIENCE_S = 10.0  # before the first try; doubled each time that one fails
MAX_PATIENCE_S = 600.0


def full_name(facts: Sidecar) -> str:
    """The name that opens this file again: int8 files of the zoo end in it."""
    name = f"{facts.name}.{facts.precision}" if facts.precision != "fp32" else facts.name
    return name if name in choices(facts.ratio) else facts.name


def choices(ratio: Fraction) -> list[str]:
    """Shipped models of one scale, fp32 and int8, and bicubic."""
    known = [*zoo.names(), *zoo.names("int8")]
    scale = f"{float(ratio):g}"
    same = [name for name in known if name.partition("-x")[2].removesuffix(".int8") == scale]
    return [*sorted(same), BICUBIC]


def ladder(facts: Sidecar) -> list[str]:
    """From a model down: the smaller shipped ones of its scale and precision, then bicubic.

    All of one flavour: a model for clean inputs is not replaced by one for compressed inputs.
    """
    smaller = []
    for name in choices(facts.ratio)[:-1]:
        other = zoo.find(name)[1]
        alike = zoo.flavour_of(name) == zoo.flavour_of(facts.name)
        if alike and other.precision == facts.precision and other.parameters < facts.parameters:
            smaller.append((other.parameters, name))
    return [full_name(facts), *(name for _, name in sorted(smaller, reverse=True)), BICUBIC]


class Deadline:
    """Rungs of a ladder, 0 the best: down at once when too slow, up rarely, with hysteresis."""

    def __init__(
        self, limit_s: float, rungs: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin on rung 0.

        Args:
            limit_s: what one frame may take, at the median.
            rungs: how many there are.
        """
        self.limit_s, self.rungs = limit_s, rungs
        self.rung = 0
        self._clock = clock
        self._times: list[float] = []
        self._since = clock()
        self._patience_s = PATIENCE_S
        self._trying = False

    def note(self, took_s: float) -> int:
        """Take the time of one frame; returns the rung that the next one should run on."""
        self._times.append(took_s)
        if len(self._times) < WINDOW:
            return self.rung
        median = statistics.median(self._times)
        self._times.clear()
        waited = self._clock() - self._since
        if median > self.limit_s and self.rung + 1 < self.rungs:
            if self._trying:
                self._patience_s = min(2 * self._patience_s, MAX_PATIENCE_S)
            self._move(self.rung + 1, trying=False)
        elif self._trying and waited > self._patience_s:
            self._trying, self._patience_s = False, PATIENCE_S  # it held: trust it again
        elif median < ROOM * self.limit_s and self.rung and waited > self._patience_s:
            self._move(self.rung - 1, trying=True)
        return self.rung

    def _move(self, rung: int, *, trying: bool) -> None:
        self.rung, self._trying, self._since = rung, trying, self._clock()
