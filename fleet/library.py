"""``edge-sr library``: films on this machine, or on a Ray cluster."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from edge_sr.cli import options
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.cli.run_options import add_encoder_options, add_model_options
from edge_sr.errors import MediaError, UsageError
from edge_sr.media.codec.encoder import check_settings
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.open_model import with_model_file
from edge_sr.progress import FrameBar
from fleet.films.cluster import Workers, check_ray
from fleet.films.library import Library
from fleet.films.report import write_report
from fleet.films.sources import find_films, refuse_url

logger = logging.getLogger("fleet.library")  # not __main__, which shows nothing
EXAMPLES = """\
examples:
  python -m fleet.library films/ --output bigger/
  python -m fleet.library films/ 'more/*.mkv' @list.txt --output bigger/ --target 1080p
  python -m fleet.library /mnt/films --output /mnt/bigger --ray 10.0.0.1:6379 --per-gpu 2

The same command goes on where it was stopped. Without Ray: edge-sr run FILM -o RESULT.
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m fleet.library",
        "Upscale a library of films with Ray, on this machine or on a cluster.",
        examples=EXAMPLES,
    )
    parser.argument_default = argparse.SUPPRESS
    parser.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="folders, films, 'patterns' and @lists of them"
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="folder of the results"
    )
    parser.add_argument("--force", action="store_true", help="replace results of other programs")
    parser.add_argument(
        "-n",
        "--max-frames",
        type=options.at_least_one,
        metavar="N",
        help="stop each film after N frames",
    )
    group = parser.add_argument_group("Ray")
    group.add_argument(
        "--ray",
        metavar="ADDRESS",
        default=None,
        help="of a cluster, as 10.0.0.1:6379 or auto (default: Ray on this machine)",
    )
    group.add_argument(
        "--actors",
        type=options.at_least_one,
        metavar="N",
        default=None,
        help="processes (default: --per-gpu for each GPU; without any, one on each node)",
    )
    group.add_argument(
        "--per-gpu",
        type=options.at_least_one,
        metavar="N",
        default=1,
        help="processes that share a GPU (default: 1)",
    )
    model = parser.add_argument_group("model")
    add_model_options(model)
    model.add_argument(
        "--calm",
        type=options.calm,
        metavar="auto|off|0-1",
        help="average the noise of films over time where nothing moves (default: off)",
    )
    add_encoder_options(parser.add_argument_group("results"))
    return parser


@exit_codes("library")
def main(argv: Sequence[str] | None = None) -> int:
    """0: every film is done; 1: some are not, and the report says why; 2: wrong usage."""
    args = vars(build_parser().parse_args(argv))
    check_ray(args["ray"])
    spec = _spec(args)
    refuse_url(args["output"])
    output = Path(args["output"])
    films = find_films(args["sources"], output)
    _check_folder(output)
    library = Library(films, with_model_file(spec))
    library.plan()
    logger.info("%d films, %d frames, %d of them from before", len(films), library.frames,
                library.kept)  # fmt: skip
    if library.missing:
        with (
            Workers(
                address=args["ray"],
                folder=output.resolve(),
                actors=args["actors"],
                per_gpu=args["per_gpu"],
            ) as workers,
            FrameBar(f"{len(films)} films", library.frames, library.kept) as bar,
        ):
            logger.info("%d processes", len(workers))
            library.run(workers, bar.add)
    print(write_report(library, output))
    print(f"{output / 'report.md'}: which films, and why not")
    return 0 if all(entry.made for entry in library.entries) else 1


def _spec(args: dict[str, Any]) -> JobSpec:
    names = {item.name for item in fields(JobSpec)} - {"output"}
    spec = JobSpec(**{name: value for name, value in args.items() if name in names})
    if spec.scale is not None and spec.target is not None:
        raise UsageError("--scale and --target were both given; one of them decides the size")
    check_settings(spec.codec, crf=spec.crf, preset=spec.preset)
    return spec


def _check_folder(output: Path) -> None:
    """Refuse a folder that cannot be written, before any work is done."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        trial = output / f".edge-sr-{os.getpid()}"
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise MediaError(f"{output}: cannot be written ({error.strerror})") from error


if __name__ == "__main__":
    sys.exit(main())
