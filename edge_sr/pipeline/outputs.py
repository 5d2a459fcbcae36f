"""Where the frames of a job go: files, pipes, a virtual camera, a window, a page."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from pathlib import Path

from edge_sr.errors import UsageError
from edge_sr.live.control import RunControl
from edge_sr.live.window import LiveWindow
from edge_sr.media.animation.frames import AnimationSink
from edge_sr.media.animation.write import FROM_FILMS
from edge_sr.media.codec.unfinished import partial_path
from edge_sr.media.codec.y4m import Y4mSink
from edge_sr.media.protocols import Sink, Source
from edge_sr.media.sinks.mailbox import Mailbox
from edge_sr.media.sinks.null import NullSink
from edge_sr.media.sinks.virtual_camera import VirtualCameraSink
from edge_sr.media.sinks.writer import VideoWriter
from edge_sr.page.server import PageServer
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.shot import ShotSink

logger = logging.getLogger(__name__)

WAITING = 8  # frames of a live run that may wait for an encoder or a pipe


def output_sinks(spec: JobSpec, source: Source) -> list[Sink]:
    """Where the upscaled frames go besides screens.

    Raises:
        EdgeSRError: an output cannot be written, or a package is missing.
    """
    sinks: list[Sink] = []
    if spec.output == "null":
        sinks.append(NullSink())
    elif spec.output == "-":
        if sys.stdout.isatty():
            raise UsageError("--output - would write raw video to the terminal: pipe it somewhere")
        stream = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
        sinks.append(_boxed(Y4mSink(stream, source=source.info), spec, source))
    elif spec.output is not None and Path(spec.output).suffix.lower() in FROM_FILMS:
        sink = AnimationSink(
            Path(spec.output), source=source.info, beside=source.beside, force=spec.force
        )
        sinks.append(_boxed(sink, spec, source))
    elif spec.output is not None:
        writer = VideoWriter(
            Path(spec.output),
            source=source.info,
            copy_from=source.beside,
            force=spec.force,
            codec=spec.codec,
            crf=spec.crf,
            preset=spec.preset,
        )
        sinks.append(_boxed(writer, spec, source))
    if spec.virtual_camera is not None:
        camera = VirtualCameraSink(spec.virtual_camera or None, source=source.info)
        sinks.append(Mailbox(camera))
    return sinks


def screen_sinks(
    spec: JobSpec, stack: contextlib.ExitStack, control: RunControl, name: str, *, anything: bool
) -> list[ShotSink]:
    """Window and page; a camera without any output is shown in a window.

    Args:
        anything: whether the frames go somewhere else already.
    """
    screens: list[ShotSink] = []
    if spec.serve is not None:
        page = PageServer(control, host=spec.serve[0], port=spec.serve[1])
        stack.callback(page.close)
        logger.info("page: %s", page.url)
        screens.append(page)
    if spec.show or not (anything or screens):
        screens.append(LiveWindow(title=f"edge-sr: {name}", control=control))
    return screens


def finished_file(spec: JobSpec, *, complete: bool) -> Path | None:
    """The video file of a finished job; None where the output is no file."""
    if spec.output in (None, "-", "null"):
        return None
    path = Path(spec.output or "")
    return path if complete else partial_path(path)


def _boxed(sink: Sink, spec: JobSpec, source: Source) -> Sink:
    """A sink of a live run in a thread of its own, so that the others need not wait for it."""
    if source.info.live and spec.drop_policy != "none":
        return Mailbox(sink, size=WAITING)
    return sink
