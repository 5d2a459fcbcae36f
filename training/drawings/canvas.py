"""A grey canvas several times finer than the picture that it becomes."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

FINER = 4  # canvas pixels per pixel of the picture, along each axis

Points = list[tuple[float, float]]


def blank(side: int, level: int) -> Image.Image:
    """A canvas, "L", for a picture of ``side`` x ``side`` pixels."""
    return Image.new("L", (side * FINER, side * FINER), level)


def pen_of(canvas: Image.Image) -> ImageDraw.ImageDraw:
    """What draws on it; coordinates are canvas pixels."""
    return ImageDraw.Draw(canvas)


def finish(canvas: Image.Image) -> np.ndarray:
    """The picture, uint8 (side, side): reduced by an antialiased filter, so band-limited."""
    size = (canvas.width // FINER, canvas.height // FINER)
    return np.asarray(canvas.resize(size, Image.Resampling.BICUBIC))


def level(rng: np.random.Generator, least: int = 0, most: int = 255) -> int:
    """A grey level between both."""
    return int(rng.integers(least, most + 1))


def two_levels(rng: np.random.Generator, apart: int = 60) -> tuple[int, int]:
    """Grey levels of ground and figure, at least ``apart``; either may be the lighter one."""
    dark = level(rng, 0, 255 - apart)
    light = level(rng, dark + apart, 255)
    return (dark, light) if rng.random() < 0.35 else (light, dark)


def grain(rng: np.random.Generator, side: int, amplitude: float, coarse: int) -> np.ndarray:
    """Smooth noise, float32 (side, side), of standard deviation ``amplitude`` levels.

    ``coarse``: canvas pixels between its independent values.
    """
    few = max(2, side // coarse)
    small = Image.fromarray(rng.normal(size=(few, few)).astype(np.float32))
    made = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC))
    return made * np.float32(amplitude / max(float(made.std()), 1e-6))


def textured(
    rng: np.random.Generator, canvas: Image.Image, amplitude: float, coarse: int = 6
) -> Image.Image:
    """The canvas with grain, as paper, plaster and stone have it."""
    levels = np.asarray(canvas, np.float32) + grain(rng, canvas.width, amplitude, coarse)
    return Image.fromarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8))


def lit(rng: np.random.Generator, canvas: Image.Image) -> Image.Image:
    """The canvas under light that falls off towards one side."""
    side = canvas.width
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.35)
    across = np.linspace(-1, 1, side, dtype=np.float32)
    fall = across * np.float32(np.cos(angle)) + across[:, None] * np.float32(np.sin(angle))
    light = 1 - np.float32(strength) * (0.5 + fall / 2.83)
    return Image.fromarray(np.rint(np.asarray(canvas, np.float32) * light).astype(np.uint8))


def in_perspective(
    rng: np.random.Generator, canvas: Image.Image, most: float, *, floor: bool = False
) -> Image.Image:
    """The canvas as a plane seen at a slant; all of the result shows it.

    Args:
        most: how far a corner of what is seen may lie from the canvas' own, part of its side.
        floor: seen from above its near edge, so that the far edge is the wider one.
    """
    side = canvas.width
    corners = np.array([[0, 0], [0, side], [side, side], [side, 0]], float)  # x, y: down, right, up
    inward = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]], float)
    moves = rng.uniform(0, most, (4, 2)) * side
    if floor:
        moves[1:3, 0] = rng.uniform(0.3, 0.42) * side
        moves[[0, 3], 0] = 0
    quad = (corners + inward * moves).astype(float)
    return canvas.transform(
        canvas.size,
        Image.Transform.PERSPECTIVE,
        _coefficients(corners, quad),
        Image.Resampling.BICUBIC,
    )


def _coefficients(target: np.ndarray, source: np.ndarray) -> list[float]:
    """Pillow's eight numbers that lead from target points (4, 2) to source points (4, 2)."""
    rows, values = [], []
    for (x, y), (u, v) in zip(target, source, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return [float(value) for value in np.linalg.solve(np.array(rows), np.array(values))]


def softened(canvas: Image.Image, sigma: float) -> Image.Image:
    """Through a Gaussian of ``sigma`` pixels of the picture."""
    return canvas.filter(ImageFilter.GaussianBlur(sigma * FINER))
