"""The two files of `device-check`: everything as JSON, and a page to read."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.check.options import Options
from bench.check.plan import Outcome
from edge_sr import __version__
from edge_sr.errors import ModelFileError
from edge_sr.files import whole_file

NAME = "device-check"


class Pages:
    """Writes both files again after every step, each whole: a crash leaves the steps before it."""

    def __init__(self, folder: Path, options: Options, *, minutes: float) -> None:
        """Make the folder.

        Raises:
            ModelFileError: it cannot be made.
        """
        self.paths = [folder / f"{NAME}.json", folder / f"{NAME}.md"]
        self._head = {
            "made_by": "python -m bench device-check",
            "edge_sr": __version__,
            "utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "minutes": minutes,
            "options": asdict(options),
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ModelFileError(f"{folder}: cannot be made ({error.strerror})") from error

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Write what is known so far."""
        found = {**self._head, "steps": [asdict(outcome) for outcome in outcomes]}
        for path, text in zip(
            self.paths, (json.dumps(found, indent=2) + "\n", render(found)), strict=True
        ):
            with whole_file(path, error=ModelFileError) as part:
                part.write_text(text)


def summary(outcomes: Sequence[Outcome]) -> str:
    """ "8 good, 1 failed, 2 cannot run"."""
    counts = Counter(outcome.state for outcome in outcomes)
    order = ("good", "failed", "cannot run", "not run", "running")
    return ", ".join(f"{counts[state]} {state}" for state in order if counts[state])


def render(found: dict[str, Any]) -> str:
    """The page."""
    columns, rows = found["options"]["size"]
    lines = [
        "# edge-sr device check",
        "",
        f"edge-sr {found['edge_sr']}, {found['utc']}, bounded to {found['minutes']:g} minutes. "
        f"Frames of {columns}x{rows} for the engines.",
        "",
        "| step | result | seconds |",
        "|---|---|---|",
    ]
    lines += [
        f"| {step['title']} | {_state(step['state'])} | {step['seconds']:.1f} |"
        for step in found["steps"]
    ]
    for step in found["steps"]:
        lines += ["", f"## {step['title']}: {_state(step['state'])}", ""]
        lines += [f"- {line}" for line in step["lines"]]
        table = step["found"].get("table", [])
        if table:
            head, *body = ["| " + " | ".join(row) + " |" for row in table]
            lines += ["", head, "|" + "---|" * len(table[0]), *body]
        if step["log"]:
            lines += ["", "```text", *step["log"], "```"]
    return "\n".join(lines) + "\n"


def _state(state: str) -> str:
    return state.upper() if state == "failed" else state
