"""PSNR and SSIM of a network on a folder of pictures, beside bicubic and Lanczos.

``python -m training.evaluate --model FILE.keras --images FOLDER``; the protocol is bench/quality's.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from bench.models.floors import floor_sidecar, open_floor
from bench.quality.images import GREYS, ImageSet, list_images, read_set
from bench.quality.imresize import imresize
from bench.quality.pictures import PROTOCOL, Pair, Score, make_pair, measure
from edge_sr import Upscaler
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.errors import FrameError, MediaError
from training.data.degrade import Degradation, degrade, make_degradation
from training.finetune import find_weights
from training.models.keras_backend import open_keras
from training.models.self_ensemble import SelfEnsemble
from training.recipe import parse_toml

logger = logging.getLogger(__name__)

FLOORS = ("bicubic", "lanczos")
EXAMPLES = """\
examples:
  python -m training.evaluate --model runs/edge-unet-s-x2/best.keras --images Set5/
  python -m training.evaluate --model edge-unet-s-x2 --images Set14/ --grey rgb
  python -m training.evaluate --model edge-unet-s-x2 --images Set5/ --degrade 'h264 = [28, 28]'
"""


def evaluate(
    upscaler: Upscaler, images: ImageSet, how: Degradation | None = None
) -> list[list[Score]]:
    """For every picture the scores of the network, of bicubic and of Lanczos.

    Args:
        how: what is done to all inputs first; the truth stays as it is.

    Raises:
        MediaError: no picture is large enough.
    """
    ratio = upscaler.sidecar.ratio
    cards = [floor_sidecar(kind, ratio) for kind in FLOORS]
    rivals = [upscaler, *(Upscaler(open_floor(card), card) for card in cards)]
    rows: list[list[Score]] = []
    for name, picture in images.pictures:
        try:
            pair = make_pair(name, picture, ratio)
        except FrameError as error:
            logger.warning("left out: %s", error)
            continue
        if how is not None:
            pair = degraded(pair, how, seed=len(rows))
        rows.append([measure(rival, pair)[0] for rival in rivals])
    if not rows:
        raise MediaError(f"{images.name}: no picture is large enough")
    return rows


def degraded(pair: Pair, how: Degradation, *, seed: int) -> Pair:
    """The pair with inputs as a camera would have delivered them; luma and RGB by one draw."""

    def touch(low: np.ndarray) -> np.ndarray:
        batch = low.reshape(1, *low.shape[:2], -1).astype(np.float32)
        made = degrade(batch, how, np.random.default_rng(seed))
        return made.reshape(low.shape).astype(np.uint8)

    low_y = touch(pair.low_y)
    rows, columns = pair.high_y.shape
    low = touch(pair.low) if pair.low.ndim == 3 else low_y
    return replace(pair, low_y=low_y, low=low, plain_y=imresize(low_y, columns, rows))


def table(rows: Sequence[Sequence[Score]]) -> str:
    """Fixed columns: three figures for each of network, bicubic and Lanczos; means at the end."""
    heads = "".join(f"  {name:^24}" for name in ("network", *FLOORS))
    units = "".join(f"  {'PSNR-Y':>7} {'SSIM-Y':>7} {'PSNR-RGB':>8}" for _ in range(3))
    lines = [f"{'':24}{heads}", f"{'picture':24}{units}"]
    figures = np.array([[_figures(score) for score in row] for row in rows])
    for row, values in zip(rows, figures, strict=True):
        lines.append(f"{row[0].name[:24]:24}{_cells(values)}")
    color = ~np.isnan(figures[:, 0, 2])
    means = figures.mean(axis=0)
    means[:, 2] = figures[color, :, 2].mean(axis=0) if color.any() else np.nan
    return "\n".join([*lines, f"{'mean':24}{_cells(means)}"])


def _figures(score: Score) -> tuple[float, float, float]:
    rgb = score.psnr_rgb_db
    return score.psnr_y_db, score.ssim_y, np.nan if rgb is None else rgb


def _cells(values: np.ndarray) -> str:
    texts = [("-" if np.isnan(rgb) else f"{rgb:.3f}") for _, _, rgb in values]
    return "".join(
        f"  {y:7.3f} {ssim:7.4f} {text:>8}"
        for (y, ssim, _), text in zip(values, texts, strict=True)
    )


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m training.evaluate",
        "Print PSNR (dB) and SSIM of a network beside those of bicubic and Lanczos.",
        examples=EXAMPLES,
    )
    parser.add_argument("--model", required=True, help="a .keras file or the name of shipped ones")
    parser.add_argument("--images", type=Path, required=True, help="a folder of HR pictures")
    parser.add_argument(
        "--grey",
        choices=GREYS,
        default=GREYS[0],
        help="grey files are their own luma (default), or RGB of three equal channels",
    )
    parser.add_argument(
        "--degrade",
        default="",
        metavar="TOML",
        help="degrade the inputs as a recipe's [degrade] table says, such as 'jpeg = [50, 50]'",
    )
    parser.add_argument(
        "--self-ensemble", action="store_true", help="the mean of eight turned and mirrored looks"
    )
    return parser


@exit_codes("evaluation")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when pictures were measured, 1 when none could be."""
    args = build_parser().parse_args(argv)
    how = make_degradation(parse_toml(args.degrade, "--degrade"))
    files = list_images(args.images)
    images = read_set(args.images.name, files, grey=args.grey)
    for line in images.left_out:
        logger.warning("left out: %s", line)
    upscaler = open_keras(find_weights(args.model))
    if args.self_ensemble:
        upscaler = Upscaler(SelfEnsemble(upscaler.backend), upscaler.sidecar)
    rows = evaluate(upscaler, images, how)
    print(table(rows))
    degraded = f"inputs degraded by {args.degrade}; " if how else ""
    print(f"{len(rows)} pictures; grey files as {args.grey}; {degraded}{PROTOCOL}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
