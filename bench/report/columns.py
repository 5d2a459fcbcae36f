"""The columns of the report's table: what they are called, hold and look like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.report.summary import Entry, Group, set_names

Value = float | int | str | None


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column."""

    title: str
    hint: str  # what it is, in a few words
    value: Callable[[Entry], Value]
    decimals: int = 0

    def text(self, entry: Entry) -> str:
        """The cell; a dash where nothing was measured."""
        value = self.value(entry)
        if value is None:
            return "-"
        return value if isinstance(value, str) else f"{value:,.{self.decimals}f}"


def make_columns(group: Group) -> list[Column]:
    """The columns that hold something in a group, in order."""
    rows = [entry.row for entry in group.entries]
    first, facts = _facts()
    speed, times = _times()
    sets = [_quality(name) for name in set_names(rows)]
    clips = [_video(name) for name in dict.fromkeys(name for row in rows for name in row["video"])]
    shown = [scores[0] for scores in (*sets, *clips)]
    rest = [column for scores in (*sets, *clips) for column in scores[1:]]
    columns = [*first, *speed, *shown, *rest, *times, *facts]
    return [
        column
        for column in columns
        if any(column.value(entry) is not None for entry in group.entries)
    ]


def _facts() -> tuple[list[Column], list[Column]]:
    """(those to begin with, the rest)."""
    columns = [
        Column(title="model", hint="name", value=lambda e: e.label),
        Column(title="precision", hint="of the file", value=lambda e: e.row["precision"]),
        Column(
            title="parameters",
            hint="trained numbers, biases included",
            value=lambda e: e.row["parameters"],
        ),
        Column(title="colour", hint="what it upscales", value=lambda e: e.row["color"]),
        Column(
            title="GMAC",
            hint="10⁹ multiply-accumulates a frame",
            value=lambda e: _divided(e.row["macs"], 1e9),
            decimals=2,
        ),
        Column(
            title="MB moved",
            hint="activations written and read between fused layers, in the file's types",
            value=lambda e: _divided(e.row["activation_bytes"], 1e6),
        ),
        Column(
            title="file kB",
            hint="size of the model file",
            value=lambda e: _divided(e.row["file_bytes"] or None, 1e3),
        ),
    ]
    return columns[:3], columns[3:]


def _times() -> tuple[list[Column], list[Column]]:
    """(those to begin with, the rest)."""

    def time(title: str, hint: str, key: str, decimals: int = 2) -> Column:
        return Column(
            title=title,
            hint=hint,
            value=lambda e: (e.row["latency"] or {}).get(key),
            decimals=decimals,
        )

    return [
        time("p50 ms", "median wall time of one frame", "p50_ms"),
        time("GPU ms", "median by the GPU's own events, copies included", "gpu_p50_ms"),
        time("30 frames s", "the whole runtime path", "frames30_s"),
    ], [
        time("p90 ms", "nine of ten frames are faster", "p90_ms"),
        time("p99 ms", "99 of 100 frames are faster", "p99_ms"),
        time("max ms", "the slowest frame", "max_ms"),
        time("CPU ms", "median CPU time of all threads", "cpu_p50_ms"),
        time("± %", "spread of the rounds' medians", "noise_percent", 1),
        time("mJ/frame", "mean power while it ran, times time", "energy_mj", 1),
        Column(
            title="peak MiB", hint="resident memory of a process", value=lambda e: e.row["peak_mib"]
        ),
    ]


def _quality(name: str) -> list[Column]:
    return [
        _score("quality", name, "PSNR-Y", "dB, BT.601 luma", "psnr_y_db", 2),
        _score("quality", name, "SSIM-Y", "11x11 Gaussian window", "ssim_y", 4),
        _score(
            "quality", name, "PSNR RGB", "dB, what a user gets, colour files only", "psnr_rgb_db", 2
        ),
        _score("quality", name, "loss", "dB of PSNR-Y below the fp32 model", "loss_db", 2),
    ]


def _video(name: str) -> list[Column]:
    return [
        _score("video", name, "PSNR-Y", "dB, luma as the file has it", "psnr_y_db", 2),
        _score("video", name, "SSIM-Y", "11x11 Gaussian window", "ssim_y", 4),
        _score(
            "video", name, "flicker", "levels the error changes by between frames", "flicker", 3
        ),
    ]


def _score(part: str, name: str, title: str, hint: str, key: str, decimals: int) -> Column:
    """A figure on one set: of ``part`` of the row, "quality" or "video"."""
    return Column(
        title=f"{name} {title}",
        hint=hint,
        value=lambda e: e.row[part].get(name, {}).get(key),
        decimals=decimals,
    )


def _divided(value: Any, by: float) -> float | None:
    return None if value is None else value / by
