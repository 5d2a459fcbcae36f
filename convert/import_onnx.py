"""Any super-resolution ONNX or Keras file -> a model file of edge-sr: uint8 frames, a sidecar.

``python -m convert.import_onnx other.onnx -o imported.onnx``

Layout, channels, range of values, scale and size rule are found by running the network, and
reported in one line. Without ``-o`` the file goes into the cache, and is made only once;
``--json`` prints where it is: ``{"file": ..., "detected": ..., "scale": ..., "color": ...}``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from convert.command import Steps
from convert.onnx.frame_file import frame_file, imported, make_frame_file
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.model.import_options import ImportOptions, add_import_options, import_options
from edge_sr.model.sidecar import Sidecar

EXAMPLES = """\
examples:
  python -m convert.import_onnx other.onnx -o imported.onnx
  python -m convert.import_onnx other.onnx --range -1..1 --layout nchw -o imported-2.onnx
  python -m convert.import_onnx mine.keras --custom-objects layers.py -o mine.onnx
  python -m convert.import_onnx other.onnx --json
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m convert.import_onnx",
        "Give any super-resolution ONNX or Keras file the frame input and output of edge-sr.",
        examples=EXAMPLES,
    )
    parser.add_argument("model", type=Path, help="an .onnx or .keras file from anywhere")
    parser.add_argument(
        "-o", "--output", type=Path, help="the .onnx file to write (default: one in the cache)"
    )
    add_import_options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--force", action="store_true", help="replace an existing output")
    return parser


@exit_codes("import")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the file is there, 1 when it is not; wrong usage exits with 2."""
    args = build_parser().parse_args(argv)
    options: ImportOptions = import_options(args)
    if args.output is not None:
        sidecar = make_frame_file(args.model, args.output, options, force=args.force)
        path = args.output
    else:
        path, sidecar = frame_file(args.model, options, Steps())
    print(_as_json(path, sidecar) if args.json else f"{path}: {imported(sidecar)}")
    if not args.json:
        print(f"next: edge-sr run VIDEO -m {path} -o OUT.mp4", file=sys.stderr)
    return 0


def _as_json(path: Path, sidecar: Sidecar) -> str:
    facts = {"file": str(path), "detected": imported(sidecar), "name": sidecar.name}
    size = [sidecar.width, sidecar.height] if sidecar.width else None
    return json.dumps(facts | {"scale": sidecar.scale, "color": sidecar.color, "size": size})


if __name__ == "__main__":
    sys.exit(main())
