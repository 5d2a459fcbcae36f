"""`python -m bench report`: from rows to a folder with Markdown, HTML and plots."""

from __future__ import annotations

import argparse
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from bench.commands.run import ROWS
from bench.records import CropFile, Row
from bench.report.changes import find_changes
from bench.report.page import Baseline, Crop, plot_name, plots, render_html, render_markdown
from bench.report.summary import SORTS, Group, make_groups, set_names
from bench.rows import read_files, read_rows
from edge_sr.cli.common import add_command
from edge_sr.errors import MediaError, UsageError
from edge_sr.files import whole_folder

logger = logging.getLogger(__name__)
FOLDER = Path("runs/bench-report")
EXAMPLES = """\
examples:
  python -m bench report
  python -m bench report rows.jsonl --output report/
  python -m bench report laptop.jsonl jetson.jsonl --sort psnr --output report/
  python -m bench report rows.jsonl --baseline old.jsonl --output report/
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The options of `report`."""
    command = add_command(
        commands,
        "report",
        "Make report.md, report.html (self-contained), SVG and PNG plots of rows.",
        summary="make Markdown, HTML and plots of rows",
        examples=EXAMPLES,
    )
    command.add_argument(
        "rows", nargs="*", type=Path, default=[ROWS], help=f"of bench run ({ROWS}); merged"
    )
    command.add_argument("--output", type=Path, default=FOLDER, metavar="DIR", help=f"({FOLDER})")
    command.add_argument("--sort", choices=SORTS, default="p50", help="the table by (default: p50)")
    command.add_argument("--set", metavar="NAME", help="picture set whose PSNR is plotted")
    command.add_argument(
        "--baseline", type=Path, metavar="FILE", help="earlier rows: list what changed beyond noise"
    )
    command.add_argument("--force", action="store_true", help="replace an existing report")
    command.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Returns 0 when the report was written, 1 when pictures it wanted were missing.

    Raises:
        EdgeSRError: rows cannot be read, or the report cannot be written.
    """
    rows = read_files(args.rows)
    if args.set is not None and args.set not in set_names(rows):
        known = ", ".join(set_names(rows)) or "none"
        raise UsageError(f"--set is {args.set!r}; the rows have {known}")
    baseline = None
    if args.baseline is not None:
        changes, notes = find_changes(rows, read_rows(args.baseline))
        baseline = Baseline(changes=changes, notes=notes)
        for change in changes:
            logger.info("%s: %s", change.label, change.text)
    groups = make_groups(rows, picture_set=args.set, sort=args.sort)
    crops, missing = _crops(groups, [path.parent for path in args.rows])
    if missing:
        logger.warning("%d patch pictures are not beside their rows", missing)
    write_report(args.output, groups, crops, baseline, force=args.force)
    print(args.output / "report.html")
    print(args.output / "report.md")
    return 1 if missing else 0


def write_report(
    folder: Path,
    groups: Sequence[Group],
    crops: dict[int, list[Crop]],
    baseline: Baseline | None,
    *,
    force: bool,
) -> None:
    """Write the folder, whole or not at all; an existing one is replaced only with ``force``.

    Raises:
        UsageError: it exists.
        MediaError: it cannot be written, or is not a report's folder.
        MissingDependencyError: jinja2 or matplotlib is not installed.
    """
    if folder.exists() and not force:
        raise UsageError(f"{folder}: exists; give --force to replace it, or another --output")
    if folder.exists() and not (folder / "report.md").exists() and any(folder.iterdir()):
        raise MediaError(f"{folder}: is not a report's folder; choose another --output")
    html = render_html(groups, crops, baseline)
    markdown = render_markdown(groups, crops, baseline)
    with whole_folder(folder, error=MediaError) as part:
        (part / "crops").mkdir()
        (part / "report.html").write_text(html, encoding="utf-8")
        (part / "report.md").write_text(markdown, encoding="utf-8")
        for index, group in enumerate(groups, start=1):
            for name, figure in plots(group).items():
                for kind in ("svg", "png"):
                    path = part / f"{plot_name(name, index)}.{kind}"
                    figure.savefig(path, dpi=160, metadata={"Date": None} if kind == "svg" else {})
            for crop in crops.get(index - 1, []):
                shutil.copyfile(crop.path, part / "crops" / crop.path.name)


def _crops(groups: Sequence[Group], folders: Sequence[Path]) -> tuple[dict[int, list[Crop]], int]:
    """(strips by index of the group, how many are missing), of the first size they appear at."""
    found: dict[int, list[Crop]] = {}
    missing = 0
    seen: set[Path] = set()
    for index, group in enumerate(groups):
        for entry in group.entries:
            for crop in _files(entry.row, group.picture_set):
                path = next((f / crop.file for f in folders if (f / crop.file).is_file()), None)
                if path is None:
                    missing += 1
                elif path not in seen:
                    seen.add(path)
                    caption = (
                        f"{entry.label}, {crop.kind}: {crop.picture} at {crop.left}, {crop.top}; "
                        f"{crop.gain_db:+.2f} dB over bicubic"
                    )
                    found.setdefault(index, []).append(Crop(path=path, caption=caption))
    return found, missing


def _files(row: Row, picture_set: str | None) -> tuple[CropFile, ...]:
    if row.kind == "floor" and row.architecture == "bicubic":
        return ()  # the strip shows bicubic already
    score = row.quality.get(picture_set or "")
    return score.crops if score else ()
