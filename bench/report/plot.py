"""The plots of a report: latency against PSNR, and bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.report.figure import LIGHT, new_figure
from bench.report.labels import place_labels
from bench.report.summary import Entry, Group, pareto_front, precision_pairs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = {"model": "o", "rival": "s", "floor": "D"}
FAR_DB = 0.8  # floors farther below the networks than this are not drawn to scale
LEAST_DB = 0.6  # that the axis spans: what nobody sees must not look like a cliff
LEGEND = {"model": "edge-sr", "rival": "rival", "floor": "floor"}


def scatter(group: Group, *, size: tuple[float, float] = (9, 5.6)) -> Figure | None:
    """Latency (log) against PSNR-Y with the Pareto front; None without two points.

    Floors more than FAR_DB below every network stand at the lower edge with their figure, so that
    the networks have the room.
    """
    ready = [e for e in group.entries if e.p50_ms is not None and e.psnr_y_db is not None]
    if len(ready) < 2:
        return None
    networks = [e.psnr_y_db or 0 for e in ready if e.row.kind != "floor"]
    bottom = min(networks, default=0.0) - FAR_DB
    low = [e for e in ready if (e.psnr_y_db or 0) < bottom]
    shown = [e for e in ready if e not in low]
    figure = new_figure(*size)
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.grid(visible=True, which="major", linewidth=0.8)
    lines = [[(e.p50_ms or 0, e.psnr_y_db or 0) for e in pareto_front(ready) if e in shown]]
    dashes: dict[str, Any] = {"color": LIGHT["soft"], "linestyle": (0, (5, 3)), "linewidth": 1.2}
    if len(lines[0]) > 1:
        axes.plot(*zip(*lines[0], strict=True), label="Pareto front", zorder=2, **dashes)
    for pair in precision_pairs(shown):
        lines.append([(e.p50_ms or 0, e.psnr_y_db or 0) for e in pair])
        color = LIGHT[pair[0].row.kind]
        axes.plot(*zip(*lines[-1], strict=True), color=color, linewidth=1, zorder=2)
    for kind, marker in MARKERS.items():
        _points(axes, [e for e in shown if e.row.kind == kind], kind, marker)
    if any(e.row.precision == "int8" for e in shown):
        axes.scatter([], [], s=46, facecolors="none", edgecolors=LIGHT["soft"], label="int8")
    floor = _frame(axes, ready, shown, group)
    for entry in low:
        axes.plot(
            entry.p50_ms or 0, floor, marker="v", color=LIGHT["floor"], clip_on=False, zorder=3
        )
    items = [((e.p50_ms or 0, e.psnr_y_db or 0), e.label, LIGHT[e.row.kind]) for e in shown]
    items += [
        ((e.p50_ms or 0, floor), f"{e.label}, {e.psnr_y_db:.2f} dB", LIGHT["floor"]) for e in low
    ]
    place_labels(figure, axes, items, lines)
    return figure


def bars(group: Group) -> Figure | None:
    """Parameters and time for 30 frames side by side, in the order of the table."""
    entries = [e for e in group.entries if e.frames30_s is not None]
    if not entries:
        return None
    figure = new_figure(9, 0.9 + 0.3 * len(entries))
    left, right = figure.subplots(1, 2, sharey=True)
    parameters = [e.row.parameters for e in entries]
    seconds = [e.frames30_s or 0 for e in entries]
    _bar(left, entries, [n / 1000 for n in parameters], "parameters, thousands", _thousands)
    _bar(right, entries, seconds, "time for 30 frames, s", lambda value: f"{value:.2f}")
    left.set_yticks(range(len(entries)), [e.label for e in entries], color=LIGHT["ink"])
    left.invert_yaxis()
    return figure


def _points(axes: Axes, entries: Sequence[Entry], kind: str, marker: str) -> None:
    """Markers of one kind; int8 ones are hollow."""
    if entries:
        hollow = [e.row.precision == "int8" for e in entries]
        axes.scatter(
            [e.p50_ms or 0 for e in entries],
            [e.psnr_y_db or 0 for e in entries],
            s=46,
            marker=marker,
            facecolors=[LIGHT["paper"] if empty else LIGHT[kind] for empty in hollow],
            edgecolors=LIGHT[kind],
            linewidths=1.6,
            label=LEGEND[kind],
            zorder=3,
        )


def _frame(axes: Axes, ready: Sequence[Entry], shown: Sequence[Entry], group: Group) -> float:
    """Limits with room for labels, plain numbers, titles; returns the lower edge in dB."""
    times = [e.p50_ms or 0 for e in ready]
    levels = [e.psnr_y_db or 0 for e in shown]
    spare = max(0.0, LEAST_DB - (max(levels) - min(levels))) / 2
    room = max(max(levels) - min(levels), LEAST_DB)
    floor = min(levels) - spare - 0.18 * room
    axes.set_xlim(min(times) / 1.6, max(times) * 2.2)
    axes.set_ylim(floor, max(levels) + spare + 0.14 * room)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if _is_mark(value) else "")
    axes.set_xlabel("time for one frame, median, ms (log scale; left is faster)")
    axes.set_ylabel(f"PSNR-Y on {group.picture_set}, dB (up is better)")
    axes.legend(loc="lower right", frameon=False)
    return floor


def _is_mark(value: float) -> bool:
    return f"{value:.0e}"[0] in "25"


def _bar(
    axes: Axes, entries: Sequence[Entry], values: Sequence[float], title: str, text: Any
) -> None:
    axes.barh(
        range(len(entries)),
        values,
        height=0.66,
        color=[LIGHT[e.row.kind] for e in entries],
    )
    for index, value in enumerate(values):
        axes.annotate(
            text(value),
            (value, index),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    axes.set_xlim(0, max(*values, 1e-9) * 1.22)
    axes.set_xlabel(title)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=True, axis="x", linewidth=0.8)


def _thousands(value: float) -> str:
    return f"{value:.1f}" if 0 < value < 100 else f"{value:.0f}"
