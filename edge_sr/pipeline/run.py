"""Run one job: a video, a camera or a stream, an image, or a folder of images."""

from __future__ import annotations

import threading
from collections.abc import Callable

from edge_sr.errors import UsageError
from edge_sr.media.address import Kind, parse_address
from edge_sr.pipeline.images import run_images
from edge_sr.pipeline.job import JobSpec, Progress, Result
from edge_sr.pipeline.video import run_video


def run_job(
    spec: JobSpec,
    *,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> Result:
    """Do a job and return what came of it. Prints nothing; messages go to the "edge_sr" logger.

    Args:
        progress: called after each frame or image, from this thread.
        stop: set it, from any thread, to end the job early: a file then gets the name of a part.
            A `SignalStop` is set by SIGINT and SIGTERM while the job reads and writes frames.

    Raises:
        UsageError: fields that do not go together.
        EdgeSRError: anything that cannot be read, run or written.
    """
    address = parse_address(spec.input) if spec.input is not None else None
    if address is not None and address.kind in (Kind.FOLDER, Kind.IMAGE):
        return run_images(spec, address.path, progress=progress, stop=stop)
    screen = spec.show or spec.serve is not None
    camera = spec.camera is not None or (address is not None and address.live)
    if spec.compare and not screen and not camera:
        raise UsageError("--compare is for looking at: add --show or --serve PORT")
    if not (spec.output or screen or spec.virtual_camera is not None or camera):
        raise UsageError("nowhere to put the result: give --output FILE, --show, --serve or both")
    return run_video(spec, progress=progress, stop=stop)
