"""The report of a library: ``report.md`` for people, ``report.json`` for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge_sr import __version__
from edge_sr.errors import MediaError
from edge_sr.files import write_whole
from fleet.films.library import Entry, Library

PAGE = """\
# Library

{summary}

| film | result | frames | of them from before | seconds of work | |
|---|---|---:|---:|---:|---|
{rows}
"""


def write_report(library: Library, folder: Path) -> str:
    """Write both files; returns the summary, a line.

    Raises:
        MediaError: they cannot be written.
    """
    found = facts(library)
    write_whole(folder / "report.json", json.dumps(found, indent=2) + "\n", error=MediaError)
    rows = "\n".join(map(_row, library.entries))
    page = PAGE.format(summary=found["summary"], rows=rows)
    write_whole(folder / "report.md", page, error=MediaError)
    return str(found["summary"])


def facts(library: Library) -> dict[str, Any]:
    """Everything that is reported, as values that JSON can hold."""
    done = [entry for entry in library.entries if entry.made]
    failed = [entry for entry in library.entries if entry.error]
    frames = sum(entry.frames - entry.kept for entry in done)
    lost = f", {len(failed)} failed" if failed else ""
    summary = (
        f"{len(done)} of {len(library.entries)} films are done{lost}; {frames} frames of them made "
        f"in {library.seconds:.1f} s"
    )
    return {
        "edge-sr": __version__,
        "summary": summary,
        "seconds": round(library.seconds, 3),
        "films": [_facts(entry) for entry in library.entries],
    }


def _facts(entry: Entry) -> dict[str, Any]:
    made = entry.made
    return {
        "film": str(entry.film.path),
        "result": str(entry.film.output),
        "state": "done" if made else "failed" if entry.error else "not done",
        "error": entry.error,
        "frames": made.frames if made else entry.frames,
        "frames_from_before": entry.kept,
        "segments": len(entry.segments),
        "work_seconds": round(made.seconds, 3) if made else None,
        "sha256": made.sha256 if made else None,
        "notices": list(made.notices) if made else [],
    }


def _row(entry: Entry) -> str:
    found = _facts(entry)
    seconds = "" if found["work_seconds"] is None else f"{found['work_seconds']:.1f}"
    said = "; ".join([found["error"] or found["state"], *found["notices"]]).replace("|", "\\|")
    cells = (entry.film.path.name, entry.name, found["frames"], found["frames_from_before"])
    return f"| {' | '.join(map(str, cells))} | {seconds} | {said} |"
