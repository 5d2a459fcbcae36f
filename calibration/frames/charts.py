"""Pictures for a person to look at: the contact sheet of frames, the bar chart of layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calibration.network.frame_io import Image
from edge_sr.errors import MediaError, MissingDependencyError
from edge_sr.files import whole_file

TILE = (90, 160)  # rows, columns of a picture on the contact sheet


def contact_sheet(path: Path, pictures: Sequence[Image], captions: Sequence[str]) -> None:
    """Write small pictures, uint8 (H, W, 1 or 3), with a caption each, as one PNG."""
    across = min(8, max(1, len(pictures)))
    down = -(-len(pictures) // across)
    rows, columns = TILE[0] + 14, TILE[1] + 4
    sheet = np.full((down * rows, across * columns, 3), 255, np.uint8)
    for place, picture in enumerate(pictures):
        tile = _shrink(picture)
        top, left = place // across * rows, place % across * columns
        sheet[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    figure = _figure(sheet.shape[1] / 100, sheet.shape[0] / 100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(sheet, interpolation="nearest")
    axes.axis("off")
    for place, caption in enumerate(captions):
        top, left = place // across * rows, place % across * columns
        axes.text(left, top + TILE[0] + 10, caption, fontsize=4.8, family="monospace")
    _save(figure, path)


def layer_chart(path: Path, rows: Sequence[tuple[str, float, bool]], title: str) -> None:
    """Write a PNG with one bar per (layer, cost in dB, kept out of int8), most expensive first."""
    ordered = sorted(rows, key=lambda row: row[1])
    figure = _figure(8, 1.2 + 0.22 * len(ordered))
    axes = figure.add_subplot()
    colors = ["#c0392b" if kept else "#2e75b6" for _, _, kept in ordered]
    axes.barh(
        [name[-48:] for name, _, _ in ordered], [cost for _, cost, _ in ordered], color=colors
    )
    axes.set_xlabel("PSNR-Y lost when this layer alone is int8, dB (red: kept in higher precision)")
    axes.set_title(title, fontsize=10)
    axes.tick_params(axis="y", labelsize=7)
    axes.axvline(0, color="black", linewidth=0.5)
    figure.tight_layout()
    _save(figure, path)


def _shrink(picture: Image) -> Image:
    factor = max(1.0, picture.shape[0] / TILE[0], picture.shape[1] / TILE[1])
    rows, columns = (
        np.minimum((np.arange(int(side / factor)) * factor).astype(int), side - 1)
        for side in picture.shape[:2]
    )
    tile = picture[rows][:, columns]
    return np.repeat(tile, 3, axis=2) if tile.shape[2] == 1 else tile


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError(
            "matplotlib is needed for charts: pip install matplotlib"
        ) from error
    figure = Figure(figsize=(width, height), dpi=100)
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Any, path: Path) -> None:
    with whole_file(path, error=MediaError) as part:
        figure.savefig(part, format="png")
