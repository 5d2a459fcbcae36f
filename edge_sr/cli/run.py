"""``edge-sr run``: how a command line becomes a job."""

from __future__ import annotations

import argparse
from typing import Any

from edge_sr.cli import run_options
from edge_sr.cli.common import add_command
from edge_sr.errors import UsageError

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
    from edge_sr.pipeline.run import Job, run_job

    if args.scale is not None and args.target is not None:
        raise UsageError("--scale and --target were both given; one of them decides the size")
    return run_job(
        Job(
            input=args.input,
            camera=args.camera,
            output=args.output,
            show=args.show,
            model=args.model,
            scale=args.scale,
            target=args.target,
            precision=args.precision,
            backend=args.backend,
            threads=args.threads,
            slots=args.slots,
            tile=args.tile,
            max_frames=args.max_frames,
            camera_size=args.camera_size,
            camera_fps=args.camera_fps,
            camera_format=args.camera_format,
            crf=args.crf,
            preset=args.preset,
            codec=args.codec,
            force=args.force,
            resume=args.resume,
            serve=args.serve,
            virtual_camera=args.virtual_camera,
            compare=args.compare,
            overlay=not args.no_overlay,
            drop_policy=args.drop_policy,
            deadline_ms=args.deadline_ms,
            max_reconnect=args.max_reconnect,
            save_to=args.save_to,
        )
    )
