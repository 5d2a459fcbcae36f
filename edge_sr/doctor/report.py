"""The doctor's findings as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict

from edge_sr.doctor.line import Line, is_broken

MARKS = {"ok": "ok", "note": "-", "gap": "gap", "broken": "BROKEN"}
COLUMN = 27  # where the third column begins


def as_table(lines: Sequence[Line], *, width: int = 80) -> str:
    """Groups with one finding a line; under a gap, the command that closes it."""
    out: list[str] = []
    group = ""
    for line in lines:
        if line.group != group:
            group = line.group
            out += ["", group]
        head = f"  {line.name:<16} {MARKS[line.state]:<7} "
        out += textwrap.wrap(
            line.found,
            max(width, 60),
            initial_indent=f"{head:<{COLUMN}}",
            subsequent_indent=" " * COLUMN,
            break_long_words=False,
            break_on_hyphens=False,
        )
        if line.advice:  # never wrapped: it is there to be copied
            out.append(f"      $ {line.advice}")
    count = sum(line.state == "gap" for line in lines)
    verdict = "the default path is BROKEN" if is_broken(lines) else "the default path works"
    gaps = f"; {count} optional gaps, each with the command that closes it" if count else ""
    return "\n".join([*out[1:], "", f"{verdict}{gaps}"])


def as_json(lines: Sequence[Line]) -> str:
    """One object: ``ok``, and the ``checks`` with group, name, state, found and advice."""
    checks = [asdict(line) for line in lines]
    return json.dumps({"ok": not is_broken(lines), "checks": checks}, indent=2)
