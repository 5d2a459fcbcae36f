"""Drawings by hand and by ruler: outlines, hatching, screentone, gratings and zone plates."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from training.drawings.canvas import FINER, Points, blank, level, pen_of, textured, two_levels


def ink_drawing(rng: np.random.Generator, side: int) -> Image.Image:
    """Outlines of shapes, some filled with hatching or screentone, as comics and prints."""
    ground, ink = two_levels(rng, 110)
    canvas = blank(side, ground)
    whole = canvas.width
    for _ in range(int(rng.integers(4, 14))):
        outline = _outline(rng, whole)
        kind = int(rng.integers(5))
        if kind < 3:
            mask = Image.new("1", canvas.size)
            ImageDraw.Draw(mask).polygon(outline, fill=1)
            fill = (_hatching, _screentone, _flat)[kind](rng, whole, ground, ink)
            canvas.paste(fill, (0, 0), mask)
        width = max(1, int(np.exp(rng.uniform(np.log(0.6), np.log(5))) * FINER))
        pen_of(canvas).line([*outline, outline[0]], fill=ink, width=width, joint="curve")
    for _ in range(int(rng.integers(0, 40))):
        width = max(1, int(rng.uniform(0.5, 2.5) * FINER))
        pen_of(canvas).line(_stroke(rng, whole), fill=ink, width=width, joint="curve")
    return textured(rng, canvas, rng.uniform(0, 4)) if rng.random() < 0.4 else canvas


def _outline(rng: np.random.Generator, whole: int) -> Points:
    """A closed curve or a polygon somewhere on the canvas."""
    middle, reach = rng.uniform(0, whole, 2), rng.uniform(0.06, 0.45) * whole
    if rng.random() < 0.35:
        count = int(rng.integers(3, 9))
        angles = np.sort(rng.uniform(0, 2 * np.pi, count))
        radii = rng.uniform(0.4, 1, count)
    else:
        angles = np.linspace(0, 2 * np.pi, 180, endpoint=False)
        waves = rng.normal(size=(5, 2)) * (0.3 / np.arange(1, 6))[:, None]
        parts = [
            a * np.cos(k * angles) + b * np.sin(k * angles) for k, (a, b) in enumerate(waves, 1)
        ]
        radii = 0.65 + 0.35 * np.tanh(np.sum(parts, axis=0))
    x, y = middle[0] + reach * radii * np.cos(angles), middle[1] + reach * radii * np.sin(angles)
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]


def _stroke(rng: np.random.Generator, whole: int) -> Points:
    """A smooth open curve: a cubic through the plane."""
    points = rng.uniform(0, whole, 2) + rng.normal(size=(4, 2)) * whole * 0.2
    t = np.linspace(0, 1, 60)[:, None]
    curve = (
        (1 - t) ** 3 * points[0]
        + 3 * (1 - t) ** 2 * t * points[1]
        + 3 * (1 - t) * t**2 * points[2]
        + t**3 * points[3]
    )
    return [(float(x), float(y)) for x, y in curve]


def _axes(rng: np.random.Generator, whole: int) -> tuple[np.ndarray, np.ndarray]:
    """Canvas coordinates along a random direction and across it, float32 (whole, whole)."""
    angle = np.float32(rng.uniform(0, np.pi))
    y, x = np.mgrid[:whole, :whole].astype(np.float32)
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def _hatching(rng: np.random.Generator, whole: int, ground: int, ink: int) -> Image.Image:
    along, across = _axes(rng, whole)
    pitch = np.float32(rng.uniform(2.2, 9) * FINER)
    part = rng.uniform(0.2, 0.5)
    lines = (along / pitch) % 1 < part
    if rng.random() < 0.4:
        lines |= (across / pitch) % 1 < part
    return Image.fromarray(np.where(lines, ink, ground).astype(np.uint8))


def _screentone(rng: np.random.Generator, whole: int, ground: int, ink: int) -> Image.Image:
    along, across = _axes(rng, whole)
    pitch = np.float32(rng.uniform(2.5, 9) * FINER)
    cell = ((along / pitch) % 1 - 0.5) ** 2 + ((across / pitch) % 1 - 0.5) ** 2
    first, last = rng.uniform(0.12, 0.55, 2)
    size = np.linspace(first, last, whole, dtype=np.float32)[:, None]
    return Image.fromarray(np.where(cell < size**2, ink, ground).astype(np.uint8))


def _flat(rng: np.random.Generator, whole: int, ground: int, ink: int) -> Image.Image:
    return Image.new("L", (whole, whole), level(rng, min(ground, ink), max(ground, ink)))


def grating(rng: np.random.Generator, side: int) -> Image.Image:
    """Fields of stripes at all angles, from 2.2 picture pixels a period on; sine or square."""
    canvas = blank(side, level(rng))
    fields = int(rng.integers(1, 5))
    step = canvas.width // fields
    for top in range(fields):
        for left in range(fields):
            along, _ = _axes(rng, step)
            period = float(np.exp(rng.uniform(np.log(2.2), np.log(24)))) * FINER
            wave = np.cos(2 * np.pi * along / np.float32(period))
            wave = wave if rng.random() < 0.5 else np.sign(wave)
            middle, reach = rng.uniform(80, 175), rng.uniform(15, 80)
            field = np.rint(middle + reach * wave).astype(np.uint8)
            canvas.paste(Image.fromarray(field), (left * step, top * step))
    return canvas


def zone_plate(rng: np.random.Generator, side: int) -> Image.Image:
    """Rings that grow finer outwards, or a star of spokes that grows finer inwards."""
    whole = side * FINER
    middle = rng.uniform(0.2, 0.8, 2) * whole
    y, x = np.mgrid[:whole, :whole].astype(np.float32)
    x, y = x - np.float32(middle[0]), y - np.float32(middle[1])
    if rng.random() < 0.6:
        # the phase whose local frequency reaches `finest` periods a picture pixel at `far`
        finest, far = rng.uniform(0.2, 0.48) / FINER, rng.uniform(0.6, 1.2) * whole
        phase = np.float32(np.pi * finest / far) * (x**2 + y**2)
    else:
        phase = np.float32(rng.integers(12, 80)) * np.arctan2(y, x)
    wave = np.cos(phase)
    wave = wave if rng.random() < 0.6 else np.sign(wave)
    levels = rng.uniform(90, 165) + rng.uniform(20, 85) * wave
    return Image.fromarray(np.rint(levels).clip(0, 255).astype(np.uint8))
