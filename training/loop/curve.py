"""The training log as a picture."""

from __future__ import annotations

import json
from pathlib import Path

from training.loop.checkpoint import whole


def read_log(path: Path) -> list[dict[str, float]]:
    """The rows of a log by step; of a step that was done twice, the later row."""
    rows = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    return list({row["step"]: row for row in sorted(rows, key=lambda row: row["step"])}.values())


def draw_curve(log: Path, path: Path) -> None:
    """Write PSNR above and loss below, against steps, as PNG; whole or not at all.

    Raises:
        CheckpointError: the disk refuses.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = read_log(log)
    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    steps = [row["step"] for row in rows]
    upper.plot(
        steps, [row["psnr_db"] for row in rows], color="#0b62c4", marker=".", label="network"
    )
    upper.plot(
        steps, [row["bicubic_db"] for row in rows], color="#7a828c", linestyle="--", label="bicubic"
    )
    upper.set_ylabel("PSNR on held-out pictures, dB")
    upper.legend(frameon=False)
    trained = [row for row in rows if row["loss"] is not None]
    lower.plot(
        [row["step"] for row in trained],
        [row["loss"] for row in trained],
        color="#c2570c",
        marker=".",
    )
    lower.set_yscale("log")
    lower.set_ylabel("loss")
    lower.set_xlabel("steps")
    for axes in (upper, lower):
        axes.grid(visible=True, color="#dfe3e8")
        axes.spines[["top", "right"]].set_visible(False)
    part = path.with_name(path.name + ".part")
    with whole(path, part):
        figure.savefig(part, format="png", dpi=110)
