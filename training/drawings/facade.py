"""Buildings: facades with windows, shutters and railings, walls of bricks, tiled floors."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from training.drawings.canvas import FINER, blank, in_perspective, level, lit, pen_of, textured

Box = tuple[float, float, float, float]  # left, top, right, bottom, canvas pixels


def facade(rng: np.random.Generator, side: int) -> Image.Image:
    """A front with rows of equal windows, seen at a slant."""
    canvas = blank(side, level(rng, 90, 235))
    pen, whole = pen_of(canvas), canvas.width
    wall = int(rng.integers(4))
    if wall == 0:
        _bricks(rng, pen, whole, thick=rng.uniform(3, 9) * FINER)
    elif wall == 1:
        _boards(rng, pen, whole, thick=rng.uniform(3, 12) * FINER)
    across, down = int(rng.integers(3, 16)), int(rng.integers(3, 14))
    wide, high = whole / across, whole / down
    window = _Window(rng)
    for row in range(down):
        if rng.random() < window.cornice:
            _beam(rng, pen, (0, row * high, whole, row * high + max(2.0, high * 0.06)))
        for column in range(across):
            left, top = (column + window.inset[0]) * wide, (row + window.inset[1]) * high
            right = (column + 1 - window.inset[0]) * wide
            window.draw(rng, pen, (left, top, right, (row + 1 - window.inset[2]) * high))
    return _seen(rng, canvas, 0.22)


class _Window:
    """One kind of window, drawn many times."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.inset = rng.uniform(0.1, 0.3), rng.uniform(0.08, 0.3), rng.uniform(0.05, 0.3)
        self.frame, self.pane = level(rng, 120, 255), level(rng, 5, 130)
        self.bars = int(rng.integers(0, 4)), int(rng.integers(0, 5))
        self.shutters, self.rail = rng.random() < 0.3, rng.random() < 0.3
        self.arch, self.cornice = rng.random() < 0.2, float(rng.choice([0.0, 0.3, 1.0]))
        self.line = max(2.0, rng.uniform(0.6, 2.5) * FINER)
        self.louvre = rng.uniform(1.6, 4) * FINER
        self.blind = rng.random()

    def draw(self, rng: np.random.Generator, pen: ImageDraw.ImageDraw, box: Box) -> None:
        left, top, right, bottom = box
        if right - left < 6 * self.line or bottom - top < 6 * self.line:
            pen.rectangle(box, fill=self.pane)
            return
        if self.arch:
            pen.ellipse(
                (left, top - (right - left) / 2, right, top + (right - left) / 2), self.frame
            )
        pen.rectangle(box, fill=self.frame)
        edge = self.line
        pane = (left + edge, top + edge, right - edge, bottom - edge)
        pen.rectangle(pane, fill=int(np.clip(self.pane + rng.integers(-25, 26), 0, 255)))
        if rng.random() < 0.3 * self.blind:
            until = top + edge + rng.uniform(0.1, 0.8) * (bottom - top)
            _stripes(pen, (pane[0], pane[1], pane[2], until), self.louvre, self.frame, self.pane)
        for part in range(1, self.bars[0] + 1):
            x = left + (right - left) * part / (self.bars[0] + 1)
            pen.rectangle((x - edge / 2, top, x + edge / 2, bottom), fill=self.frame)
        for part in range(1, self.bars[1] + 1):
            y = top + (bottom - top) * part / (self.bars[1] + 1)
            pen.rectangle((left, y - edge / 2, right, y + edge / 2), fill=self.frame)
        if self.shutters:
            width = (right - left) * 0.4
            for x in (left - width, right):
                _stripes(pen, (x, top, x + width, bottom), self.louvre, self.pane, self.frame)
        if self.rail:
            _railing(pen, (left - edge, bottom - (bottom - top) * 0.35, right + edge, bottom), edge)


def brick_wall(rng: np.random.Generator, side: int) -> Image.Image:
    """Bricks in running bond, from a few pixels to some dozens each."""
    canvas = blank(side, level(rng, 40, 230))
    thick = float(np.exp(rng.uniform(np.log(3), np.log(24)))) * FINER
    _bricks(rng, pen_of(canvas), canvas.width, thick=thick)
    return _seen(rng, canvas, 0.3)


