"""From rows to what a report shows: groups that may be compared, entries, the Pareto front."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.records import Row
from bench.rows import base_name

SORTS = ("p50", "frames30", "psnr", "parameters", "macs", "name")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One model of one group: a line of the table, a point of the plot."""

    label: str
    row: Row
    psnr_y_db: float | None  # on the group's set

    @property
    def p50_ms(self) -> float | None:
        """Median wall time of a frame, ms; None where it was not timed."""
        return self.row.latency.p50_ms if self.row.latency else None

    @property
    def frames30_s(self) -> float | None:
        """Seconds of 30 frames, YUV in, YUV out; None where it was not timed."""
        return self.row.latency.frames30_s if self.row.latency else None


@dataclass(frozen=True, kw_only=True)
class Group:
    """Entries that ran on one device at one size and scale with one number of threads."""

    device_name: str
    width: int
    height: int
    threads: int
    scale: str
    picture_set: str | None  # whose PSNR is plotted
    entries: tuple[Entry, ...]

    @property
    def title(self) -> str:
        """ "1280x720 to 2560x1440, AMD EPYC, 2 cores, 2 threads"."""
        numerator, _, denominator = self.scale.partition("/")
        large = [
            side * int(numerator) // int(denominator or 1) for side in (self.width, self.height)
        ]
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return (
            f"{self.width}x{self.height} to {large[0]}x{large[1]} on {self.device_name}, {threads}"
        )


def make_groups(rows: Iterable[Row], *, picture_set: str | None, sort: str) -> list[Group]:
    """Rows that may be compared, together; sorted by one of SORTS, best first.

    Args:
        picture_set: whose PSNR is plotted; None for the set that most rows have.
    """
    found: dict[tuple[str, int, int, int, str], list[Row]] = {}
    for row in rows:
        key = (row.device_name, row.width, row.height, row.threads, row.scale)
        found.setdefault(key, []).append(row)
    groups = []
    for (device, width, height, threads, scale), members in found.items():
        chosen = picture_set or _common_set(members)
        labels = _labels(members)
        entries = [
            Entry(
                label=label,
                row=row,
                psnr_y_db=_psnr(row, chosen),
            )
            for label, row in zip(labels, members, strict=True)
        ]
        entries.sort(key=lambda entry: _order(entry, sort))
        groups.append(
            Group(
                device_name=device,
                width=width,
                height=height,
                threads=threads,
                scale=scale,
                picture_set=chosen,
                entries=tuple(entries),
            )
        )
    return groups


def pareto_front(entries: Sequence[Entry]) -> list[Entry]:
    """Those that nothing beats in both time and PSNR-Y, by time."""
    front: list[Entry] = []
    ready = [entry for entry in entries if entry.p50_ms is not None and entry.psnr_y_db is not None]
    for entry in sorted(ready, key=lambda entry: (entry.p50_ms or 0, -(entry.psnr_y_db or 0))):
        if not front or (entry.psnr_y_db or 0) > (front[-1].psnr_y_db or 0):
            front.append(entry)
    return front


def precision_pairs(entries: Sequence[Entry]) -> list[tuple[Entry, Entry]]:
    """(whole, reduced) precision of one model, as fp32 and int8."""
    whole = {entry.label: entry for entry in entries if entry.row.precision == "fp32"}
    return [
        (whole[base_name(entry.label)], entry)
        for entry in entries
        if entry.row.precision != "fp32" and base_name(entry.label) in whole
    ]


def set_names(rows: Iterable[Row]) -> list[str]:
    """Picture sets in the order they were first measured on."""
    return list(dict.fromkeys(name for row in rows for name in row.quality))


def _psnr(row: Row, picture_set: str | None) -> float | None:
    score = row.quality.get(picture_set or "")
    return score.psnr_y_db if score else None


def _common_set(rows: Sequence[Row]) -> str | None:
    names = set_names(rows)
    return max(names, key=lambda name: sum(name in row.quality for row in rows), default=None)


def _labels(rows: Sequence[Row]) -> list[str]:
    """Names; with the backend or the file's digest where one name is there twice."""
    names = [row.name for row in rows]
    labels = []
    for name, row in zip(names, rows, strict=True):
        twins = [other for other in rows if other.name == name]
        if len({twin.backend for twin in twins}) > 1:
            name = f"{name} ({row.backend})"
        if len({twin.sha256 for twin in twins}) > 1:
            name = f"{name} [{row.sha256[:6]}]"
        labels.append(name)
    return labels


def _order(entry: Entry, sort: str) -> tuple[bool, Any, str]:
    row = entry.row
    value = {
        "p50": entry.p50_ms,
        "frames30": entry.frames30_s,
        "psnr": -entry.psnr_y_db if entry.psnr_y_db is not None else None,
        "parameters": row.parameters,
        "macs": row.macs or 0,
        "name": entry.label,
    }[sort]
    return value is None, value if value is not None else 0, entry.label
