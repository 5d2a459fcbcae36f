"""``edge-sr run``: how a command line and a configuration file become a job."""

from __future__ import annotations

import argparse
import ctypes
import logging
import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from edge_sr import zoo
from edge_sr.batch.command import expand, is_batch, result_name, run_batch
from edge_sr.cli import options
from edge_sr.cli.common import Parser, add_command
from edge_sr.cli.config import config_text, read_config
from edge_sr.cli.run_options import add_run_options
from edge_sr.errors import UsageError
from edge_sr.media.address import Address, Kind, parse_address
from edge_sr.media.codec.unfinished import partial_path
from edge_sr.pipeline.job import JobSpec, Result
from edge_sr.pipeline.open_model import with_model_file
from edge_sr.pipeline.outputs import has_options
from edge_sr.pipeline.run import run_job
from edge_sr.pipeline.signals import SignalStop
from edge_sr.pipeline.target import Target
from edge_sr.progress import JobProgress

logger = logging.getLogger(__name__)

EXAMPLES = """\
examples:
  edge-sr run film.mp4
  edge-sr run film.mp4 -o film-1080p.mkv --target 1080p -m edge-unet-s
  edge-sr run film.mp4 --resume
  edge-sr run photos/ -o bigger/
  edge-sr run films/*.mp4 talk.mkv -o bigger/ --jobs 2
  edge-sr run 0 --compare split
  edge-sr run 0 --serve 8080 -o recording.mp4
  edge-sr run rtsp://camera.local/1 --serve 0.0.0.0:8080 --deadline-ms 30
  edge-sr run --config camera.toml
"""
DESCRIPTION = "Upscale videos, images and folders of them, a camera or a stream."
DEMO_EXAMPLES = """\
examples:
  edge-sr demo
  edge-sr demo --serve 0.0.0.0:8080 -m edge-unet-m
"""
DEMO_PORT = ("127.0.0.1", 8080)
M_ARENA_MAX = -8  # of glibc's malloc.h
SOURCES = ("source", "input", "camera")
RESUME = "stopped early: the same command with --resume continues"


def add_run(commands: Any) -> None:
    """Add ``edge-sr run``."""
    command = add_command(
        commands,
        "run",
        DESCRIPTION,
        summary="upscale videos, images and folders of them, a camera or a stream",
        examples=EXAMPLES,
        argument_default=argparse.SUPPRESS,
    )
    add_run_options(command)
    command.set_defaults(command=run)


def add_demo(commands: Any) -> None:
    """Add ``edge-sr demo``."""
    command = add_command(
        commands,
        "demo",
        "Play a clip that comes with edge-sr on the browser page, before and after.",
        summary="play a clip on the browser page, before and after",
        examples=DEMO_EXAMPLES,
        argument_default=argparse.SUPPRESS,
    )
    command.add_argument(
        "--serve", type=options.bind_address, metavar="[HOST:]PORT", help="default: 8080"
    )
    command.add_argument("-m", "--model", metavar="MODEL", help="default: edge-unet-s")
    command.set_defaults(command=demo)


def demo(args: argparse.Namespace) -> int:
    """As ``edge-sr run test://clip --serve 8080``, until it is interrupted.

    Raises:
        EdgeSRError: as `run`.
    """
    given = {"source": ["test://clip"], "serve": DEMO_PORT, "compare": "split"} | vars(args)
    logger.info("open the address of the page in a browser; Ctrl-C ends the demo")
    return run(argparse.Namespace(**given))


