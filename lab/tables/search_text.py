"""The compared networks as a Markdown table and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.report.figure import LIGHT, new_figure
from bench.report.labels import place_labels
from edge_sr.errors import MediaError
from edge_sr.files import whole_file


@dataclass(frozen=True, kw_only=True)
class Line:
    """One network."""

    name: str
    rival: bool
    parameters: int
    macs: int  # of one frame
    activation_bytes: int  # written and read between fused layers, as fp32
    ms: float  # CPU time of all threads, median
    int8_ms: float | None  # the same of its int8 file, where one was made
    edge_ms: float  # least time on the edge device, estimated
    steps: int | None  # trained here; None for rivals
    psnr_db: float | None


def render(lines: Sequence[Line], note: str, images: str | None) -> str:
    """Networks by time, rivals among them.

    Args:
        note: when and where the times were taken.
        images: the set PSNR-Y is of.
    """
    base = next(line.ms for line in lines if line.rival)
    first = next(line.name for line in lines if line.rival)
    heads = [
        "network",
        "parameters",
        "GMAC",
        "activations, MB",
        "CPU time fp32, ms",
        f"ms / {first}",
    ]
    small = any(line.int8_ms is not None for line in lines)
    heads += ["CPU time int8, ms"] if small else []
    heads += ["Orin Nano Super fp16, least ms", "steps", f"PSNR-Y {images or ''}".strip()]
    rows = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    for line in sorted(lines, key=lambda line: line.ms):
        name = f"*{line.name}*" if line.rival else line.name
        cells = [name, f"{line.parameters:,}", f"{line.macs / 1e9:.1f}"]
        cells += [f"{line.activation_bytes / 1e6:.0f}", f"{line.ms:.0f}", f"{line.ms / base:.2f}"]
        if small:
            cells += ["" if line.int8_ms is None else f"{line.int8_ms:.0f}"]
        cells += [f"{line.edge_ms:.2f}", "" if line.steps is None else f"{line.steps:,}"]
        cells += ["" if line.psnr_db is None else f"{line.psnr_db:.2f}"]
        rows.append(f"| {' | '.join(cells)} |")
    notes = (
        f"\n{note}. CPU time of all threads, which a busy machine disturbs less than wall time. "
        "Rivals in italics, with the same 8-bit ends. The Orin's column is an estimate, "
        "not a measurement: the larger of arithmetic and bytes at peak rates, layer by layer."
    )
    if not any(line.psnr_db is not None and not line.rival for line in lines):
        notes += " None was trained for this table: `--data` fills the last columns."
    return "\n".join([*rows, notes])


def draw(lines: Sequence[Line], path: Path) -> None:
    """Time against PSNR-Y, or against MACs where fewer than two have a PSNR; PNG.

    Raises:
        MediaError: it cannot be written.
    """
    judged = [line for line in lines if line.psnr_db is not None]
    by_psnr = sum(not line.rival for line in judged) >= 2
    shown = judged if by_psnr else list(lines)
    figure = new_figure(9, 5.6)
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.grid(visible=True, which="major", linewidth=0.8)
    items = []
    for line in shown:
        at = (line.ms, line.psnr_db or 0 if by_psnr else line.macs / 1e9)
        color = LIGHT["rival" if line.rival else "model"]
        axes.plot(*at, marker="s" if line.rival else "o", color=color, linestyle="")
        items.append((at, line.name, color))
    if not by_psnr:
        axes.set_yscale("log")
    times = [line.ms for line in shown]
    axes.set_xlim(min(times) / 1.4, max(times) * 1.8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:.0e}"[0] in "25" else "")
    axes.set_xlabel("CPU time for one frame, median, ms (log scale)")
    axes.set_ylabel(
        "PSNR-Y, dB" if by_psnr else "multiply-accumulates of a frame, 10^9 (log scale)"
    )
    place_labels(figure, axes, items)
    with whole_file(path, error=MediaError) as part:
        figure.savefig(part, format="png", dpi=110)
