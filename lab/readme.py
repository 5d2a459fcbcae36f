"""The measured tables of a page, written between two marks so that nobody types a figure.

``python -m lab.readme rows.jsonl --write docs/benchmarks.md`` replaces the text between
``<!-- bench -->`` and ``<!-- /bench -->`` and writes the plots beside the file. Another section,
which has no plots, is named with ``--section``.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.report.columns import Column, make_columns
from bench.report.plot import scatter
from bench.report.sentences import busy
from bench.report.summary import SORTS, Entry, Group, make_groups, set_names
from bench.rows import read_files
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.errors import MediaError
from lab.tables.section import replace_section

NAME = "bench"
PAGE = Path("docs/benchmarks.md")
SIZE = (7.6, 4.6)  # of the plot, inches
TITLES = {  # of a column of the report -> in the page; sets' PSNR-Y follow
    "model": "model",
    "precision": "precision",
    "parameters": "parameters",
    "p50 ms": "ms a frame",
    "GPU ms": "GPU ms",
    "30 frames s": "30 frames, s",
}
EXAMPLES = """\
example:
  python -m lab.readme runs/bench.jsonl --write docs/benchmarks.md
  python -m lab.readme runs/2020.jsonl --section baselines --sort frames30
"""


def write_readme(path: Path, groups: Sequence[Group], section: str = NAME) -> list[Path]:
    """Replace the tables of ``path``; returns the files written, it among them.

    Args:
        section: the name between the marks; only `NAME` has plots.

    Raises:
        UsageError: it does not have the two marks.
        MediaError: it cannot be read or written.
        MissingDependencyError: matplotlib is not installed.
    """
    plotted = enumerate(groups if section == NAME else [], start=1)
    plots = {index: scatter(group, size=SIZE) for index, group in plotted}
    links = {index: plot_file(index) for index, plot in plots.items() if plot}
    replace_section(path, section, render(groups, links))
    written = []
    try:
        for index, link in links.items():
            plot = plots[index]
            if plot is not None:
                plot.savefig(path.parent / link, metadata={"Date": None})
                written.append(path.parent / link)
    except OSError as error:
        raise MediaError(f"{path.parent}: cannot be written ({error})") from error
    return [*written, path]


def plot_file(index: int) -> str:
    """Name of the plot of a group, counted from 1."""
    return "bench.svg" if index == 1 else f"bench-{index}.svg"


def render(groups: Sequence[Group], links: dict[int, str]) -> str:
    """What stands between the marks; ``links`` are plots by number of the group."""
    parts = []
    for index, group in enumerate(groups, start=1):
        parts += [f"**{group.title}**", "", *_table(group), ""]
        if index in links:
            parts += [f"![time against PSNR-Y, {group.title}]({links[index]})", ""]
    parts += [_note(groups), ""]
    return "\n".join(parts)


def _table(group: Group) -> list[str]:
    by_title = {column.title: column for column in make_columns(group)}
    sets = set_names(e.row for e in group.entries)
    chosen = [(title, by_title[own]) for own, title in TITLES.items() if own in by_title]
    chosen += [(f"{name} PSNR-Y", by_title[f"{name} PSNR-Y"]) for name in sets]
    lines = ["| " + " | ".join(title for title, _ in chosen) + " |"]
    lines.append("|" + "|".join("---" if n == 0 else "---:" for n in range(len(chosen))) + "|")
    for entry in group.entries:
        cells = [_cell(entry, title, column) for title, column in chosen]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _cell(entry: Entry, title: str, column: Column) -> str:
    text = column.text(entry)
    if title != "model":
        return text
    text = re.sub(r"([|<>\\*_`\[\]])", r"\\\1", text)
    return {"model": f"**{text}**", "rival": f"{text}, a rival"}.get(entry.row.kind, text)


def _note(groups: Sequence[Group]) -> str:
    entries = [entry for group in groups for entry in group.entries]
    rows = [entry.row for entry in entries]
    times = [row.latency for row in rows if row.latency]
    days = sorted({item.state_before.utc[:10] for item in times})
    where = "; ".join(dict.fromkeys(group.device_name for group in groups))
    ran_on = ", ".join(dict.fromkeys(item.ran_on for item in times))
    protocols = dict.fromkeys(score.protocol for row in rows for score in row.quality.values())
    when = " and ".join(dict.fromkeys([*days[:1], *days[-1:]]))
    sentences = [
        f"Measured {f'on {when} ' if when else ''}on {where}{f' ({ran_on})' if ran_on else ''} by "
        "`python -m bench run`, models in turns.",
        *(f"PSNR-Y in dB: {protocol}." for protocol in protocols),
        busy(entries) or "",
    ]
    return " ".join(filter(None, sentences))


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.readme",
        "Write the measured tables and plots of bench rows into a page.",
        examples=EXAMPLES,
    )
    parser.add_argument("rows", nargs="+", type=Path, help="files of python -m bench run; merged")
    parser.add_argument("--write", type=Path, default=PAGE, metavar="FILE.md")
    parser.add_argument("--section", default=NAME, help=f"name of the marks (default: {NAME})")
    parser.add_argument("--sort", choices=SORTS, default="p50", help="the table by (default: p50)")
    return parser


@exit_codes("readme")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the tables and plots were written."""
    args = build_parser().parse_args(argv)
    groups = make_groups(read_files(args.rows), picture_set=None, sort=args.sort)
    for path in write_readme(args.write, groups, args.section):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
