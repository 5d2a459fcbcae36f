"""The README's animation: 640x360 at twice its size, before and after a moving divider."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bench.commands.demo import FOLDER, MODEL, fetch_clip
from bench.report.demo_picture import resize
from edge_sr import Upscaler
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.media.color import yuv_to_rgb
from edge_sr.media.sources.file import VideoFile

Pixels = NDArray[np.uint8]

CROP = (400, 260)  # columns, rows of the 720p picture
LEFT, TOP = 300, 40  # of the crop: the head of the rabbit
ZOOM = 2  # each of its pixels, so that details are seen
EVERY = 2  # frames of the clip, which has 25 a second
QUALITY = 78  # of WebP

EXAMPLES = """\
example:
  python -m lab.pages.animation --output docs/before-after.webp
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.pages.animation",
        "Write an animated WebP of the demo clip before and after upscaling by two.",
        examples=EXAMPLES,
    )
    parser.add_argument("--output", type=Path, required=True, help="a .webp file")
    parser.add_argument("--clip", type=Path, help="a 720p film (default: that of `make demo`)")
    parser.add_argument("--start", type=int, default=58, help="first frame (default: 58)")
    parser.add_argument("--frames", type=int, default=36, help="pictures (default: 36)")
    parser.add_argument("--model", default=MODEL, help=f"an x2 model (default: {MODEL})")
    return parser


@exit_codes("animation")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the file was written, 1 when something is missing, 2 for wrong options."""
    args = build_parser().parse_args(argv)
    clip = args.clip
    if clip is None:
        FOLDER.mkdir(exist_ok=True)
        clip = fetch_clip(FOLDER)
    pictures = list(animate(clip, args.model, start=args.start, count=args.frames))
    pictures[0].save(
        args.output,
        save_all=True,
        append_images=pictures[1:],
        duration=1000 * EVERY // 25,
        loop=0,
        quality=QUALITY,
        method=6,
    )
    print(f"{args.output}: {len(pictures)} pictures, {args.output.stat().st_size / 1e6:.2f} MB")
    return 0


def animate(clip: Path, model: str, *, start: int, count: int) -> Iterator[Image.Image]:
    """A part of `count` frames: bicubic left of the divider, the model right of it."""
    with Upscaler.open(model) as upscaler, VideoFile(clip) as source:
        number = 0
        for index, frame in enumerate(source):
            if index < start or (index - start) % EVERY:
                continue
            rgb = yuv_to_rgb(frame)
            height, width = rgb.shape[:2]
            low = resize(rgb, width // 2, height // 2)
            plain, better = _crop(resize(low, width, height)), _crop(upscaler.upscale(low))
            share = 0.5 + 0.42 * math.cos(2 * math.pi * number / count)
            yield _divide(plain, better, share, upscaler.sidecar.name)
            number += 1
            if number == count:
                return


def _crop(rgb: Pixels) -> Image.Image:
    crop = Image.fromarray(rgb[TOP : TOP + CROP[1], LEFT : LEFT + CROP[0]])
    return crop.resize((CROP[0] * ZOOM, CROP[1] * ZOOM), Image.Resampling.NEAREST)


def _divide(before: Image.Image, after: Image.Image, share: float, name: str) -> Image.Image:
    """`before` up to the divider at `share` of the width, `after` behind it, with labels."""
    picture, at = after.copy(), round(share * after.width)
    picture.paste(before.crop((0, 0, at, before.height)), (0, 0))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=22)
    draw.line((at, 0, at, picture.height), fill="white", width=2)
    for text, left in (("bicubic", 12), (name, picture.width - 12)):
        anchor = "ls" if left == 12 else "rs"
        place = (left, picture.height - 14)
        draw.text(
            place, text, fill="white", font=font, anchor=anchor, stroke_width=3, stroke_fill="black"
        )
    return picture


if __name__ == "__main__":
    sys.exit(main())
