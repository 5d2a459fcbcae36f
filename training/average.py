"""The mean of the weights of networks that one run, or runs from one start, went through.

``python -m training.average A.keras B.keras --output MEAN.keras``. Networks that stayed near each
other have a mean that is often better than each (Wortsman et al. 2022, "Model soups",
arXiv 2203.05482); of networks that went apart the mean is worthless: evaluate it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.errors import ModelFileError
from edge_sr.files import parse_json
from edge_sr.model.sidecar import sha256_of
from training.loop.checkpoint import save_model, save_record
from training.models.open import open_model

EXAMPLES = """\
example:
  python -m training.average runs/third/best.keras runs/fourth/best.keras --output mean.keras
"""


def average(models: Sequence[keras.Model]) -> keras.Model:
    """The first model with the mean of the weights of all.

    Raises:
        ModelFileError: they are not of one architecture.
    """
    names = [[(w.path, tuple(w.shape)) for w in model.weights] for model in models]
    for index, found in enumerate(names):
        if found != names[0]:
            raise ModelFileError(
                f"network {index + 1} has other weights than the first; expected networks of one "
                "architecture with the same options"
            )
    weights = zip(*(model.get_weights() for model in models), strict=True)
    models[0].set_weights([np.mean(parts, axis=0, dtype=np.float64) for parts in weights])
    return models[0]


def record_of(paths: Sequence[Path]) -> dict[str, Any]:
    """The recipe of the first network, and the digests and training records of all.

    Raises:
        ModelFileError: a record beside a network is damaged.
    """
    parts = []
    for path in paths:
        beside = path.with_name(path.name + ".json")
        try:
            found = parse_json(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
            parts.append({"sha256": sha256_of(path)} | found)
        except (ValueError, TypeError) as error:
            raise ModelFileError(f"{beside}: not a training record ({error})") from error
    shared = {key: parts[0][key] for key in ("recipe", "recipe_sha256") if key in parts[0]}
    return shared | {"mean_of": parts}


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m training.average",
        "Write the mean of the weights of networks of one architecture.",
        examples=EXAMPLES,
    )
    parser.add_argument("models", type=Path, nargs="+", help="two .keras files or more")
    parser.add_argument("--output", type=Path, required=True, help="a .keras file")
    parser.add_argument("--force", action="store_true", help="replace a file of that name")
    return parser


@exit_codes("average")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the mean was written, 1 when there is none."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if len(args.models) < 2:
        parser.error("one network has no mean; expected two or more")
    if args.output.suffix != ".keras":
        parser.error(f"{args.output}: expected a name that ends in .keras")
    if args.output.exists() and not args.force:
        raise ModelFileError(f"{args.output}: exists already; --force replaces it")
    model = average([open_model(path) for path in args.models])
    record = record_of(args.models)
    save_model(args.output, model)
    save_record(args.output.with_name(args.output.name + ".json"), record)
    print(f"{args.output}: the mean of {len(args.models)} networks; evaluate it before use")
    return 0


if __name__ == "__main__":
    sys.exit(main())
