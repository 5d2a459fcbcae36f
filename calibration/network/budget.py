"""How long a search may take."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass
class Budget:
    """How long a search may take. What it had to leave out is noted once."""

    seconds: float
    started: float = field(default_factory=time.monotonic)
    left_out: list[str] = field(default_factory=list)

    @classmethod
    def of_minutes(cls, minutes: float | None) -> Budget:
        """A budget of so many minutes from now; None: no bound."""
        return cls(float("inf") if minutes is None else 60 * minutes)

    def spent(self, share: float = 1.0, what: str = "") -> bool:
        """Whether this share of the time is over; ``what`` is then left out."""
        over = time.monotonic() - self.started > share * self.seconds
        if over and what and what not in self.left_out:
            self.left_out.append(what)
        return over
