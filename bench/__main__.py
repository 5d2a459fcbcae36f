"""``python -m bench``: time, quality and size of super-resolution models on this machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bench.commands import demo as command_demo
from bench.commands import device_check as command_device_check
from bench.commands import report as command_report
from bench.commands import roofline as command_roofline
from bench.commands import run as command_run
from edge_sr.cli.common import exit_codes, make_parser

EXAMPLES = """\
examples:
  python -m bench run --models edge-unet-s-x2 --output rows.jsonl
  python -m bench report rows.jsonl --output report/
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m bench",
        "Measure parameters, latency and quality of super-resolution models on this machine.",
        examples=EXAMPLES,
    )
    commands = parser.add_subparsers(metavar="command", required=True)
    command_run.add_parser(commands)
    command_report.add_parser(commands)
    command_roofline.add_parser(commands)
    command_device_check.add_parser(commands)
    command_demo.add_parser(commands)
    return parser


@exit_codes("bench")
def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. 0: it worked; 1: something failed; 2: wrong usage; 130: interrupted."""
    args = build_parser().parse_args(argv)
    return int(args.command(args))


if __name__ == "__main__":
    sys.exit(main())
