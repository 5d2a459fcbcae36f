"""The report as one HTML file that needs nothing else, and as Markdown."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.report.changes import Change
from bench.report.columns import Column, make_columns, video_columns
from bench.report.crops import PATCH
from bench.report.decision import decide
from bench.report.figure import COLORS, svg, themed
from bench.report.plot import bars, scatter
from bench.report.sentences import describe
from bench.report.summary import Entry, Group
from edge_sr.errors import MissingDependencyError

TITLE = "Super-resolution bench"
LEAD = (
    "Which model takes the least time, at what PSNR, with how many parameters, on this device. "
    "Figures are measured as the sentences under each table say, except where they say estimated."
)
TEMPLATE = Path(__file__).with_name("report.html.j2")
# columns whose smallest or largest number is the best
LEAST = (
    "p50 ms",
    "p90 ms",
    "p99 ms",
    "max ms",
    "CPU ms",
    "GPU ms",
    "30 frames s",
    "peak MiB",
    "mJ/frame",
)
CALM = ("flicker", "still")  # titles of columns of clips end so
MOST = ("fps", "VMAF", "VMAF-NEG", "PSNR-Y", "SSIM-Y", "PSNR RGB")


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What `bench.report.changes` found."""

    changes: Sequence[Change]
    notes: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Crop:
    """One strip of patches of the report."""

    path: Path
    caption: str


def render_html(
    groups: Sequence[Group], crops: dict[int, list[Crop]], baseline: Baseline | None
) -> str:
    """The whole page. ``crops`` is by index of the group.

    Raises:
        MissingDependencyError: jinja2 or matplotlib is not installed.
    """
    try:
        import jinja2
    except ImportError as error:
        raise MissingDependencyError(
            "jinja2 is not installed: pip install 'edge-sr[bench]'"
        ) from error
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        title=TITLE,
        lead=LEAD,
        colors=COLORS,
        patch=PATCH,
        baseline=baseline,
        decisions=[decide(group) for group in groups],
        sections=[_section(group, crops.get(i, [])) for i, group in enumerate(groups)],
    )


def render_markdown(
    groups: Sequence[Group], crops: dict[int, list[Crop]], baseline: Baseline | None
) -> str:
    """The same for a terminal or a README; plots are linked by the names `write_report` gives."""
    lines = [f"# {TITLE}", ""]
    for item in map(decide, groups):
        lines += [f"**{item.title}: {item.answer}.** {' '.join(item.details)}".rstrip(), ""]
        lines += [f"Measured on {item.where}.", ""]
    lines += [LEAD, ""]
    if baseline is not None:
        lines += ["## Against the baseline", ""]
        lines += [f"- {item.label}: {item.text}" for item in baseline.changes] or [
            "Of the rows in both, nothing changed beyond the measured noise."
        ]
        lines += ["", *baseline.notes, ""]
    for index, group in enumerate(groups, start=1):
        columns = make_columns(group)
        lines += [f"## {group.title}", ""]
        lines += [f"![{name}]({plot_name(name, index)}.svg)\n" for name in plots(group)]
        lines += _markdown_table(columns, group.entries)
        if videos := video_columns(group):
            lines += ["", "### On video", "", *_markdown_table(videos, group.entries)]
        lines += ["", *(f"- {sentence}" for sentence in describe(group)), ""]
        if crops.get(index - 1):
            lines += [
                f"Best and worst patches ({PATCH} pixels: bicubic, the model, the truth):",
                "",
            ]
            lines += [
                f"![{c.caption}](crops/{c.path.name}) {c.caption}\n" for c in crops[index - 1]
            ]
    return "\n".join(lines) + "\n"


def _markdown_table(columns: Sequence[Column], entries: Sequence[Entry]) -> list[str]:
    rule = "|".join("---" if n == 0 else "---:" for n in range(len(columns)))
    rows = [[column.text(entry) for column in columns] for entry in entries]
    heads = [column.title for column in columns]
    return [f"| {' | '.join(heads)} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in rows)]


def plots(group: Group) -> dict[str, Any]:
    """The figures of a group that there is something to draw for, by name."""
    found = {"scatter": scatter(group), "bars": bars(group)}
    return {name: figure for name, figure in found.items() if figure is not None}


def plot_name(name: str, index: int) -> str:
    """File name without suffix; the first group's has no number."""
    return name if index == 1 else f"{name}-{index}"


def _section(group: Group, crops: Sequence[Crop]) -> dict[str, Any]:
    videos = video_columns(group)
    return {
        "title": group.title,
        "plots": [
            _unique(themed(svg(figure)), f"{name}-{id(group)}")
            for name, figure in plots(group).items()
        ],
        "tables": [
            _table("All figures", make_columns(group), group.entries),
            *([_table("On video", videos, group.entries)] if videos else []),
        ],
        "sentences": describe(group),
        "crops": [{"data": _data_uri(crop.path), "caption": crop.caption} for crop in crops],
    }


def _table(title: str, columns: list[Column], entries: Sequence[Entry]) -> dict[str, Any]:
    best = {column.title: _best(column, entries) for column in columns}
    lines = [
        {
            "kind": entry.row.kind,
            "cells": [
                {
                    "text": column.text(entry),
                    "value": column.value(entry),
                    "best": column.value(entry) == best[column.title] is not None,
                }
                for column in columns
            ],
        }
        for entry in entries
    ]
    return {"title": title, "columns": columns, "lines": lines}


def _best(column: Column, entries: Sequence[Entry]) -> Any:
    """The best number of a column among networks; floors do not compete in time."""
    networks = [entry for entry in entries if entry.row.kind != "floor"]
    values = [value for e in networks if isinstance(value := column.value(e), (int, float))]
    if len(values) < 2:
        return None
    if column.title in LEAST or column.title.endswith(CALM):
        return min(values)
    return max(values) if column.title.endswith(MOST) else None


def _unique(text: str, prefix: str) -> str:
    """Two SVGs on one page must not share ids."""
    for mark in ('id="', "url(#", 'href="#'):
        text = text.replace(mark, f"{mark}{prefix}-")
    return text


def _data_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
