"""TensorRT's progress monitor: nested phases of counted steps -> one share of the whole."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Phase:
    """One phase of the builder, somewhere inside another."""

    parent: str | None
    steps: int
    done: int = 0


class Tracker:
    """Turns phase events into a share of 0..1 that never falls. Called from several threads."""

    def __init__(self, show: Callable[[float, str], None]) -> None:
        self.show = show
        self.phases: dict[str, Phase] = {}
        self.share = 0.0
        self.lock = threading.Lock()

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """A phase of so many steps begins, inside ``parent`` if there is one."""
        with self.lock:
            self.phases[name] = Phase(parent, max(steps, 1))
            self._tell(name)

    def step(self, name: str, step: int) -> None:
        """Step number ``step``, from 0, of a phase is done."""
        with self.lock:
            if name in self.phases:
                self.phases[name].done = max(self.phases[name].done, step + 1)
                self._tell(name)

    def finish(self, name: str) -> None:
        """A phase is over, whether all its steps came or not."""
        with self.lock:
            gone = self.phases.pop(name, None)
            if gone and gone.parent in self.phases:
                outer = self.phases[gone.parent or ""]
                outer.done = max(outer.done, 1)
            if gone and gone.parent is None:
                self.share = 1.0
            self._tell(name)

    def _tell(self, name: str) -> None:
        """The deepest running phase counts as a part of one step of the phase around it."""
        share, inner = 0.0, name
        while (phase := self.phases.get(inner)) is not None:
            share = min(1.0, (phase.done + share * (phase.done < phase.steps)) / phase.steps)
            inner = phase.parent or ""
        self.share = max(self.share, share)
        self.show(self.share, name)
