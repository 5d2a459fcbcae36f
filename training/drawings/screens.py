"""What screens show: user interfaces, plots and maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from training.drawings.canvas import FINER, Points, blank, level, pen_of, two_levels
from training.drawings.lettering import draw_font, word, write_line

Box = tuple[float, float, float, float]


def interface(rng: np.random.Generator, side: int, fonts: list[Path]) -> Image.Image:
    """Overlapping windows with bars, buttons, lists and small text; edges lie on pixels."""
    canvas = blank(side, level(rng))
    pen = pen_of(canvas)
    for _ in range(int(rng.integers(2, 6))):
        left, top = (int(value) * FINER for value in rng.integers(-40, side - 60, 2))
        width, height = (int(value) * FINER for value in rng.integers(min(100, side // 2), side, 2))
        _window(rng, pen, (left, top, left + width, top + height), fonts)
    return canvas


def _window(
    rng: np.random.Generator, pen: ImageDraw.ImageDraw, box: Box, fonts: list[Path]
) -> None:
    ground, ink = two_levels(rng, 90)
    pen.rounded_rectangle(box, int(rng.integers(0, 8)) * FINER, ground, ink, FINER)
    left, top, right, bottom = box
    font, scripts = draw_font(rng, fonts, rng.uniform(8, 15))
    bar = int(font.size * 1.8) // FINER * FINER
    pen.rectangle((left, top, right, top + bar), fill=level(rng))
    pen.text((left + bar, top + bar * 0.2), word(rng, scripts), fill=ink, font=font)
    for index in range(int(rng.integers(1, 4))):
        x = right - (index + 1) * bar * 0.8
        pen.ellipse((x, top + bar * 0.3, x + bar * 0.4, top + bar * 0.7), outline=ink, width=FINER)
    y = top + bar * 1.3
    while y < bottom - bar:
        kind, end = int(rng.integers(4)), left + rng.uniform(0.3, 0.95) * (right - left)
        if kind == 0:
            button = (left + bar, y, left + bar * rng.uniform(3, 6), y + bar * 0.9)
            pen.rounded_rectangle(button, FINER * 3, fill=level(rng), outline=ink, width=FINER)
            pen.text((left + bar * 1.4, y + bar * 0.1), word(rng, scripts), fill=ink, font=font)
        elif kind == 1:
            pen.line((left, y, right, y), fill=ink, width=FINER)
        else:
            write_line(rng, pen, (left + bar * 0.5, y), end, font, scripts, ink)
        y += bar * (0.3 if kind == 1 else 1)


def plot(rng: np.random.Generator, side: int, fonts: list[Path]) -> Image.Image:
    """Axes with ticks and numbers, a grid, curves, bars or points."""
    ground, ink = two_levels(rng, 120)
    canvas = blank(side, ground)
    pen, whole = pen_of(canvas), canvas.width
    font, _ = draw_font(rng, fonts, rng.uniform(8, 16))
    left, bottom = rng.uniform(0.06, 0.2) * whole, rng.uniform(0.8, 0.94) * whole
    right, top = 0.97 * whole, 0.04 * whole
    count, thin = int(rng.integers(4, 12)), max(1, int(rng.uniform(0.5, 1.6) * FINER))
    pale = (3 * ground + ink) // 4
    for part in np.linspace(0, 1, count):
        x, y = left + part * (right - left), bottom - part * (bottom - top)
        pen.line((x, top, x, bottom), fill=pale, width=thin)
        pen.line((left, y, right, y), fill=pale, width=thin)
        pen.text((x, bottom + 2 * FINER), f"{part * 10:.1f}", fill=ink, font=font)
        pen.text((2 * FINER, y - font.size / 2), f"{part:.2g}", fill=ink, font=font)
    pen.rectangle((left, top, right, bottom), outline=ink, width=thin)
    for _ in range(int(rng.integers(1, 5))):
        tone = level(rng, min(ground, ink), max(ground, ink))
        _series(rng, pen, (left, top, right, bottom), tone)
    return canvas


def _series(rng: np.random.Generator, pen: ImageDraw.ImageDraw, box: Box, tone: int) -> None:
    left, top, right, bottom = box
    count = int(rng.integers(8, 90))
    walk = np.cumsum(rng.normal(size=count))
    walk = (walk - walk.min()) / max(float(np.ptp(walk)), 1e-6)
    x, y = np.linspace(left, right, count), bottom - walk * (bottom - top)
    size, kind = rng.uniform(1, 4) * FINER, int(rng.integers(3))
    if kind == 0:
        points: Points = [(float(a), float(b)) for a, b in zip(x, y, strict=True)]
        pen.line(points, fill=tone, width=max(1, int(rng.uniform(0.8, 3) * FINER)), joint="curve")
        return
    for a, b in zip(x, y, strict=True):
        if kind == 1:
            pen.ellipse((a - size, b - size, a + size, b + size), fill=tone)
        else:
            half = (right - left) / count * 0.35
            pen.rectangle((a - half, b, a + half, bottom), fill=tone)


def street_map(rng: np.random.Generator, side: int, fonts: list[Path]) -> Image.Image:
    """Blocks, cased roads, contour lines and names."""
    canvas = blank(side, level(rng, 190, 250))
    pen, whole = pen_of(canvas), canvas.width
    pitch = rng.uniform(14, 50) * FINER
    for y in np.arange(0, whole, pitch):
        for x in np.arange(0, whole, pitch):
            if rng.random() < 0.6:
                w, h = rng.uniform(0.3, 0.9, 2) * pitch
                tone = level(rng, 150, 235)
                pen.rectangle((x, y, x + w, y + h), fill=tone, outline=tone - 40, width=FINER // 2)
    for _ in range(int(rng.integers(2, 10))):
        bends = np.cumsum(rng.normal(size=(40, 2)) * 0.03 * whole, axis=0) + rng.uniform(
            0, whole, 2
        )
        points: Points = [(float(a), float(b)) for a, b in bends]
        pen.line(points, fill=level(rng, 90, 190), width=max(1, FINER // 2))
    for _ in range(int(rng.integers(3, 12))):
        start, angle = rng.uniform(0, whole, 2), rng.uniform(0, np.pi)
        way = np.array([np.cos(angle), np.sin(angle)]) * whole
        line = (*(start - way), *(start + way))
        width = int(rng.uniform(1.5, 9) * FINER)
        pen.line(line, fill=level(rng, 60, 170), width=width + 2 * FINER)
        pen.line(line, fill=level(rng, 215, 255), width=width)
    for _ in range(int(rng.integers(4, 20))):
        font, scripts = draw_font(rng, fonts, rng.uniform(7, 18))
        spot = (float(rng.uniform(0, whole)), float(rng.uniform(0, whole)))
        edge = int(rng.integers(0, 2)) * FINER
        pen.text(spot, word(rng, scripts), fill=20, font=font, stroke_width=edge, stroke_fill=250)
    return canvas
