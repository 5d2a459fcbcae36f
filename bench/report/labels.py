"""Labels beside points, none over another, over a point or out of the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINT = 5.0  # half the side of a point's own box, typographic points
# degrees, in order of preference
ANGLES = (0, 90, 270, 180, 45, 315, 135, 225, 8, 172, *range(15, 360, 15))
RADII = (8, 13, 20, 30, 42, 56, 72, 90, 110, 140, 180)  # points, to the label's near edge
LEADER = 17.0  # labels farther than this get a line to their point
FONT = 9.0

Box = tuple[float, float, float, float]  # left, bottom, right, top in display pixels
Line = Sequence[tuple[float, float]]
Item = tuple[tuple[float, float], str, str]  # (x, y) of the data, text, colour


def place_labels(
    figure: Figure, axes: Axes, items: Sequence[Item], lines: Sequence[Line] = ()
) -> list[Box]:
    """Write each label at the nearest free place; returns the boxes it used, in pixels.

    Args:
        lines: polylines in data coordinates that labels keep clear of.

    Labels that fit nowhere go to the first place all the same: with dozens of points in one spot
    something has to give, and a label is never dropped.
    """
    figure.canvas.draw()
    renderer: Any = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    zoom = figure.dpi / 72
    frame = axes.get_window_extent(renderer)
    inside = (frame.x0, frame.y0, frame.x1, frame.y1)
    legend = axes.get_legend()
    taken: list[Box] = []
    if legend is not None:
        box = legend.get_window_extent(renderer)
        taken.append((box.x0, box.y0, box.x1, box.y1))
    points = [tuple(axes.transData.transform(at)) for at, _, _ in items]
    half = POINT * zoom
    taken += [(x - half, y - half, x + half, y + half) for x, y in points]
    for line in lines:
        taken += _stones([tuple(axes.transData.transform(at)) for at in line], zoom)
    placed: list[Box] = []
    for (at, text, color), point in zip(items, points, strict=True):
        size = _size(axes, renderer, text)
        free = [b for b in _places(point, size, zoom) if _within(b, inside) and _free(b, taken)]
        clear = (b for b in free if all(_free(stone, placed) for stone in _leader(point, b, zoom)))
        box = next(clear, next(iter(free), next(_places(point, size, zoom))))
        taken += [box, *_leader(point, box, zoom)]
        placed.append(box)
        _write(axes, at, text, color, point, box, zoom)
    return placed


def _stones(corners: Sequence[tuple[float, ...]], zoom: float) -> list[Box]:
    """A line as small boxes along it."""
    stones = []
    for (x0, y0), (x1, y1) in pairwise(corners):
        steps = max(1, math.ceil(math.dist((x0, y0), (x1, y1)) / (3 * zoom)))
        for step in range(steps + 1):
            x, y = x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps
            stones.append((x - zoom, y - zoom, x + zoom, y + zoom))
    return stones


def _leader(point: tuple[float, ...], box: Box, zoom: float) -> list[Box]:
    """The line from a far label to its point as boxes; none where the label is near."""
    near = _nearest(point, box)
    return _stones([point, near], zoom) if math.dist(near, point) / zoom > LEADER else []


def _nearest(point: tuple[float, ...], box: Box) -> tuple[float, float]:
    """The place of a box that is nearest to a point."""
    return min(max(point[0], box[0]), box[2]), min(max(point[1], box[1]), box[3])


def _size(axes: Axes, renderer: Any, text: str) -> tuple[float, float]:
    probe = axes.text(0, 0, text, fontsize=FONT)
    box = probe.get_window_extent(renderer)
    probe.remove()
    return box.width + 2, box.height


def _places(point: tuple[float, ...], size: tuple[float, float], zoom: float) -> Any:
    """Boxes around a point, the nearest and most natural first."""
    x, y = point
    width, height = size
    for radius in RADII:
        for angle in ANGLES:
            dx, dy = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            middle_x = x + dx * (radius * zoom + width / 2)
            middle_y = y + dy * (radius * zoom + height / 2)
            yield (
                middle_x - width / 2,
                middle_y - height / 2,
                middle_x + width / 2,
                middle_y + height / 2,
            )


def _within(box: Box, outer: Box) -> bool:
    return box[0] >= outer[0] and box[1] >= outer[1] and box[2] <= outer[2] and box[3] <= outer[3]


def _free(box: Box, taken: Sequence[Box]) -> bool:
    return all(
        box[2] <= other[0] or box[0] >= other[2] or box[3] <= other[1] or box[1] >= other[3]
        for other in taken
    )


def _write(
    axes: Axes,
    at: tuple[float, float],
    text: str,
    color: str,
    point: tuple[float, ...],
    box: Box,
    zoom: float,
) -> None:
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    offset = ((middle[0] - point[0]) / zoom, (middle[1] - point[1]) / zoom)
    far = bool(_leader(point, box, zoom))
    arrow = {"arrowstyle": "-", "color": color, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 4}
    axes.annotate(
        text,
        at,
        xytext=offset,
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=FONT,
        color=color,
        arrowprops=arrow if far else None,
    )