def run_parser(*, exit_on_error: bool = True) -> Parser:
    """The parser of ``edge-sr run`` alone."""
    parser = Parser("edge-sr run", argument_default=argparse.SUPPRESS, exit_on_error=exit_on_error)
    add_run_options(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Do the job, or print its options. Returns the exit code.

    Raises:
        EdgeSRError: as `run_job` and `make_spec`.
    """
    spec = make_spec(args)
    if "print_config" in args:
        print(config_text(options_of(spec), run_parser()), end="")
        return 0
    spec = with_model_file(spec)
    values = _with_config(args)
    inputs = [] if spec.input is None else expand(values.get("source", [spec.input]))
    jobs = values.get("jobs", 1)
    if is_batch(inputs):
        return run_batch(replace(spec, input=None), inputs, size_text(spec), jobs=jobs)
    if inputs:
        spec = replace(spec, input=inputs[0])
    spec = with_output(spec)
    if _may_be_endless(spec):
        _use_one_heap()
    try:
        with JobProgress() as progress:
            result = run_job(spec, progress=progress, stop=SignalStop())
    except KeyboardInterrupt:
        if spec.output is not None and Path(spec.output).is_dir():  # a folder of images
            logger.info(RESUME)
        raise
    for output in result.outputs:
        if "-" in spec.outputs:  # video went to stdout
            logger.info("%s", output.summary)
        else:
            print(output.summary)
    if result.interrupted is not None and _can_resume(spec, result):
        logger.info(RESUME)
    return result.exit_code


def _may_be_endless(spec: JobSpec) -> bool:
    """Whether it may go on for days: what is read or shown at its own pace."""
    address = None if spec.input is None else parse_address(spec.input)
    live = address is not None and (address.live or address.kind in (Kind.PATTERN, Kind.STDIN))
    return live or spec.camera is not None or spec.serve is not None or bool(spec.publish)


def _use_one_heap() -> None:
    """Let glibc's threads share a heap. Each would have its own, and frames that go from thread to
    thread leave holes in all of them: measured, 41 MB an hour more with page, RTSP and recording.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl's library has none
    if mallopt is not None and "MALLOC_ARENA_MAX" not in os.environ:
        mallopt(M_ARENA_MAX, 1)


def _can_resume(spec: JobSpec, result: Result) -> bool:
    """Whether a stopped job has left a part that --resume goes on with."""
    if spec.output is None or len(spec.outputs) > 1 or spec.input in (None, "-"):
        return False
    parts = (Path(spec.output), partial_path(Path(spec.output)))
    return any(output.path in parts for output in result.outputs) and not parts[0].is_file()


def make_spec(args: argparse.Namespace) -> JobSpec:
    """The job that the options describe, those of ``--config`` included.

    Raises:
        UsageError: no input; --scale with --target; the configuration cannot be read.
    """
    values = _with_config(args)
    if "source" in values:
        values["input"] = values["source"][0]
    if "input" not in values and "camera" not in values:
        raise UsageError("nothing to read: give a file, a folder, a camera number or an address")
    if values.get("scale") is not None and values.get("target") is not None:
        raise UsageError("--scale and --target were both given; one of them decides the size")
    given = values.pop("output", [])
    plain = [text for text in given if not has_options(text)]  # the one that --resume goes on with
    values["output"] = plain[0] if plain else None
    values["more_outputs"] = tuple(text for text in given if text != values["output"])
    if len(given) != len(set(given)):
        raise UsageError("--output: the same place was given twice")
    values["publish"] = tuple(values.get("publish", ()))
    names = [item.name for item in fields(JobSpec)]
    return JobSpec(**{name: values[name] for name in names if name in values})


def _with_config(args: argparse.Namespace) -> dict[str, Any]:
    """The options by name, those of ``--config`` included; the command line wins."""
    given = vars(args)
    if "config" not in given:
        return dict(given)
    values = read_config(Path(given["config"]), run_parser(exit_on_error=False))
    others = SOURCES if any(name in given for name in SOURCES) else ()
    size = ("scale", "target") if "scale" in given or "target" in given else ()
    kept = {name: value for name, value in values.items() if name not in (*others, *size)}
    return kept | given


def with_output(spec: JobSpec) -> JobSpec:
    """The job with a place for its result, where none was given.

    A file or folder gets its own name with the scale, beside it: ``film.mp4`` -> ``film-x2.mp4``.
    Everything that is for looking at gets a window.

    Raises:
        ModelFileError: there is no such model.
        UsageError: the environment variable of the input is not set.
    """
    if spec.goes_somewhere or spec.show or spec.serve is not None or spec.input is None:
        return spec
    address = parse_address(spec.input)
    if address.live or address.kind is Kind.PATTERN:
        return replace(spec, show=True)
    if address.kind is Kind.STDIN:
        return spec
    return replace(spec, output=str(default_output(address, spec)))


def default_output(address: Address, spec: JobSpec) -> Path:
    """Where the result of a file or folder goes: the same name with the scale, beside it.

    Raises:
        ModelFileError: there is no such model.
    """
    path, size = address.path, size_text(spec)
    if address.kind is Kind.FOLDER:
        return path.with_name(f"{path.resolve().name}-{size}")
    return result_name(path.with_stem(f"{path.stem}-{size}"), path)


def size_text(spec: JobSpec) -> str:
    """What stands in the names of results: "x2", or "1080p".

    Raises:
        ModelFileError: there is no such model.
    """
    if spec.target is not None:
        return _target_text(spec.target)
    scale = spec.scale if spec.scale is not None else zoo.find(spec.model)[1].ratio
    return f"x{float(scale):g}"


def options_of(spec: JobSpec) -> dict[str, object]:
    """The values of a job by the names of the options, in the form that the options take."""
    found: dict[str, object] = {item.name: getattr(spec, item.name) for item in fields(JobSpec)}
    if spec.target is not None:
        found["target"] = _target_text(spec.target)
    found["output"] = spec.outputs[0] if len(spec.outputs) == 1 else spec.outputs or None
    found["publish"] = spec.publish or None
    if spec.tile == 0:
        found["tile"] = "off"
    return found


def _target_text(target: Target) -> str:
    return f"{target.short}p" if target.short else f"{target.width}x{target.height}"
