"""docs/commands.md: what every command prints for ``--help``, written so that nobody copies it."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_sr.cli.common import exit_codes, make_parser

PAGE = Path("docs/commands.md")
# every program that is installed: the modules that make its parser
PROGRAMS = (
    "edge_sr.cli.main",
    "convert.export_onnx",
    "convert.precision",
    "convert.verify",
    "convert.build_engine",
    "calibration.collect",
    "calibration.ranges",
    "calibration.sensitivity",
    "training.train",
    "training.evaluate",
    "training.qat",
    "bench.__main__",
    "fleet.__main__",
    "fleet.export_triton",
    "fleet.library",
)
HEAD = """# Commands

What each command prints for `--help`, on Python 3.10 to 3.12. This page is written by
`python -m lab.pages.help_page`, and a test compares it with the commands.
"""
EXAMPLES = """\
example:
  python -m lab.pages.help_page --output commands.md
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.pages.help_page",
        "Write the help of every installed command into a page.",
        examples=EXAMPLES,
    )
    parser.add_argument("--output", type=Path, default=PAGE, help=f"file (default: {PAGE})")
    return parser


@exit_codes("help_page")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the page was written."""
    args = build_parser().parse_args(argv)
    args.output.write_text(render())
    print(args.output)
    return 0


def render() -> str:
    """The whole page; 80 columns wide whatever the terminal is."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "80"
    try:
        sections = [
            f"## {parser.prog}\n\n```text\n{parser.format_help().rstrip()}\n```\n"
            for name in PROGRAMS
            for parser in parsers(importlib.import_module(name).build_parser())
        ]
        return "\n".join([HEAD, *sections])
    finally:
        del os.environ["COLUMNS"]
        if before is not None:
            os.environ["COLUMNS"] = before


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A program's parser and those of its commands, and of theirs."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in dict.fromkeys(action.choices.values()):
                yield from parsers(command)


if __name__ == "__main__":
    sys.exit(main())
