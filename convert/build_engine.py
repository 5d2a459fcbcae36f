"""One command from a Keras file, a shipped model or an ONNX file to a TensorRT engine.

``python -m convert.build_engine --model edge-unet-s-x2 --precision fp16 --size 1280x720``
"""

from __future__ import annotations

import importlib
import importlib.util
import signal
import sys
from collections.abc import Sequence

from convert.engine.cache_commands import list_cache, prune
from convert.engine.parser import build_parser
from edge_sr.cli.common import exit_codes
from edge_sr.errors import MissingDependencyError

NEEDED = ("onnx", "onnxruntime", "tqdm")  # of the extra "build"


@exit_codes("build_engine")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the engine is there, 1 when it is not; wrong usage exits with 2."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if not (args.model or args.list_cache or args.prune):
        parser.error("nothing to build: give --model, or --list-cache or --prune")
    if args.size and args.sizes:
        parser.error("--size and --sizes were both given; an engine has one or the other")
    if args.sizes and args.target:
        parser.error("--target needs one --size; with --sizes the result keeps the model's scale")
    if args.prune or args.list_cache:
        print(prune(everything=args.prune == "all") if args.prune else list_cache())
        return 0
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"building an engine needs {', '.join(missing)}: pip install 'edge-sr[build]'"
        )
    try:
        # imported here, so that --help and the cache commands work without the extra
        importlib.import_module("convert.engine.command").build(args)
    except KeyboardInterrupt:
        print("build_engine: interrupted; nothing was kept of the engine", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # cleaning up
    sys.exit(main())
