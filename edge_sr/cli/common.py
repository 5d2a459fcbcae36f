"""What all commands share: help with examples, errors in one line, and exit codes."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable
from typing import Any, ParamSpec

from edge_sr.errors import EdgeSRError, UsageError

P = ParamSpec("P")


def make_parser(prog: str, description: str, *, examples: str) -> argparse.ArgumentParser:
    """The parser of a program; its help ends with the examples, line by line."""
    return argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_command(
    commands: Any, name: str, description: str, *, summary: str, examples: str
) -> argparse.ArgumentParser:
    """Add a command to a program that has several.

    Args:
        commands: what ``add_subparsers`` returned.
        description: a sentence, on top of its help.
        summary: a few words, in the program's list of commands.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def exit_codes(name: str) -> Callable[[Callable[P, int]], Callable[P, int]]:
    """Make errors exit codes, told in one line on stderr that begins with ``name``.

    What the function returns stays; 1: an EdgeSRError; 2: a UsageError; 130: Ctrl-C.
    """

    def around(work: Callable[P, int]) -> Callable[P, int]:
        @functools.wraps(work)
        def told(*args: P.args, **kwargs: P.kwargs) -> int:
            try:
                return work(*args, **kwargs)
            except EdgeSRError as error:
                print(f"{name}: {error}", file=sys.stderr)
                return 2 if isinstance(error, UsageError) else 1
            except KeyboardInterrupt:
                return 130

        return told

    return around
