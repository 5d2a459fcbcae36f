"""Is the ONNX file the function that Keras computes? Asked at several sizes, borders included."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnxruntime

from edge_sr.errors import ModelFileError

PARITY_SHARE = 1e-3  # of the pixels may differ from Keras, by one grey level


def natural_frame(rows: int, columns: int, channels: int, seed: int) -> np.ndarray:
    """A made-up uint8 (rows, columns, channels) picture: smooth shading, edges and some noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:rows, 0:columns] / max(rows, columns)
    planes = []
    for _ in range(channels):
        wave = np.sin(2 * np.pi * (rng.uniform(1, 9) * x + rng.uniform(1, 9) * y))
        edge = np.sign(np.sin(2 * np.pi * (rng.uniform(2, 12) * x - rng.uniform(2, 12) * y)))
        planes.append(127.5 + 55 * wave + 45 * edge + rng.normal(0, 8, (rows, columns)))
    levels = np.clip(np.rint(np.stack(planes, axis=-1)), 0, 255)
    return np.asarray(levels, np.uint8)


def check_parity(
    reference: Callable[[np.ndarray], np.ndarray],
    path: Path,
    *,
    channels: int,
    multiple: int,
    scale: Fraction,
    size: tuple[int, int] | None,
    target: tuple[int, int] | None,
    value_range: tuple[float, float],
) -> float:
    """Run Keras (``reference``) and the file on the same frames, odd sizes and borders included.

    The other arguments are those of `ends.add_frame_io`. Returns the share of pixels that differ.

    Raises:
        ModelFileError: more than 0.1 % of the pixels differ, or any by more than one grey level.
    """
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    levels, offset = value_range
    step = 8 * multiple
    sizes = [size] if size else [(step, 3 * step), (5 * step + 1, 4 * step - 1), (7, 9 * step)]
    shares = []
    for seed, (rows, columns) in enumerate(sizes):
        frame = natural_frame(rows, columns, channels, seed)
        found = session.run(None, {"frame": frame[None]})[0][0]
        padding = [(0, -rows % multiple), (0, -columns % multiple), (0, 0)]
        padded = np.pad(frame, padding, mode="edge").astype(np.float32)
        expected = (reference((padded / 255 * levels + offset)[None])[0] - offset) / levels * 255
        height, width = target or (int(rows * scale), int(columns * scale))
        grey = np.clip(np.rint(expected), 0, 255)[:height, :width]
        difference = np.abs(found.astype(np.int16) - grey.astype(np.int16))
        shares.append(float(np.mean(difference > 0)))
        if difference.max() > 1 or shares[-1] > PARITY_SHARE:
            raise ModelFileError(
                f"at {columns}x{rows} the ONNX file differs from Keras on {shares[-1]:.2%} of the "
                f"pixels, by up to {difference.max()} grey levels; allowed: {PARITY_SHARE:.1%}, "
                "by 1. Nothing was written; please report this with the model"
            )
    return max(shares)
