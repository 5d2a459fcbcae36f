"""The columns of the report's table: titles, values and formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.records import ClipScore, Latency, SetScore
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
    """The columns that hold something in a group, in order; those of video are apart."""
    rows = [entry.row for entry in group.entries]
    first, facts = _facts()
    speed, times = _times()
    sets = [_quality(name) for name in set_names(rows)]
    shown = [scores[0] for scores in sets]
    rest = [column for scores in sets for column in scores[1:]]
    return _filled([*first, *speed, *shown, *rest, *times, *facts], group)


def video_columns(group: Group) -> list[Column]:
    """The model and all figures of clips, clip by clip; none where no clip was measured."""
    clips = dict.fromkeys(name for entry in group.entries for name in entry.row.video)
    columns = [column for name in clips for column in _video(name)]
    return _filled([_facts()[0][0], *columns], group) if columns else []


def _filled(columns: list[Column], group: Group) -> list[Column]:
    """Those that hold something."""
    return [
        column
        for column in columns
        if any(column.value(entry) is not None for entry in group.entries)
    ]


def _facts() -> tuple[list[Column], list[Column]]:
    """(those to begin with, the rest)."""
    columns = [
        Column(title="model", hint="name", value=lambda e: e.label),
        Column(title="precision", hint="of the file", value=lambda e: e.row.precision),
        Column(
            title="parameters",
            hint="trained numbers, biases included",
            value=lambda e: e.row.parameters,
        ),
        Column(title="colour", hint="what it upscales", value=lambda e: e.row.color),
        Column(
            title="GMAC",
            hint="10⁹ multiply-accumulates a frame",
            value=lambda e: _divided(e.row.macs, 1e9),
            decimals=2,
        ),
        Column(
            title="MB moved",
            hint="activations written and read between fused layers, in the file's types",
            value=lambda e: _divided(e.row.activation_bytes, 1e6),
        ),
        Column(
            title="file kB",
            hint="size of the model file",
            value=lambda e: _divided(e.row.file_bytes or None, 1e3),
        ),
    ]
    return columns[:3], columns[3:]


def _times() -> tuple[list[Column], list[Column]]:
    """(those to begin with, the rest)."""

    def time(
        title: str, hint: str, value: Callable[[Latency], float | None], decimals: int = 2
    ) -> Column:
        return Column(
            title=title,
            hint=hint,
            value=lambda e: value(e.row.latency) if e.row.latency else None,
            decimals=decimals,
        )

    return [
        time("p50 ms", "median wall time of one frame", lambda t: t.p50_ms),
        time("GPU ms", "median by the GPU's own events, copies included", lambda t: t.gpu_p50_ms),
        time("fps", "frames a second of the whole runtime path", lambda t: t.fps, 1),
        time("30 frames s", "the whole runtime path", lambda t: t.frames30_s),
    ], [
        time("p90 ms", "nine of ten frames are faster", lambda t: t.p90_ms),
        time("p99 ms", "99 of 100 frames are faster", lambda t: t.p99_ms),
        time("max ms", "the slowest frame", lambda t: t.max_ms),
        time("CPU ms", "median CPU time of all threads", lambda t: t.cpu_p50_ms),
        time("± %", "spread of the rounds' medians", lambda t: t.noise_percent, 1),
        time("mJ/frame", "mean power while it ran, times time", lambda t: t.energy_mj, 1),
        Column(
            title="peak MiB", hint="resident memory of a process", value=lambda e: e.row.peak_mib
        ),
    ]


def _quality(name: str) -> list[Column]:
    def score(
        title: str, hint: str, value: Callable[[SetScore], float | None], decimals: int
    ) -> Column:
        return Column(
            title=f"{name} {title}",
            hint=hint,
            value=lambda e: value(e.row.quality[name]) if name in e.row.quality else None,
            decimals=decimals,
        )

    return [
        score("PSNR-Y", "dB, BT.601 luma", lambda s: s.psnr_y_db, 2),
        score("SSIM-Y", "11x11 Gaussian window", lambda s: s.ssim_y, 4),
        score("PSNR RGB", "dB, what a user gets, colour files only", lambda s: s.psnr_rgb_db, 2),
        score("loss", "dB of PSNR-Y below the fp32 model", lambda s: s.loss_db, 2),
    ]


def _video(name: str) -> list[Column]:
    def score(
        title: str, hint: str, value: Callable[[ClipScore], float | None], decimals: int
    ) -> Column:
        return Column(
            title=f"{name} {title}",
            hint=hint,
            value=lambda e: value(e.row.video[name]) if name in e.row.video else None,
            decimals=decimals,
        )

    return [
        score("PSNR-Y", "dB, luma as the file has it", lambda s: s.psnr_y_db, 2),
        score("SSIM-Y", "11x11 Gaussian window", lambda s: s.ssim_y, 4),
        score("flicker", "levels of change that the truth has not", lambda s: s.flicker, 3),
        score(
            "still", "standard deviation over time where nothing moves", lambda s: s.still_std, 2
        ),
        score("VMAF", "v0.6.1 of luma, 0 to 100", lambda s: s.vmaf, 1),
        score("VMAF-NEG", "v0.6.1neg: without gains by contrast", lambda s: s.vmaf_neg, 1),
    ]


def _divided(value: int | None, by: float) -> float | None:
    return None if value is None else value / by
