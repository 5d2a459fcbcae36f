"""Attacks on `edge-sr run` that take minutes: damaged inputs, signals, limits, many frames.

``python tests/tools/soak.py mutate|signals|limits|frames`` prints figures and exits with 1 if any
attack succeeded. ``make soak`` runs all four. Seeded: the same attack can be run again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from soak_frames import attack_with_frames
from soak_inputs import attack_inputs
from soak_limits import attack_limits
from soak_signals import attack_with_signals


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when every attack was withstood."""
    parser = argparse.ArgumentParser(description="Attack edge-sr run and print what happened.")
    parser.add_argument("attack", choices=("mutate", "signals", "limits", "frames"))
    parser.add_argument("--count", type=int, help="inputs (1000), signals (50) or frames (5000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args(argv)
    if args.attack == "mutate":
        return attack_inputs(args.count or 1000, args.seed, args.workers)
    if args.attack == "signals":
        return attack_with_signals(args.count or 50, args.seed)
    if args.attack == "limits":
        return attack_limits()
    return attack_with_frames(args.count or 5000)


if __name__ == "__main__":
    sys.exit(main())
