"""What is here, what works, and what to type about the rest: ``edge-sr doctor``."""

from __future__ import annotations

from edge_sr.doctor.line import Line, is_broken
from edge_sr.doctor.report import as_json, as_table

__all__ = ["Line", "as_json", "as_table", "examine", "is_broken"]


def examine() -> list[Line]:
    """Look at this machine and run every backend once; takes a few seconds.

    Nothing is installed or changed.
    """
    from edge_sr.doctor import backends, cuda, machine, media, packages

    found = [*machine.lines(), *cuda.lines(), *packages.lines(), *media.lines()]
    return [*found, *backends.lines()]
