"""The untrained networks of recipes, to time them before hours are spent.

``python -m training.build --recipe FILE... --output FOLDER``
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from edge_sr.cli.common import exit_codes, make_parser

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from training.loop.checkpoint import CheckpointError, save_model
from training.loop.start import build_model
from training.recipe import load_recipe

EXAMPLES = """\
example:
  python -m training.build --recipe mine.toml --output runs/untrained/
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m training.build",
        "Write the untrained networks of recipes as .keras files.",
        examples=EXAMPLES,
    )
    parser.add_argument("--recipe", type=Path, nargs="+", required=True, help="TOML files")
    parser.add_argument("--output", type=Path, required=True, help="a folder")
    return parser


@exit_codes("build")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when all were written, 1 when a recipe cannot be used."""
    args = build_parser().parse_args(argv)
    try:
        args.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"{args.output}: cannot be written ({error.strerror})") from error
    for path in args.recipe:
        recipe = load_recipe(path)
        save_model(args.output / f"{recipe.name}.keras", build_model(recipe))
        print(args.output / f"{recipe.name}.keras")
    return 0


if __name__ == "__main__":
    sys.exit(main())
