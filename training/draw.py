"""Draw pictures to train on: ``python -m training.draw --output FOLDER``.

Facades, bricks, floors, print, line art, gratings, interfaces, plots and maps; every one is drawn
four times as fine and reduced. A picture is a function of the seed, its number and the fonts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from edge_sr.cli.common import exit_codes, make_parser
from training.drawings.canvas import finish, softened
from training.drawings.facade import brick_wall, facade, floor
from training.drawings.lettering import FONTS, find_fonts, page, sign
from training.drawings.line_art import grating, ink_drawing, zone_plate
from training.drawings.manifest import MANIFEST
from training.drawings.screens import interface, plot, street_map

SIDE = 512  # pixels of a picture
EXAMPLES = """\
examples:
  python -m training.draw --output drawn/ --count 400
  python -m training.draw --output drawn/ --count 400 --seed 2 --fonts fonts/
"""

Draw = Callable[[np.random.Generator, int], Image.Image]


def kinds(fonts: list[Path]) -> dict[str, tuple[float, Draw]]:
    """Every kind of picture by name, with its part of all."""
    return {
        "facade": (0.26, facade),
        "bricks": (0.07, brick_wall),
        "floor": (0.1, floor),
        "page": (0.17, partial(page, fonts=fonts)),
        "sign": (0.07, partial(sign, fonts=fonts)),
        "ink": (0.14, ink_drawing),
        "grating": (0.03, grating),
        "zone": (0.02, zone_plate),
        "interface": (0.06, partial(interface, fonts=fonts)),
        "plot": (0.04, partial(plot, fonts=fonts)),
        "map": (0.04, partial(street_map, fonts=fonts)),
    }


def draw_picture(
    rng: np.random.Generator, fonts: list[Path], side: int = SIDE
) -> tuple[str, np.ndarray]:
    """(kind, picture): a random one, uint8 (side, side), 0..255; a fifth are a little soft."""
    known = kinds(fonts)
    parts = np.array([part for part, _ in known.values()])
    name = list(known)[int(rng.choice(len(known), p=parts / parts.sum()))]
    canvas = known[name][1](rng, side)
    soft = rng.uniform(0.25, 0.8) if rng.random() < 0.2 else 0.0
    return name, finish(softened(canvas, soft) if soft else canvas)


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m training.draw",
        "Draw pictures of buildings, print, line art and screens to train on, as grey PNGs.",
        examples=EXAMPLES,
    )
    parser.add_argument("--output", type=Path, required=True, help="their folder")
    parser.add_argument("--count", type=int, default=400, help="how many (default 400)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--fonts", type=Path, default=FONTS, help=f"fonts' folder (default {FONTS})"
    )
    return parser


@exit_codes("training")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when all pictures are there."""
    args = build_parser().parse_args(argv)
    fonts = find_fonts(args.fonts)
    args.output.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, str] = {}
    for index in tqdm(range(args.count), unit="picture"):
        name, picture = draw_picture(np.random.default_rng([args.seed, index]), fonts)
        path = args.output / f"drawn-{args.seed}-{index:04d}-{name}.png"
        Image.fromarray(picture).save(path)
        drawn[path.name] = hashlib.sha256(picture.tobytes()).hexdigest()
    record = {"seed": args.seed, "fonts": [path.name for path in fonts], "sha256": drawn}
    (args.output / MANIFEST).write_text(json.dumps(record, indent=1) + "\n")
    print(f"{args.count} pictures, {len(fonts)} fonts: {args.output}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
