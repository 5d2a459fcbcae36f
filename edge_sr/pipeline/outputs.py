"""Where the frames of a run go: files, pipes, a virtual camera, a window, a page."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sr.errors import UsageError
from edge_sr.live.control import Desk
from edge_sr.media.protocols import Sink, Source
from edge_sr.media.sinks.mailbox import Mailbox
from edge_sr.media.sinks.writer import VideoWriter
from edge_sr.media.sources.open import is_live_address
from edge_sr.progress import say

if TYPE_CHECKING:
    from edge_sr.pipeline.run import Job

WAITING = 8  # frames of a live run that may wait for an encoder or a pipe


def output_sinks(job: Job, source: Source) -> list[Sink]:
    """Where the upscaled frames go besides screens.

    Raises:
        EdgeSRError: an output cannot be written, or a package is missing.
    """
    sinks: list[Sink] = []
    if job.output == "null":
        from edge_sr.media.sinks.null import NullSink

        sinks.append(NullSink())
    elif job.output == "-":
        from edge_sr.media.codec.y4m import Y4mSink

        if sys.stdout.isatty():
            raise UsageError("--output - would write raw video to the terminal: pipe it somewhere")
        stream = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
        sinks.append(_boxed(Y4mSink(stream, source=source.info), job, source))
    elif job.output is not None:
        address = job.input or ""
        plain = job.camera is None and address != "-" and "://" not in address
        plain = plain and not address.startswith("env:") and not is_live_address(address)
        writer = VideoWriter(
            Path(job.output),
            source=source.info,
            copy_from=Path(address) if plain else None,
            force=job.force,
            codec=job.codec,
            crf=job.crf,
            preset=job.preset,
        )
        sinks.append(_boxed(writer, job, source))
    if job.virtual_camera is not None:
        from edge_sr.media.sinks.virtual_camera import VirtualCameraSink

        sink = VirtualCameraSink(job.virtual_camera or None, source=source.info)
        sinks.append(Mailbox(sink))
    return sinks


def screen_sinks(
    job: Job, stack: contextlib.ExitStack, desk: Desk, name: str, *, anything: bool
) -> list[Sink]:
    """Window and page; a camera with nothing said is for looking at."""
    screens: list[Sink] = []
    if job.serve is not None:
        from edge_sr.page.server import PageServer

        page = PageServer(desk, host=job.serve[0], port=job.serve[1])
        stack.callback(page.close)
        say(f"page: {page.url}")
        screens.append(page)
    if job.show or not (anything or screens):
        from edge_sr.live.window import LiveWindow

        screens.append(LiveWindow(title=f"edge-sr: {name}", desk=desk))
    return screens


def _boxed(sink: Sink, job: Job, source: Source) -> Sink:
    """A sink of a live run in a thread of its own, so that the others need not wait for it."""
    if source.info.live and job.drop_policy != "none":
        return Mailbox(sink, size=WAITING)
    return sink
