"""What changed against an earlier bench, and whether it is more than noise."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from bench.records import Row

LEAST_PERCENT = 3.0  # smaller changes of time are never called a change
SIGMAS = 2.0  # of the two runs' noise together
LEAST_DB = 0.01  # PSNR does not jitter: this is rounding


@dataclass(frozen=True, kw_only=True)
class Change:
    """One figure of one model that moved beyond the noise."""

    label: str
    text: str  # "slower by 12.0 % (105.00 -> 117.60 ms; noise 2.1 %)"
    worse: bool


def find_changes(rows: Iterable[Row], old: Iterable[Row]) -> tuple[list[Change], list[str]]:
    """(changes beyond the noise, sentences about what could not be compared).

    Rows are matched by name, backend, size, threads and device; the file may be another.
    """
    before = {_place(row): row for row in old}
    changes: list[Change] = []
    fresh: list[str] = []
    seen = set()
    for row in rows:
        key = _place(row)
        label = _label(row)
        seen.add(key)
        if key not in before:
            fresh.append(label)
            continue
        found = [_time_change(label, before[key], row), *_psnr_changes(label, before[key], row)]
        changes += [change for change in found if change]
    gone = [_label(row) for key, row in before.items() if key not in seen]
    notes = [f"{len(seen) - len(fresh)} of {len(seen)} rows are in the baseline too."]
    if fresh:
        notes.append(f"Not in the baseline: {', '.join(fresh)}.")
    if gone:
        notes.append(f"In the baseline only: {', '.join(gone)}.")
    return changes, notes


def _place(row: Row) -> tuple[object, ...]:
    """What two runs of one model have in common."""
    return row.name, row.backend, row.width, row.height, row.threads, row.device_name


def _label(row: Row) -> str:
    return f"{row.name} at {row.width}x{row.height}"


def _time_change(label: str, old: Row, new: Row) -> Change | None:
    if old.latency is None or new.latency is None:
        return None
    was, now = old.latency.p50_ms, new.latency.p50_ms
    noise = math.hypot(old.latency.noise_percent, new.latency.noise_percent)
    percent = 100 * (now / was - 1)
    if abs(percent) <= max(LEAST_PERCENT, SIGMAS * noise):
        return None
    word = "slower" if percent > 0 else "faster"
    text = f"{word} by {abs(percent):.1f} % ({was:.2f} to {now:.2f} ms; noise {noise:.1f} %)"
    return Change(label=label, text=text, worse=percent > 0)


def _psnr_changes(label: str, old: Row, new: Row) -> list[Change]:
    changes = []
    for name, score in new.quality.items():
        before = old.quality.get(name)
        if before is None or before.sha256 != score.sha256:
            continue
        step = score.psnr_y_db - before.psnr_y_db
        if abs(step) > LEAST_DB:
            text = f"PSNR-Y on {name} {step:+.2f} dB, to {score.psnr_y_db:.2f}"
            changes.append(Change(label=label, text=text, worse=step < 0))
    return changes
