"""The measured targets as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.records import DeviceState
from lab.tables.target_list import Pace, Quality, Target, verdict


@dataclass(frozen=True, kw_only=True)
class Report:
    """One run of `python -m lab.targets`."""

    targets: Sequence[Target]
    absent: Sequence[str]  # targets whose network is not shipped
    sets: Sequence[str]
    quality: dict[str, list[Quality]]  # by model, rival or floor; in the order of the sets
    paces: dict[str, Pace]
    fps: dict[str, float]
    size: tuple[int, int]
    threads: int
    device: str
    state: tuple[DeviceState, DeviceState]  # before and after


def render(report: Report) -> str:
    """Three tables and the sentences they need."""
    parts = [_where(report), _large(report), _fast(report), _small(report)]
    if report.absent:
        parts.append(f"Not shipped, so not measured: {', '.join(report.absent)}.")
    return "\n\n".join(part for part in parts if part)


def _where(report: Report) -> str:
    before, after = report.state
    return (
        f"Measured {before.utc} to {after.utc} by `python -m lab.targets` on "
        f"{report.device}, ONNX Runtime fp32, {report.threads} threads; load average "
        f"{before.load} before and {after.load} after. PSNR-Y in "
        "dB; where two figures stand, the second takes grey files for RGB, as figures of RGB "
        "networks are published. A verdict is by the second: the targets were set so."
    )


def _large(report: Report) -> str:
    """PSNR at x2, ours and the rivals'."""
    targets = [target for target in report.targets if target.rival]
    if not targets:
        return ""
    lines = [_head(["x2", *report.sets, "target", "stretch", "reached"])]
    for target in targets:
        found = report.quality[target.model]
        reached = verdict(_as_rgb(found, target.psnr), target.psnr, target.stretch)
        lines.append(_row([target.model, *map(_cell, found), *_bars(target), reached]))
    names = [*(str(target.rival) for target in targets), "bicubic-x2"]
    lines += [_row([name, *map(_cell, report.quality[name]), "", "", ""]) for name in names]
    return "\n".join(lines)


def _fast(report: Report) -> str:
    if not report.paces:
        return ""
    columns, rows = report.size
    heads = ["", "median ms", "beside", "median ms", "ratio", "rounds' quartiles", "of CPU time"]
    lines = [_head([*heads, "target", ""])]
    for target in report.targets:
        pace = report.paces.get(target.model)
        if pace is None or target.ratio is None:
            continue
        cells = [target.model, f"{pace.p50_ms:.1f}", str(target.rival), f"{pace.rival_p50_ms:.1f}"]
        cells += [f"**{pace.ratio:.2f}**", f"{pace.low:.2f}–{pace.high:.2f}"]  # noqa: RUF001
        cells += [f"{pace.cpu_ratio:.2f}"]
        cells += [f"{target.ratio:.2f}", "reached" if pace.ratio <= target.ratio else "missed"]
        lines.append(_row(cells))
    runs = min(pace.runs for pace in report.paces.values())
    note = (
        f"{columns}x{rows} in, 8-bit frame in to 8-bit frame out for both; {runs} runs or more of "
        "each, in turns in one process. Ratios carry over to other machines better than times."
    )
    return "\n".join(lines) + "\n\n" + note


def _small(report: Report) -> str:
    """PSNR at x1.5, on as many sets as a target names."""
    targets = [target for target in report.targets if not target.rival]
    if not targets:
        return ""
    lines = [_head(["x1.5", *report.sets, "target", "reached"])]
    for target in targets:
        found = report.quality[target.model]
        reached = verdict(_as_rgb(found, target.psnr), target.psnr, ())
        lines.append(_row([target.model, *map(_cell, found), _bars(target)[0], reached]))
    lines.append(_row(["bicubic-x1.5", *map(_cell, report.quality["bicubic-x1.5"]), "", ""]))
    lines += [
        f"\n{target.model}, {target.live[0]}x{target.live[1]} in, YUV in to YUV out: "
        f"{report.fps[target.model]:.0f} frames a second (target {target.live[2]:g})."
        for target in targets
        if target.live
    ]
    return "\n".join(lines)


def _as_rgb(found: Sequence[Quality], bars: Sequence[float]) -> list[float]:
    return [item.as_rgb for item in found[: len(bars)]]


def _cell(item: Quality) -> str:
    first, second = f"{item.luma:.2f}", f"{item.as_rgb:.2f}"
    return first if first == second else f"{first}, {second}"


def _bars(target: Target) -> list[str]:
    return [" / ".join(f"{bar:.2f}" for bar in bars) for bars in (target.psnr, target.stretch)]


def _head(cells: Sequence[str]) -> str:
    return _row(cells) + "\n|---|" + "---:|" * (len(cells) - 1)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
