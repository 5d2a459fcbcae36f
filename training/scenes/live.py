"""What cameras and streams make of a moving scene: pairs of a coded frame and its truth."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from PIL import Image

from training.data.degrade import blur, sensor_noise, through_jpeg
from training.data.pairs import downscale
from training.data.video_codec import code_clip
from training.scenes.motion import Draw, moving

TAKEN = 3  # frames of a sequence that are kept
REDUCTIONS = ("bicubic", "lanczos", "box", "sharp")
PRESETS = ("medium", "veryfast", "faster", "ultrafast")
DOUBLE = Fraction(2)
SHARP = np.array([-1, 9, 9, -1], np.float32) / 16  # Keys' cubic half way, not widened


@dataclass(frozen=True)
class Course:
    """All that happens to one sequence between the scene and the network's input."""

    frames: int
    gain: float = 1.0  # of the light, around black (16)
    soft: float = 0.0  # sigma of the scene itself, high-resolution pixels: truth and input
    master: int | None = None  # x264's rate factor of the truth, as videos are delivered
    blur: float = 0.0  # sigma of the optics, low-resolution pixels: input only
    reduction: str = "bicubic"
    noise: float = 0.0  # sensor's sigma at mid-grey, levels
    codec: str = "h264"  # or "mjpeg" or "none"
    rate: int = 0  # x264's rate factor, or JPEG's quality
    preset: str = "medium"
    zerolatency: bool = False


def draw_course(rng: np.random.Generator) -> Course:
    """A random one; most are coded by x264 and nothing else."""
    codec = ("h264", "mjpeg", "none")[int(rng.choice(3, p=(0.8, 0.08, 0.12)))]
    rate = {"h264": int(rng.integers(12, 41)), "mjpeg": int(rng.integers(30, 96))}.get(codec, 0)
    return Course(
        frames=int(rng.integers(8, 17)) if codec == "h264" else TAKEN,
        gain=float(rng.uniform(0.25, 1)) if rng.random() < 0.25 else 1.0,
        soft=float(rng.uniform(0.4, 1.4)) if rng.random() < 0.25 else 0.0,
        master=int(rng.integers(14, 25)) if rng.random() < 0.25 else None,
        blur=float(rng.uniform(0.2, 0.8)) if rng.random() < 0.12 else 0.0,
        reduction=REDUCTIONS[int(rng.choice(4, p=(0.79, 0.07, 0.07, 0.07)))],
        noise=float(np.exp(rng.uniform(np.log(0.5), np.log(6)))) if rng.random() < 0.2 else 0.0,
        codec=codec,
        rate=rate,
        preset=PRESETS[int(rng.choice(4, p=(0.62, 0.25, 0.08, 0.05)))],
        zerolatency=bool(rng.random() < 0.15),
    )


def reduce(frame: np.ndarray, kind: str, scale: Fraction = DOUBLE) -> np.ndarray:
    """uint8 (H, W) -> uint8 (H/scale, W/scale); all kinds keep the picture's middle where it is.

    "sharp", which is not antialiased, is there for x2; at other scales it is "bicubic".
    """
    if kind == "bicubic" or (kind == "sharp" and scale != DOUBLE):
        return downscale(frame[..., None], scale)[..., 0]
    rows, columns = (int(side / scale) for side in frame.shape)
    if kind == "box" and scale != DOUBLE:
        small = Image.fromarray(frame).resize((columns, rows), Image.Resampling.BOX)
        return np.asarray(small)
    if kind == "lanczos":
        small = Image.fromarray(frame).resize((columns, rows), Image.Resampling.LANCZOS)
        return np.asarray(small)
    levels = frame.astype(np.float32)
    if kind == "box":
        mean = levels.reshape(rows, 2, columns, 2).mean(axis=(1, 3))
        return np.asarray(np.rint(mean), np.uint8)
    for axis in (0, 1):
        padded = np.pad(levels, [(1, 1) if side == axis else (0, 0) for side in (0, 1)], "edge")
        half = levels.shape[axis] // 2
        parts = [np.take(padded, range(i, i + 2 * half, 2), axis=axis) for i in range(4)]
        levels = sum(tap * part for tap, part in zip(SHARP, parts, strict=True))
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def code(frames: list[np.ndarray], course: Course) -> list[np.ndarray]:
    """uint8 (h, w) luma frames through the course's codec."""
    if course.codec == "none":
        return frames
    if course.codec == "mjpeg":
        coded = [through_jpeg(item[..., None].astype(np.float32), course.rate) for item in frames]
        return [item[..., 0].astype(np.uint8) for item in coded]
    return code_clip(frames, course.rate, preset=course.preset, zerolatency=course.zerolatency)


def degrade_sequence(
    truth: list[np.ndarray], course: Course, rng: np.random.Generator, scale: Fraction = DOUBLE
) -> list[np.ndarray]:
    """The low side, uint8 (h, w), of every uint8 (h*scale, w*scale) luma frame."""
    lows = []
    for index, frame in enumerate(truth):
        low = reduce(frame, course.reduction, scale)
        if course.blur or course.noise:
            levels = low[..., None].astype(np.float32)
            levels = blur(levels, course.blur) if course.blur else levels
            rolling = course.noise * (1 + 0.3 * np.sin(index / 3))
            levels = sensor_noise(levels, rolling, rng) if rolling else levels
            low = np.clip(np.rint(levels[..., 0]), 0, 255).astype(np.uint8)
        lows.append(low)
    return code(lows, course)


def film(truth: list[np.ndarray], course: Course) -> list[np.ndarray]:
    """The scene as the course's master shows it: what the network's result is compared with."""
    if course.gain < 1:
        truth = [
            np.rint(16 + course.gain * (item - 16.0)).clip(0).astype(np.uint8) for item in truth
        ]
    if course.soft:
        truth = [
            np.rint(blur(item[..., None].astype(np.float32), course.soft)[..., 0]).astype(np.uint8)
            for item in truth
        ]
    return truth if course.master is None else code_clip(truth, course.master)


def make_sequence(
    rng: np.random.Generator,
    draw: Draw,
    size: tuple[int, int],
    course: Course | None = None,
    *,
    scale: Fraction = DOUBLE,
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """``TAKEN`` moments of a new sequence, and what happened to it.

    Args:
        size: rows and columns of the truth; divided by the scale they are even.

    Returns uint8 low (TAKEN, h, w) and high (TAKEN, h*scale, w*scale): luma.
    """
    course = course or draw_course(rng)
    truth = film(moving(rng, draw, size=size, frames=course.frames), course)
    lows = degrade_sequence(truth, course, rng, scale)
    first = 0 if course.frames <= TAKEN or rng.random() < 0.2 else 2
    taken = np.sort(rng.choice(np.arange(first, course.frames), TAKEN, replace=False))
    record = asdict(course) | {"taken": taken.tolist()}
    return np.stack([lows[i] for i in taken]), np.stack([truth[i] for i in taken]), record
