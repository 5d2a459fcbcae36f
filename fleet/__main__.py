"""``python -m fleet``: plan which board runs which camera."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from edge_sr.cli.common import exit_codes, make_parser
from fleet.plan import command

EXAMPLES = """\
example:
  python -m fleet plan fleet.toml --output plan/
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m fleet",
        "Plan many cameras on several boards, for systemd, containers, Prometheus and Grafana.",
        examples=EXAMPLES,
    )
    command.add_parser(parser.add_subparsers(metavar="command", required=True))
    return parser


@exit_codes("fleet")
def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. 0: it worked; 1: something failed; 2: wrong usage; 130: interrupted."""
    args = build_parser().parse_args(argv)
    return int(args.command(args))


if __name__ == "__main__":
    sys.exit(main())
