"""Make a pool of moving, coded scenes: ``python -m training.make_pool --data FOLDER --output P``.

`training.train --pool` trains on it. With ``--clips`` it makes pairs of 720p and 1080p clips in
colour instead, for ``--pairs``. Runs again where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from tqdm import tqdm

from edge_sr.cli.common import exit_codes, make_parser
from training.data.photos import DataError, find_images
from training.held_out import DEFAULT, divide, read_names
from training.scenes.clip_pairs import write_clips
from training.scenes.pool import read_album, write_shard

EXAMPLES = """\
examples:
  python -m training.make_pool --data photos/ --output pool/ --shards 60 --seed 1
  python -m training.make_pool --data photos/ --output pool-held/ --shards 2 --seed 2 --held
  python -m training.make_pool --data photos/ --output clips/ --clips 48 --scale 3/2
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m training.make_pool",
        "Make pairs of coded frames and their truths from photographs that a camera moves over.",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="folders of photographs"
    )
    parser.add_argument("--output", type=Path, required=True, help="the pool's folder")
    parser.add_argument("--shards", type=int, default=60, help="of 96 moments each (default 60)")
    parser.add_argument("--first", type=int, default=0, help="number of the first shard")
    parser.add_argument("--scale", type=Fraction, default=Fraction(2), help="2 (default) or 3/2")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--clips",
        type=int,
        metavar="N",
        help="instead, N pairs of clips in colour: NAME_720p.mp4 and NAME_1080p.mp4 at scale 3/2",
    )
    parser.add_argument(
        "--held",
        action="store_true",
        help="only pictures of the list of held-out ones; without it, all others",
    )
    parser.add_argument("--list", type=Path, default=DEFAULT, help="names of held-out pictures")
    return parser


@exit_codes("training")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when all shards are there."""
    args = build_parser().parse_args(argv)
    inside, outside = divide(find_images(args.data), read_names(args.list))
    paths = outside if args.held else inside
    if not paths:
        raise DataError(f"no picture is {'held out' if args.held else 'left'} in {args.data[0]}")
    args.output.mkdir(parents=True, exist_ok=True)
    if args.clips is not None:
        write_clips(args.output, args.clips, paths=paths, seed=args.seed, scale=args.scale)
        print(f"{args.clips} pairs of clips in {args.output}", file=sys.stderr)
        return 0
    album = read_album(paths)
    for number in tqdm(range(args.first, args.first + args.shards), unit="shard"):
        write_shard(args.output, number, seed=args.seed, album=album, scale=args.scale)
    print(f"{args.shards} shards of {len(paths)} pictures in {args.output}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
