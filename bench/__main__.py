"""``python -m bench``: which model takes how long, how good it is, on what."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from edge_sr.errors import EdgeSRError, UsageError

from . import command_device_check, command_report, command_roofline, command_run


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Parameters, latency and quality of super-resolution models on this machine.",
    )
    commands = parser.add_subparsers(metavar="command", required=True)
    command_run.add_parser(commands)
    command_report.add_parser(commands)
    command_roofline.add_parser(commands)
    command_device_check.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. 0: it worked; 1: something failed; 2: wrong usage; 130: interrupted."""
    args = build_parser().parse_args(argv)
    try:
        return int(args.command(args))
    except UsageError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except EdgeSRError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
