"""Measure a model on picture sets and write the figures into its sidecar.

``python -m lab.record --model edge-unet-s-x2 --images Set5=DIR Set14=DIR``
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.quality.images import list_images, read_set
from bench.quality.pictures import PROTOCOL, make_pair, measure
from edge_sr import Upscaler, zoo
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.model.sidecar import write_sidecar
from edge_sr.progress import item_progress
from edge_sr.quality import psnr

EXAMPLES = """\
example:
  python -m lab.record --model mine.onnx --images Set5=Set5/ Set14=Set14/
"""


def measure_set(upscaler: Upscaler, name: str, folder: Path) -> dict[str, float]:
    """Mean PSNR-Y in dB and SSIM-Y over a folder of HR pictures, and bicubic's PSNR-Y.

    Raises:
        MediaError: the folder holds no usable picture.
        FrameError: a picture is too small for the scale.
    """
    pictures = read_set(name, list_images(folder)).pictures
    rows = []
    for title, picture in item_progress(pictures, total=len(pictures), unit=name):
        pair = make_pair(title, picture, upscaler.sidecar.ratio)
        score, _, _ = measure(upscaler, pair)
        plain = psnr(pair.plain_y, pair.high_y, border=pair.border)
        rows.append((score.psnr_y_db, score.ssim_y, plain))
    means = np.mean(rows, axis=0)
    keys = (f"{name}_psnr_y_db", f"{name}_ssim_y", f"{name}_bicubic_psnr_y_db")
    return {key: round(float(mean), 4) for key, mean in zip(keys, means, strict=True)}


def _named_folder(text: str) -> tuple[str, Path]:
    name, separator, folder = text.partition("=")
    if not (name and separator and folder):
        raise argparse.ArgumentTypeError(f"{text!r}; expected NAME=FOLDER, as Set5=eval/Set5")
    return name, Path(folder)


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.record",
        "Measure a model on picture sets and write the figures into its sidecar.",
        examples=f"{EXAMPLES}\nprotocol: {PROTOCOL}",
    )
    parser.add_argument("--model", required=True, help="a shipped model or an .onnx file")
    parser.add_argument(
        "--images", type=_named_folder, nargs="+", required=True, metavar="NAME=FOLDER"
    )
    return parser


@exit_codes("bench")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the sidecar was written."""
    args = build_parser().parse_args(argv)
    path, sidecar = zoo.find(args.model)
    quality = dict(sidecar.quality)
    with Upscaler.open(args.model) as upscaler:
        for name, folder in args.images:
            found = measure_set(upscaler, name, folder)
            quality.update(found)
            print(f"{sidecar.name}: " + ", ".join(f"{k} {v:g}" for k, v in found.items()))
    write_sidecar(path, replace(sidecar, quality=quality))
    return 0


if __name__ == "__main__":
    sys.exit(main())
