"""One finding of the doctor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

STATES = ("ok", "note", "gap", "broken")


@dataclass(frozen=True)
class Line:
    """What was found, and what to do about it.

    ``state`` is "ok"; "note" for a plain fact; "gap" for something optional that is missing;
    "broken" where the default path (file in, ONNX Runtime on the CPU, file out) does not work.
    """

    group: str
    name: str
    state: str
    found: str
    advice: str = ""  # the command that closes the gap


def is_broken(lines: Sequence[Line]) -> bool:
    """Whether the default path does not work here."""
    return any(line.state == "broken" for line in lines)
