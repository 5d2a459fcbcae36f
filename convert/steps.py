"""What a long command tells while it works: one line for each step, with its time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from edge_sr.errors import ModelFileError
from edge_sr.model.engine_cache import locked
from edge_sr.model.sidecar import Sidecar, load_sidecar


@dataclass
class Steps:
    """Lines on stderr."""

    started: float = field(default_factory=time.monotonic)

    def line(self, name: str, text: str, seconds: float | None = None) -> None:
        """One step that is done."""
        took = "" if seconds is None else f" ({seconds:.1f} s)"
        self.note(f"{name:<12}{text}{took}")

    def note(self, text: str) -> None:
        """Words for the person at the keyboard."""
        print(text, file=sys.stderr, flush=True)

    def file(
        self,
        name: str,
        path: Path,
        make: Callable[[Path], object],
        words: Callable[[Sidecar], str],
    ) -> Sidecar:
        """A model file of the cache: reused if it is whole, else made by ``make(path)``.

        Raises:
            EdgeSRError: as ``make``, or the cache cannot be written.
        """
        if sidecar := _whole(path):
            self.line(name, f"{words(sidecar)} (reused)")
            return sidecar
        with locked(path, tell=self.note):
            started = time.monotonic()
            sidecar = _whole(path)
            if sidecar is None:
                if sys.stderr.isatty():
                    print(f"{name:<12}...", end="\r", file=sys.stderr, flush=True)
                make(path)
                sidecar = load_sidecar(path)
            self.line(name, words(sidecar), time.monotonic() - started)
        return sidecar


def _whole(path: Path) -> Sidecar | None:
    try:
        return load_sidecar(path)
    except ModelFileError:
        return None
