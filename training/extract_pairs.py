"""Take frames out of video pairs once, to train from pictures.

``python -m training.extract_pairs --pairs CLIPS --scale 3/2 --output FOLDER``. Training reads
clips directly; this is for machines whose disk is faster than their decoder.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow is chatty when it is imported

import numpy as np
from tqdm import tqdm

from edge_sr.cli.common import exit_codes, make_parser
from training.data.extracted import MANIFEST, write_manifest, write_pair
from training.data.photos import DataError
from training.data.source import report
from training.data.video_pairs import ClipPair, find_scenes
from training.data.video_sampler import read_pair

EXAMPLES = """\
example:
  python -m training.extract_pairs --pairs clips/ --scale 3/2 --count 400 --output frames/
  python -m training.train --recipe training/recipes/edge-unet-s-x1.5.toml --pairs frames/
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m training.extract_pairs",
        "Write frames of video pairs as PNG, by scene and time.",
        examples=EXAMPLES,
    )
    parser.add_argument("--pairs", type=Path, nargs="+", required=True, help="folders of clips")
    parser.add_argument("--scale", type=Fraction, required=True, help='as "2" or "3/2"')
    parser.add_argument("--count", type=int, default=200, help="frames in all (default: 200)")
    parser.add_argument("--color", choices=("luma", "rgb"), default="luma")
    parser.add_argument("--output", type=Path, required=True, help="a new folder")
    return parser


def extract(pairs: list[ClipPair], count: int, channels: int, scale: Fraction, to: Path) -> int:
    """Write ``count`` moments spread evenly over the scenes; returns how many there were.

    Raises:
        DataError: a frame cannot be read, or the folder cannot be written.
    """
    moments = [(pair, match) for pair in pairs for match in range(len(pair.matches))]
    chosen = np.linspace(0, len(moments) - 1, min(count, len(moments))).astype(int)
    lines = []
    try:
        to.mkdir(parents=True, exist_ok=True)
        if any(to.iterdir()):
            raise DataError(f"{to}: is not empty; choose another --output")
        for number, index in enumerate(tqdm(chosen, desc="extracting", unit="pair")):
            pair, match = moments[index]
            found = read_pair(pair, match, channels=channels)
            lines.append(write_pair(to, f"{number:06d}", found))
        write_manifest(to, scale, channels, lines)
    except OSError as error:
        raise DataError(f"{to}: cannot be written ({error.strerror})") from error
    return len(lines)


@exit_codes("extraction")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when all frames are written, 1 when they are not."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.count < 1 or args.scale <= 1:
        parser.error("expected --count of at least 1 and --scale above 1")
    pairs, left_out = find_scenes(args.pairs, args.scale)
    report(left_out)
    channels = 1 if args.color == "luma" else 3
    count = extract(pairs, args.count, channels, args.scale, args.output)
    print(f"{args.output / MANIFEST}: {count} pairs of {len(pairs)} scenes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
