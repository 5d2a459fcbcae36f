"""What all programs share: parsers with examples, levels and hints for typing errors; tables.

`exit_codes` and `show_messages` of `edge_sr.cli.messages` can be imported from here as well.
"""

from __future__ import annotations

import argparse
import re
import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from edge_sr.cli.messages import add_level_options, exit_codes, show_messages
from edge_sr.errors import did_you_mean

__all__ = [
    "Parser",
    "Row",
    "add_command",
    "exit_codes",
    "format_table",
    "make_parser",
    "show_messages",
]

CHOICES = re.compile(r"invalid choice: '(.*?)' \(choose from (.*)\)$", re.DOTALL)
UNKNOWN = "unrecognized arguments: "

GAP = "  "
NARROWEST = 24  # characters that the last column has at least


class Parser(argparse.ArgumentParser):
    """A parser that suggests the nearest option, command or choice for one that does not exist."""

    def __init__(
        self, *args: Any, strict: bool = False, hands_over: bool = False, **options: Any
    ) -> None:
        """As argparse's.

        Args:
            strict: of a command of a program: it refuses what it does not know by itself, with its
                own usage and its own options as suggestions.
            hands_over: nothing is parsed here; every word becomes ``words`` of the result.
        """
        super().__init__(*args, **options)
        self._strict, self._hands_over = strict, hands_over

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's, but see `strict` and `hands_over`."""
        if self._hands_over:
            found, _ = super().parse_known_args([], namespace)
            found.words = list(args)
            return found, []
        found, left = super().parse_known_args(args, namespace)
        if left and self._strict:
            self.error(f"{UNKNOWN}{' '.join(left)}")
        return found, left

    def error(self, message: str) -> NoReturn:
        """Print usage and the message, with a suggestion; exit with 2."""
        match = CHOICES.search(message)
        if match:
            message += did_you_mean(match[1], re.findall(r"[^\s,']+", match[2]))
        elif message.startswith(UNKNOWN):
            known = [text for action in self._actions for text in action.option_strings]
            for word in message.removeprefix(UNKNOWN).split():
                if word.startswith("--"):
                    message += did_you_mean(word.partition("=")[0], known)
        super().error(message)


def make_parser(
    prog: str, description: str, *, examples: str, verbose: str = "--verbose"
) -> argparse.ArgumentParser:
    """The parser of a program; its help ends with the examples, line by line.

    Args:
        verbose: the long name of ``-v``; another where ``--verbose`` means something else.
    """
    parser = Parser(
        prog=prog,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_level_options(parser, verbose)
    return parser


def add_command(
    commands: Any,
    name: str,
    description: str,
    *,
    summary: str,
    examples: str,
    argument_default: str | None = None,
) -> argparse.ArgumentParser:
    """Add a command to a program that has several.

    Args:
        commands: what ``add_subparsers`` returned.
        description: a sentence, on top of its help.
        summary: a few words, in the program's list of commands.
        argument_default: argparse.SUPPRESS leaves out of the result what is not given.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argument_default,
        strict=True,
    )
    add_level_options(parser)
    return parser


@dataclass(frozen=True)
class Row:
    """Cells, from left to right, and a line below them that is never wrapped: a command to copy."""

    cells: tuple[str, ...]
    command: str = ""


def format_table(
    rows: Sequence[Row | str],
    *,
    head: Sequence[str] = (),
    right: Sequence[int] = (),
    width: int | None = None,
) -> str:
    """Aligned columns; the last one is wrapped to the width.

    Args:
        rows: a text instead of a row is a heading, with an empty line above it.
        head: names of the columns.
        right: numbers of the columns that are aligned to the right.
        width: characters a line; None for the terminal's width, 80 in a pipe.
    """
    width = width or shutil.get_terminal_size((80, 24)).columns
    cells = [row.cells for row in rows if isinstance(row, Row)]
    lines = [*([tuple(head)] if head else []), *cells]
    inner = max(map(len, lines), default=1) - 1
    widths = [max(len(line[at]) for line in lines if at < len(line) - 1) for at in range(inner)]
    indent = "  " if any(isinstance(row, str) for row in rows) else ""
    out = _line(head, widths, right, indent, width) if head else []
    for row in rows:
        if isinstance(row, str):
            out += ["", row] if out else [row]
            continue
        out += _line(row.cells, widths, right, indent, width)
        if row.command:
            out.append(f"{indent}    $ {row.command}")
    return "\n".join(out)


def _line(
    cells: Sequence[str], widths: Sequence[int], right: Sequence[int], indent: str, width: int
) -> list[str]:
    """The lines of one row; only its last cell is wrapped."""
    padded = [
        cell.rjust(size) if at in right else cell.ljust(size)
        for at, (cell, size) in enumerate(zip(cells[:-1], widths, strict=False))
    ]
    begin = indent + GAP.join([*padded, ""])
    wrapped = textwrap.wrap(
        cells[-1],
        max(width - len(begin), NARROWEST),
        break_long_words=False,
        break_on_hyphens=False,
    )
    first, *others = wrapped or [""]
    return [(begin + first).rstrip(), *(" " * len(begin) + other for other in others)]
