"""The two tables of docs/models-of-your-own.md: forms of ONNX files, Keras architectures.

``python -m lab.forms.table keras --write docs/models-of-your-own.md``
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from convert.keras.export import export_here
from convert.onnx.wrap import wrap_onnx
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.model.sidecar import Sidecar
from lab.forms import keras_rows, onnx_rows
from lab.forms.keras_rows import LAYERS, KerasRow
from lab.forms.onnx_rows import OnnxRow
from lab.forms.steps import Outcome, calibration_frames, try_row
from lab.tables.section import show_or_replace

logger = logging.getLogger("lab.forms.table")
EXAMPLES = """\
examples:
  python -m lab.forms.table keras
  python -m lab.forms.table onnx --only "fp16" --write docs/models-of-your-own.md
"""
HEAD = "| {} | imported | fp16 | int8 layers | TensorRT-RTX | CPU | detected |"
Make = Callable[[Path], Sidecar]


def keras_models(folder: Path) -> Iterator[tuple[str, Callable[[], Make], str]]:
    """(name, what saves the model and gives the function that exports it, refusal)."""
    for row in keras_rows.rows():

        def prepare(row: KerasRow = row) -> Make:
            source = row.save(folder)
            return lambda output: export_here(
                source,
                output,
                size=row.size,
                input_range=row.input_range,
                output_range=row.output_range,
                custom_objects=LAYERS if row.custom_objects else None,
                trust=row.trust,
            )

        yield row.name, prepare, row.refused


def onnx_models(folder: Path) -> Iterator[tuple[str, Callable[[], Make], str]]:
    """The same of ONNX files."""
    for row in onnx_rows.rows():

        def prepare(row: OnnxRow = row) -> Make:
            source = row.save(folder)
            return lambda output: wrap_onnx(source, output, row.options)[0]

        yield row.name, prepare, row.refused


def render(kind: str, found: Sequence[Outcome]) -> str:
    """The table with its totals."""
    built = sum(item.counts for item in found)
    refused = sum(item.exported == "refused" for item in found)
    named = f", {refused} refused by name" if refused else ""
    note = f"{built} of {len(found)} are imported and built with TensorRT-RTX{named}."
    head = [HEAD.format(kind), "|---" * 7 + "|"]
    return "\n".join([*head, *(item.line() for item in found), "", note])


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.forms.table",
        "Take rebuilt models with random weights through import, fp16, int8 and an engine.",
        examples=EXAMPLES,
    )
    parser.add_argument("kind", choices=("keras", "onnx"))
    parser.add_argument("--only", metavar="TEXT", help="rows whose name holds this")
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="into its marks, not stdout")
    return parser


@exit_codes("forms")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when every row is imported and built, or refused as it should be; else 1."""
    args = build_parser().parse_args(argv)
    found = []
    with tempfile.TemporaryDirectory(prefix="edge-sr-forms-") as name:
        home = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(home / "cache")
        frames = calibration_frames(home / "frames")
        models = keras_models(home) if args.kind == "keras" else onnx_models(home)
        for row, prepare, refused in models:
            if args.only and args.only not in row:
                continue
            work = home / "work"
            work.mkdir()
            found.append(try_row(row, prepare(), work, frames, refused=refused))
            shutil.rmtree(work)
            print(found[-1].line(), file=sys.stderr, flush=True)
            for problem in found[-1].problems:
                logger.error("%s", problem)
    kind = "Keras architecture" if args.kind == "keras" else "ONNX form"
    show_or_replace(render(kind, found), args.write, f"{args.kind}-forms")
    return 0 if all(item.counts or item.exported == "refused" for item in found) else 1


if __name__ == "__main__":
    sys.exit(main())
