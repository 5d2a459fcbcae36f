"""What `device-check` is asked for, as its child processes get it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Options:
    """Of the steps with an engine."""

    size: tuple[int, int]  # columns, rows
    frames: int  # of the long run
    timed: int  # of each timing