def floor(rng: np.random.Generator, side: int) -> Image.Image:
    """Tiles, planks or a chequered floor, seen from standing height or above."""
    canvas = blank(side, level(rng))
    pen, whole = pen_of(canvas), canvas.width
    pitch = rng.uniform(6, 40) * FINER
    base, other, joint = level(rng, 20, 235), level(rng, 20, 235), level(rng)
    kind, gap = int(rng.integers(3)), rng.uniform(0.3, 2) * FINER
    spread = int(rng.integers(0, 30))
    tall = pitch * (1 if kind < 2 else rng.uniform(3, 8))
    for column in range(int(whole / pitch) + 1):
        shift = tall * float(rng.random()) if kind == 2 else 0
        for row in range(-1, int(whole / tall) + 1):
            tone = other if kind == 0 and (row + column) % 2 else base
            tone = int(np.clip(tone + rng.integers(-spread, spread + 1), 0, 255))
            x, y = column * pitch, row * tall + shift
            pen.rectangle((x, y, x + pitch, y + tall), fill=joint)
            pen.rectangle((x + gap, y + gap, x + pitch - gap, y + tall - gap), fill=tone)
    if rng.random() < 0.7:
        turned = canvas.rotate(rng.uniform(-45, 45), Image.Resampling.BICUBIC)
        inner = int(whole * 0.15)
        canvas = turned.crop((inner, inner, whole - inner, whole - inner)).resize((whole, whole))
        return lit(rng, textured(rng, in_perspective(rng, canvas, 0.1, floor=True), 2))
    return _seen(rng, canvas, 0.2)


def _seen(rng: np.random.Generator, canvas: Image.Image, slant: float) -> Image.Image:
    grainy = textured(rng, canvas, rng.uniform(0, 5), int(rng.integers(4, 20)))
    return lit(rng, in_perspective(rng, grainy, slant) if rng.random() < 0.85 else grainy)


def _bricks(rng: np.random.Generator, pen: ImageDraw.ImageDraw, whole: int, thick: float) -> None:
    base, joint = level(rng, 60, 200), level(rng, 90, 235)
    long, gap, spread = (
        thick * rng.uniform(2, 3.5),
        max(1.5, thick * 0.12),
        int(rng.integers(3, 30)),
    )
    for row in range(int(whole / thick) + 1):
        y, shift = row * thick, long / 2 * (row % 2)
        pen.rectangle((0, y, whole, y + thick), fill=joint)
        for column in range(int(whole / long) + 2):
            x = column * long - shift
            tone = int(np.clip(base + rng.integers(-spread, spread + 1), 0, 255))
            pen.rectangle((x + gap, y + gap, x + long - gap, y + thick - gap), fill=tone)


def _boards(rng: np.random.Generator, pen: ImageDraw.ImageDraw, whole: int, thick: float) -> None:
    base, spread = level(rng, 80, 220), int(rng.integers(2, 20))
    for row in range(int(whole / thick) + 1):
        tone = int(np.clip(base + rng.integers(-spread, spread + 1), 0, 255))
        pen.rectangle((0, row * thick, whole, (row + 1) * thick), fill=tone)
        shade = (0, row * thick, whole, row * thick + max(1.5, thick * 0.1))
        pen.rectangle(shade, fill=max(0, tone - 50))


def _stripes(pen: ImageDraw.ImageDraw, box: Box, pitch: float, dark: int, light: int) -> None:
    left, top, right, bottom = box
    pen.rectangle(box, fill=light)
    y = top
    while y < bottom - pitch / 2:
        pen.rectangle((left, y, right, y + pitch / 2), fill=dark)
        y += pitch


def _railing(pen: ImageDraw.ImageDraw, box: Box, thin: float) -> None:
    left, top, right, bottom = box
    x = left
    while x < right:
        pen.rectangle((x, top, x + thin * 0.6, bottom), fill=25)
        x += thin * 2.4
    for y in (top, bottom - thin):
        pen.rectangle((left, y, right, y + thin), fill=20)


def _beam(rng: np.random.Generator, pen: ImageDraw.ImageDraw, box: Box) -> None:
    tone = level(rng, 60, 240)
    pen.rectangle(box, fill=tone)
    left, _, right, bottom = box
    pen.rectangle((left, bottom, right, bottom + (bottom - box[1]) * 0.4), fill=max(0, tone - 60))
