"""Attacks on `edge-sr run` that take minutes: damaged inputs, signals, limits, many frames.

``python -m lab.soak mutate|signals|limits|frames`` prints figures and exits with 1 if any
attack succeeded. ``make soak`` runs all four. Seeded: the same attack can be run again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from edge_sr.cli.common import make_parser
from lab.soak.frames import attack_with_frames
from lab.soak.inputs import attack_inputs
from lab.soak.limits import attack_limits
from lab.soak.signals import attack_with_signals

EXAMPLES = """\
example:
  python -m lab.soak mutate --count 100
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.soak", "Attack edge-sr run and print what happened.", examples=EXAMPLES
    )
    parser.add_argument("attack", choices=("mutate", "signals", "limits", "frames"))
    parser.add_argument("--count", type=int, help="inputs (1000), signals (50) or frames (5000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when no attack succeeded."""
    args = build_parser().parse_args(argv)
    if args.attack == "mutate":
        return attack_inputs(args.count or 1000, args.seed, args.workers)
    if args.attack == "signals":
        return attack_with_signals(args.count or 50, args.seed)
    if args.attack == "limits":
        return attack_limits()
    return attack_with_frames(args.count or 5000)


if __name__ == "__main__":
    sys.exit(main())
