"""Moving pictures with an exact truth: a camera pans, zooms, shakes or turns over photographs.

Objects cut out of other photographs may move over them. Photographs are only ever reduced or
interpolated with an antialiased filter, so that every frame is band-limited.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

KINDS = ("still", "pan", "zoom", "shake", "turn")
CHANCES = (0.15, 0.4, 0.15, 0.22, 0.08)
FINEST = 2.0  # source pixels per frame pixel that are kept before a frame is resampled
COARSE = 0.75  # of a photograph enlarged by a third

Draw = Callable[[], np.ndarray]


@dataclass(frozen=True)
class Path:
    """Where a camera looks: one row a frame. Offsets and sizes in frame pixels."""

    x: np.ndarray  # float64 (frames,), offset of the middle, 0 on average
    y: np.ndarray
    zoom: np.ndarray  # window's size / frame's size
    turn: np.ndarray  # degrees


def draw_path(rng: np.random.Generator, frames: int) -> Path:
    """A random movement of ``frames`` frames."""
    kind = KINDS[int(rng.choice(len(KINDS), p=CHANCES))]
    time = np.arange(frames) - (frames - 1) / 2
    angle, zero = rng.uniform(0, 2 * np.pi), np.zeros(frames)
    speed = 0.0 if kind == "still" else float(np.exp(rng.uniform(np.log(0.2), np.log(16))))
    if kind in ("shake", "zoom", "turn"):
        speed = min(speed, 3.0)
    x: np.ndarray = time * speed * np.cos(angle)
    y: np.ndarray = time * speed * np.sin(angle)
    zoom: np.ndarray = zero + 1
    turn: np.ndarray = zero
    if kind == "pan" and rng.random() < 0.3:
        x, y = np.rint(x), np.rint(y)
    if kind == "shake":
        shaken = rng.normal(size=(2, frames)) * rng.uniform(0.3, 4)
        shaken[:, 1:] = 0.5 * shaken[:, 1:] + 0.5 * shaken[:, :-1]
        x, y = x + shaken[0], y + shaken[1]
    if kind == "zoom":
        zoom = np.exp(time * rng.uniform(-0.02, 0.02))
    if kind == "turn":
        turn = time * rng.uniform(-1.5, 1.5)
    return Path(x, y, zoom, turn)


def _margin(path: Path, size: tuple[int, int]) -> int:
    """How far beyond a window of ``size`` (rows, columns) the path may look, frame pixels."""
    reach = float(max(np.abs(path.x).max(), np.abs(path.y).max()))
    grown = max(size) / 2 * (float(path.zoom.max()) - 1)
    turned = max(size) / 2 * float(np.sin(np.radians(np.abs(path.turn).max())))
    return int(np.ceil(reach + grown + turned)) + 4


def extend(picture: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """uint8 (h, w) mirrored at its end until it has at least ``rows`` and ``columns``."""
    more = max(0, rows - picture.shape[0]), max(0, columns - picture.shape[1])
    return np.pad(picture, ((0, more[0]), (0, more[1])), mode="symmetric") if any(more) else picture


def canvas(
    picture: np.ndarray, path: Path, size: tuple[int, int], density: float, corner: np.ndarray
) -> tuple[Image.Image, float]:
    """What a path over a photograph can see, and its pixels per frame pixel.

    Args:
        picture: uint8 (h, w) luma; mirrored at its end where it is too small.
        size: rows and columns of a frame.
        density: of the photograph, its pixels per frame pixel.
        corner: float (2,) in 0..1: which part of the photograph.
    """
    margin = _margin(path, size)
    rows, columns = (int(np.ceil((side + 2 * margin) * density)) for side in size)
    whole = extend(picture, rows, columns)
    top, left = (
        int(part * (have - need))
        for part, have, need in zip(corner, whole.shape, (rows, columns), strict=True)
    )
    seen = Image.fromarray(np.ascontiguousarray(whole[top : top + rows, left : left + columns]))
    if density <= FINEST:
        return seen, density
    small = [int(np.ceil((side + 2 * margin) * FINEST)) for side in size]
    return seen.resize((small[1], small[0]), Image.Resampling.BICUBIC), FINEST


def draw_density(rng: np.random.Generator, picture: np.ndarray, size: tuple[int, int]) -> float:
    """Pixels of a photograph (h, w) per frame pixel: as many as fit, from COARSE on."""
    fits = min(have / need for have, need in zip(picture.shape, size, strict=True))
    finest = min(3.0, max(1.2 * COARSE, fits))
    return float(np.exp(rng.uniform(np.log(COARSE), np.log(finest))))


def look(
    image: Image.Image, density: float, path: Path, frame: int, size: tuple[int, int]
) -> np.ndarray:
    """Frame number ``frame``, uint8 (rows, columns), of a canvas."""
    rows, columns = size
    x = image.width / 2 + path.x[frame] * density
    y = image.height / 2 + path.y[frame] * density
    width, height = (side * density * path.zoom[frame] for side in (columns, rows))
    if path.turn[frame]:
        image = image.rotate(path.turn[frame], Image.Resampling.BICUBIC, center=(x, y))
    box = (
        *(max(0.0, x - width / 2), max(0.0, y - height / 2)),
        *(min(float(image.width), x + width / 2), min(float(image.height), y + height / 2)),
    )
    return np.asarray(image.resize((columns, rows), Image.Resampling.BICUBIC, box=box))


def draw_shape(rng: np.random.Generator, rows: int, columns: int) -> Image.Image:
    """A mask, "L" of 0..255 with smooth edges: a random polygon, ellipse or rounded box."""
    large = Image.new("L", (2 * columns, 2 * rows))
    pen = ImageDraw.Draw(large)
    middle = np.array([columns, rows]) + rng.uniform(-0.4, 0.4, 2) * (columns, rows)
    reach = rng.uniform(0.15, 0.6, 2) * rows
    kind = int(rng.integers(3))
    if kind == 0:
        count = int(rng.integers(3, 12))
        angles = np.sort(rng.uniform(0, 2 * np.pi, count))
        radii = rng.uniform(0.5, 1, count)
        around = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None]
        pen.polygon([tuple(point) for point in middle + around * reach], fill=255)
    elif kind == 1:
        pen.ellipse([*(middle - reach), *(middle + reach)], fill=255)
    else:
        pen.rounded_rectangle([*(middle - reach), *(middle + reach)], radius=8, fill=255)
    return large.resize((columns, rows), Image.Resampling.BOX)


def moving(
    rng: np.random.Generator, draw: Draw, *, size: tuple[int, int], frames: int
) -> list[np.ndarray]:
    """A sequence of uint8 (rows, columns) luma frames.

    Args:
        draw: gives a photograph's luma each time, uint8 (h, w), as a pure function of ``rng``.
        size: rows and columns of a frame.
    """
    layers = []
    for index in range(1 + int(rng.choice(3, p=(0.45, 0.4, 0.15)))):
        path = draw_path(rng, frames)
        picture = draw()
        seen, kept = canvas(picture, path, size, draw_density(rng, picture, size), rng.random(2))
        mask = draw_shape(rng, seen.height, seen.width) if index else None
        layers.append((seen, kept, path, mask))
    made = []
    for frame in range(frames):
        shown = np.zeros(size, np.float32)
        for seen, kept, path, mask in layers:
            top = look(seen, kept, path, frame, size).astype(np.float32)
            if mask is None:
                shown = top
                continue
            part = look(mask, kept, path, frame, size).astype(np.float32) / 255
            shown += part * (top - shown)
        made.append(np.rint(shown).astype(np.uint8))
    return made
