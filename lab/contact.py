"""A sheet to look at: crops of pictures and coded clips beside bicubic and the original.

``python -m lab.contact --images FILE... --clips FILE... --output sheet.jpg``; failures come last.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bench.quality.clip import at_rates, read_clip, shrink_clip
from bench.quality.images import read_picture
from bench.quality.imresize import imresize
from bench.report.demo_picture import Pixels, busiest
from edge_sr import Upscaler, zoo
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.errors import MediaError, UsageError
from edge_sr.files import whole_file
from edge_sr.media.color import yuv_to_rgb
from edge_sr.quality import exact_luma_bt601, psnr

SIDE = 160  # pixels of a crop, shown one to one
LABEL = 20  # pixels of the line above it
QUALITY = 30  # of the JPEG that a network was not trained for
FRAMES = 12  # of a clip that are coded; the last one is shown
TEXT = (
    "It was the best of times, it was the worst",
    "of times, it was the age of wisdom, it was",
    "the age of foolishness: 0123456789 %&@",
)
EXAMPLES = """\
example:
  python -m lab.contact --models edge-unet-s-x2 --images photos/*.jpg --output sheet.jpg
  python -m lab.contact --models edge-unet-s-x2 edge-unet-s-live-x2 --images photos/*.jpg \
    --clips clips/*.mp4 --crf 24 30 --output sheet.jpg
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One picture and what the network gets of it: uint8 (H, W, 3) and its downscale."""

    name: str
    high: Pixels
    low: Pixels


def photo(path: Path, scale: Fraction) -> Case:
    """Raises MediaError where the file is no picture, or smaller than a crop."""
    pixels = read_picture(path)
    color = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    return _case(path.stem.rpartition("__")[2], color, scale)


def small_text(scale: Fraction) -> Case:
    """Black on white, so small that the downscale can hardly be read."""
    page = Image.new("RGB", (640, 400), "white")
    font = ImageFont.load_default(size=13)
    for line in range(24):
        ImageDraw.Draw(page).text(
            (8, 4 + 16 * line), "  ".join(2 * [TEXT[line % 3]]), fill="black", font=font
        )
    return _case("small text", np.asarray(page), scale)


def filmed(path: Path, crf: int, scale: Fraction) -> Case:
    """A frame of a clip that was shrunk and coded by x264 at this rate factor.

    Raises:
        MediaError: the file cannot be read or coded, or is smaller than two crops.
    """
    (clip,) = at_rates(read_clip(path, None, FRAMES), [crf])
    small = shrink_clip(clip, scale)
    high, low = (yuv_to_rgb(frames[-1]) for frames in (small.high, small.low or ()))
    name = f"{path.stem.partition('_')[0]}, CRF {crf}"
    if min(high.shape[:2]) < 2 * SIDE:
        raise MediaError(f"{path}: its frames are smaller than {2 * SIDE} pixels a side")
    return Case(name=name, high=high, low=low)


def compressed(case: Case) -> Case:
    """The same with an input that went through JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(case.low).save(buffer, "JPEG", quality=QUALITY)
    with Image.open(buffer) as decoded:
        low = np.asarray(decoded.convert("RGB"))
    return Case(name=f"input as JPEG {QUALITY}", high=case.high, low=low)


def _case(name: str, pixels: Pixels, scale: Fraction) -> Case:
    rows, columns = (side - side % (2 * scale.numerator) for side in pixels.shape[:2])
    if min(rows, columns) < 2 * SIDE:
        raise MediaError(f"{name}: is {columns}x{rows}; expected {2 * SIDE} pixels a side or more")
    high = np.ascontiguousarray(pixels[:rows, :columns])
    return Case(name=name, high=high, low=imresize(high, int(columns / scale), int(rows / scale)))


def strip(upscalers: Sequence[Upscaler], case: Case) -> Image.Image:
    """Bicubic, every network and the original at the busiest place, with PSNR-Y (dB); RGB."""
    height, width = case.high.shape[:2]
    luma = exact_luma_bt601(case.high)
    top, left = busiest(luma.astype(np.uint8), SIDE, SIDE)
    results = [("bicubic", imresize(case.low, width, height))]
    results += [(_short(item.sidecar.name), item.upscale(case.low)) for item in upscalers]
    results.append((case.name, case.high))
    tile = Image.new("RGB", (len(results) * (SIDE + 4), SIDE + LABEL + 4), "black")
    font = ImageFont.load_default(size=12)
    for place, (label, pixels) in enumerate(results):
        crop = np.ascontiguousarray(pixels[top : top + SIDE, left : left + SIDE])
        text = label
        if place < len(results) - 1:
            truth = luma[top : top + SIDE, left : left + SIDE]
            text += f" {psnr(exact_luma_bt601(crop), truth, border=0):.1f} dB"
        tile.paste(Image.fromarray(crop), (place * (SIDE + 4) + 2, LABEL))
        ImageDraw.Draw(tile).text((place * (SIDE + 4) + 4, 3), text[:25], fill="white", font=font)
    return tile


def _short(name: str) -> str:
    """``edge-unet-s-live-x2`` as "s-live": what fits above a crop."""
    return name.removeprefix("edge-unet-").rpartition("-x")[0] or name


def sheet(tiles: Sequence[Image.Image], across: int = 2) -> Image.Image:
    """RGB tiles of one size, row by row."""
    width, height = tiles[0].size
    whole = Image.new("RGB", (across * width, -(-len(tiles) // across) * height))
    for index, tile in enumerate(tiles):
        whole.paste(tile, (index % across * width, index // across * height))
    return whole


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.contact",
        "Show a network's crops beside bicubic's and the originals, failures too.",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "--models",
        nargs="+",
        default=["edge-unet-s-x2"],
        metavar="MODEL",
        help="shipped models or .onnx files of one scale (default: edge-unet-s-x2)",
    )
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument("--clips", type=Path, nargs="+", default=[], metavar="FILE")
    parser.add_argument(
        "--crf", type=int, nargs="+", default=[26], help="x264's, for each clip (default: 26)"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.jpg")
    return parser


@exit_codes("bench")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the sheet was written, 1 when it was not."""
    args = build_parser().parse_args(argv)
    scale = zoo.find(args.models[0])[1].ratio
    photos = [photo(path, scale) for path in args.images]
    with contextlib.ExitStack() as stack:
        upscalers = [stack.enter_context(Upscaler.open(name)) for name in args.models]
        for upscaler in upscalers:
            if upscaler.sidecar.ratio != scale:
                raise UsageError(f"{upscaler.sidecar.name}: has another scale than the first model")
        clips = [filmed(path, crf, scale) for path in args.clips for crf in args.crf]
        cases = [*clips, *photos, compressed(photos[0]), small_text(scale)]
        tiles = [strip(upscalers, case) for case in cases]
    with whole_file(args.output, error=MediaError) as part:
        sheet(tiles, across=2 if len(upscalers) == 1 else 1).save(
            part, "JPEG", quality=88, subsampling=0
        )
    print(args.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
