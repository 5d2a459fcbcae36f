"""``edge-sr run``: how a command line becomes a job."""

from __future__ import annotations

import argparse
import logging
from dataclasses import fields, replace
from typing import Any

from edge_sr.cli import run_options
from edge_sr.cli.common import add_command
from edge_sr.errors import UsageError
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.run import run_job
from edge_sr.pipeline.signals import SignalStop
from edge_sr.progress import JobProgress

logger = logging.getLogger(__name__)

EXAMPLES = """\
examples:
  edge-sr run --input film.mp4 --output film-1440p.mp4
  edge-sr run --input film.mp4 --output film-1080p.mkv --target 1080p --model edge-unet-s
  edge-sr run --input film.mp4 --output film-1440p.mp4 --resume
  edge-sr run --input photos/ --output bigger/
  edge-sr run --camera 0 --show --compare split
  edge-sr run --camera 0 --serve 8080 --output recording.mp4
  edge-sr run --input rtsp://camera.local/1 --serve 0.0.0.0:8080 --deadline-ms 30
"""


def add_run(commands: Any) -> None:
    """Add ``edge-sr run``."""
    command = add_command(
        commands,
        "run",
        "Upscale a video, a camera, a stream, an image or a folder of images.",
        summary="upscale a video, a camera, a stream, an image or a folder of images",
        examples=EXAMPLES,
    )
    run_options.add_source(command.add_argument_group("source"))
    run_options.add_sinks(command.add_argument_group("where the result goes; any number at once"))
    run_options.add_model(command.add_argument_group("model"))
    run_options.add_live(command.add_argument_group("live"))
    command.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Do the job. Returns the exit code.

    Raises:
        EdgeSRError: as `run_job`; UsageError besides for --scale with --target.
    """
    if args.scale is not None and args.target is not None:
        raise UsageError("--scale and --target were both given; one of them decides the size")
    with JobProgress() as progress:
        result = run_job(make_spec(args), progress=progress, stop=SignalStop())
    for output in result.outputs:
        if args.output == "-":  # video went to stdout
            logger.info("%s", output.summary)
        else:
            print(output.summary)
    return result.exit_code


def make_spec(args: argparse.Namespace) -> JobSpec:
    """The job that the options of ``edge-sr run`` describe."""
    values = vars(args)
    names = [item.name for item in fields(JobSpec)]
    spec = JobSpec(**{name: values[name] for name in names if name in values})
    return replace(spec, overlay=not args.no_overlay)
