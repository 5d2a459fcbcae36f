"""PSNR-Y of a luma network on a folder of pictures, by the standard protocol.

``python -m training.evaluate --model FILE.keras --images FOLDER``
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from edge_sr.errors import ModelFileError
from edge_sr.quality import psnr, standard_border

from .data import DataError, find_images, load_pairs
from .models.sizes import model_scale, size_multiple  # also registers our layers
from .open_model import open_model
from .validate import bicubic, to_uint8

EXAMPLES = """\
example:
  python -m training.evaluate --model runs/x/best.keras --images Set5/
"""


class ModelError(Exception):
    """The network cannot be measured; the text says why."""


def load_luma_model(path: Path) -> tuple[keras.Model, Fraction]:
    """A network that takes luma of any size, and its scale.

    Raises:
        ModelError: the file cannot be loaded safely, or the network is not of that kind.
    """
    try:
        model = open_model(path)
    except ModelFileError as error:
        raise ModelError(str(error)) from error
    if model.input_shape[1:] != (None, None, 1):
        raise ModelError(
            f"{path}: input is {model.input_shape[1:]}; expected (None, None, 1): luma, any size"
        )
    return model, model_scale(model)


def upscale(model: keras.Model, low: np.ndarray, scale: Fraction, multiple: int) -> np.ndarray:
    """uint8 (h, w, 1) -> uint8 (h*scale, w*scale, 1); padded to the size multiple, then cut."""
    rows, columns = low.shape[:2]
    padded = np.pad(low, ((0, -rows % multiple), (0, -columns % multiple), (0, 0)), mode="edge")
    result = np.asarray(model(padded[None].astype(np.float32), training=False))[0]
    return to_uint8(result[: int(rows * scale), : int(columns * scale)])


def evaluate(model: keras.Model, scale: Fraction, folder: Path) -> list[tuple[str, float, float]]:
    """(name, PSNR-Y of the network, of bicubic) in dB for every picture, by name.

    Luma is BT.601 of 16..235, cut to a multiple of the scale and made small by antialiased
    bicubic; the border of scale pixels, rounded up, is left off; peak 255.

    Raises:
        DataError: the folder has no usable picture.
    """
    pairs, left_out = load_pairs(find_images([folder]), scale, multiple=1)
    for line in left_out:
        print(f"left out: {line}", file=sys.stderr)
    border = standard_border(float(scale))
    rows = []
    for pair in pairs:
        ours = upscale(model, pair.low, scale, size_multiple(model))
        plain = bicubic(pair.low, pair.high.shape)
        both = [psnr(result, pair.high, border=border) for result in (ours, plain)]
        rows.append((pair.name, both[0], both[1]))
    return rows


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate",
        description="Print the PSNR-Y of a luma network beside bicubic's, in dB.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", type=Path, required=True, help="a .keras file")
    parser.add_argument("--images", type=Path, required=True, help="a folder of pictures")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when every picture was measured, 1 when none could be."""
    args = build_parser().parse_args(argv)
    try:
        model, scale = load_luma_model(args.model)
        rows = evaluate(model, scale, args.images)
    except (ModelError, DataError) as error:
        print(f"evaluation: {error}", file=sys.stderr)
        return 1
    ours_mean, plain_mean = np.mean([row[1:] for row in rows], axis=0)
    rows.append(("mean", float(ours_mean), float(plain_mean)))
    print(f"{'picture':24} {'network':>8} {'bicubic':>8}")
    for name, ours, plain in rows:
        print(f"{name:24} {ours:8.3f} {plain:8.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
