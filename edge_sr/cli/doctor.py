"""``edge-sr doctor``: its options, and its findings as a table or as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from edge_sr import doctor as examination
from edge_sr.cli.common import Row, add_command, format_table
from edge_sr.cli.doors import hand_over
from edge_sr.cli.options import add_device
from edge_sr.doctor.line import Line, is_broken

EXAMPLES = """\
examples:
  edge-sr doctor
  edge-sr doctor --json
  edge-sr doctor --gpu
"""
MARKS = {"ok": "ok", "note": "-", "gap": "gap", "broken": "BROKEN"}


def add_doctor(commands: Any) -> None:
    """Add ``edge-sr doctor``."""
    command = add_command(
        commands,
        "doctor",
        "Show what is installed, run each backend once, and give the command that closes each gap. "
        "Exits 1 when the default path is broken.",
        summary="show what is installed, run each backend once, and how to close every gap",
        examples=EXAMPLES,
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    add_device(command)
    command.add_argument(
        "--gpu",
        nargs=argparse.REMAINDER,
        help="check the GPU path instead: edge-sr bench device-check, with its options",
    )
    command.set_defaults(command=doctor)


def doctor(args: argparse.Namespace) -> int:
    """Examine this machine. 0: the default path works; 1: it does not."""
    if args.gpu is not None:
        return hand_over("bench", ["device-check", *args.gpu])
    lines = examination.examine()
    print(as_json(lines) if args.json else as_table(lines))
    return 1 if is_broken(lines) else 0


def as_table(lines: Sequence[Line], *, width: int | None = None) -> str:
    """Groups with one finding a line; under a gap, the command that closes it."""
    rows: list[Row | str] = []
    group = ""
    for line in lines:
        if line.group != group:
            group = line.group
            rows.append(group)
        rows.append(Row((line.name, MARKS[line.state], line.found), command=line.advice))
    count = sum(line.state == "gap" for line in lines)
    verdict = "the default path is BROKEN" if is_broken(lines) else "the default path works"
    gaps = f"; {count} optional gaps, each with the command that closes it" if count else ""
    return "\n".join([format_table(rows, width=width), "", f"{verdict}{gaps}"])


def as_json(lines: Sequence[Line]) -> str:
    """One object: ``ok``, and the ``checks`` with group, name, state, found and advice."""
    checks = [asdict(line) for line in lines]
    return json.dumps({"ok": not is_broken(lines), "checks": checks}, indent=2)
