"""Is the written ONNX file the function of the original? Asked at several sizes and borders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime

from calibration.network.session import SILENT
from convert.probe.geometry import Geometry, Run
from edge_sr.errors import ModelFileError
from edge_sr.model.value_range import ValueRange

TIE = 0.02  # grey levels: a result this near to x.5 may be rounded up or down
PARITY_SHARE = 1e-3  # of the pixels may differ from Keras, by one grey level
ROUNDING = 1e-6  # of a sample, about what float32 arithmetic in another order changes
FRAMES = 4  # that are tried of each size, where the network enlarges that beyond a tie


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
    reference: Run,
    path: Path,
    *,
    channels: int,
    geometry: Geometry,
    input_range: ValueRange,
    output_range: ValueRange,
    target: tuple[int, int] | None = None,
    original: str = "Keras",
) -> float:
    """Run the original network and the written file on the same frames, odd sizes included.

    The other arguments are those of `add_frame_io`. Returns the share of pixels that differ.

    Args:
        reference: the original, float32 (1, H, W, C) both ways, in its own values.
        original: what it is, for messages.

    Raises:
        ModelFileError: more than 0.1 % of the pixels differ, or any by more than one grey level.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = SILENT
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    size, step = geometry.size, 8 * geometry.multiple
    sizes = [size] if size else [(step, 3 * step), (5 * step + 1, 4 * step - 1), (7, 9 * step)]
    shares = []
    for seed, (rows, columns) in enumerate(sizes):
        pads = [*geometry.padding(rows, columns), (0, 0)]
        top, left = geometry.crop
        height, width = target or (int(rows * geometry.scale), int(columns * geometry.scale))

        def exact(frame: np.ndarray, pads: list[tuple[int, int]] = pads) -> np.ndarray:
            """Grey levels by the original, not rounded and not cut."""
            padded = np.pad(frame, pads, mode="edge")
            result = reference((padded / 255 * input_range.levels + input_range.offset)[None])[0]
            levels: np.ndarray = (result - output_range.offset) / output_range.levels * 255
            return levels

        for again in range(FRAMES):
            frame = natural_frame(rows, columns, channels, seed + again * len(sizes))
            try:
                found = session.run(None, {"frame": frame[None]})[0][0]
            except Exception as error:  # ONNX Runtime's own classes share no public base
                raise ModelFileError(
                    f"the ONNX file fails at {columns}x{rows}: a part of it holds the size that it "
                    f"was traced at ({str(error).strip().splitlines()[0][:160]}); export it for "
                    "one size with --size WIDTHxHEIGHT"
                ) from error
            expected = exact(frame.astype(np.float32))
            kept = expected[top : top + height, left : left + width]
            difference = np.abs(found.astype(np.int16) - np.clip(np.rint(kept), 0, 255))
            away = np.abs(found - np.clip(kept, 0, 255))
            share = float(np.mean((difference > 0) & (away > 0.5 + TIE)))
            good = difference.max() <= 1 and share <= PARITY_SHARE
            if good or not _enlarges_rounding(exact, frame, expected):
                break
        shares.append(share)
        if not good:
            raise ModelFileError(
                f"at {columns}x{rows} the ONNX file differs from {original} on {share:.2%} of "
                f"the pixels, by up to {difference.max():g} grey levels; allowed: "
                f"{PARITY_SHARE:.1%}, by 1. Nothing was written; please report this with the model"
            )
    return max(shares)


def _enlarges_rounding(
    exact: Callable[[np.ndarray], np.ndarray], frame: np.ndarray, expected: np.ndarray
) -> bool:
    """Whether the original itself changes by more than a tie when its input changes by rounding.

    Attention can do that to a picture unlike those that the network was trained on: no two programs
    agree there, and the frame shows nothing.
    """
    signs = np.random.default_rng(0).choice([-1, 1], frame.shape)
    other = exact((frame * (1 + ROUNDING * signs)).astype(np.float32))
    return bool(np.max(np.abs(other - expected)) > TIE)
