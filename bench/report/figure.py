"""Figures without a display, and their colours, which a page may replace."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from edge_sr.errors import MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# what a colour is for -> (light, dark); the light ones are also what the SVG files carry
COLORS = {
    "ink": ("#1b1f24", "#e8eaed"),
    "soft": ("#6b7480", "#9aa3ad"),
    "grid": ("#dfe3e8", "#353b42"),
    "model": ("#0b62c4", "#62a8ff"),
    "rival": ("#c2570c", "#ff9d5c"),
    "floor": ("#7a828c", "#8d969f"),
    "paper": ("#fffffe", "#16191d"),
}
LIGHT = {name: pair[0] for name, pair in COLORS.items()}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, drawn without a display.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise MissingDependencyError(
            "matplotlib is not installed: pip install 'edge-sr[bench]'"
        ) from error
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    matplotlib.rcParams.update(
        {
            "svg.fonttype": "path",  # labels keep their size whatever fonts a reader has
            "svg.hashsalt": "edge-sr",  # the same plot is the same file
            "font.family": "sans-serif",
            "font.sans-serif": ["DejaVu Sans"],
            "font.size": 10,
            "text.parse_math": False,
            **dict.fromkeys(("text.color", "axes.labelcolor"), LIGHT["ink"]),
            **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), LIGHT["soft"]),
            "axes.facecolor": "none",
            "figure.facecolor": LIGHT["paper"],
            "grid.color": LIGHT["grid"],
            "axes.axisbelow": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def svg(figure: Figure) -> str:
    """The figure as SVG text without the XML head."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def themed(text: str) -> str:
    """An SVG for a page whose style sheet knows ``--ink`` and the other colours of COLORS."""
    for name, color in LIGHT.items():
        text = text.replace(color, f"var(--{name})")
    return text
