"""What is installed here, what works, and what to type about the rest: ``edge-sr doctor``."""

from __future__ import annotations

from edge_sr.doctor import backends, cuda, machine, media, packages
from edge_sr.doctor.line import Line, is_broken

__all__ = ["Line", "examine", "is_broken"]


def examine() -> list[Line]:
    """Look at this machine and run every backend once; takes a few seconds.

    Nothing is installed or changed.
    """
    found = [*machine.lines(), *cuda.lines(), *packages.lines(), *media.lines()]
    return [*found, *backends.lines()]
