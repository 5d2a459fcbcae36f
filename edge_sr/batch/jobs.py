"""Several jobs in one go: one that fails does not stop the others."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from edge_sr.errors import EdgeSRError
from edge_sr.media.codec.unfinished import ticket_path
from edge_sr.pipeline.job import JobSpec, Progress, Result
from edge_sr.pipeline.run import run_job
from edge_sr.pipeline.signals import SignalStop

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """The result of one job of several, or its error."""

    spec: JobSpec
    result: Result | None = None  # None: it failed, was not begun, or was there already
    error: EdgeSRError | None = None  # why it failed
    there: bool = False  # --resume found its result, made by an earlier run

    @property
    def done(self) -> bool:
        """Whether its whole result is there."""
        return self.there or (self.result is not None and self.result.exit_code == 0)

    @property
    def failed(self) -> bool:
        """Whether it was begun and is not whole for another reason than a signal."""
        stopped = self.result is not None and self.result.interrupted is not None
        return self.error is not None or (self.result is not None and not self.done and not stopped)


def run_jobs(
    specs: Sequence[JobSpec],
    *,
    jobs: int = 1,
    progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> Iterator[Outcome]:
    """Do several jobs, and give each outcome when it is there.

    Args:
        jobs: how many run at a time, each in a thread of its own with its share of the cores
            where the job does not say how many. One at a time runs in the caller's thread.
        progress: as for `run_job`, with one job at a time.
        stop: set it to end the running jobs early and to begin no other.

    Errors of a job are part of its outcome.
    """
    stop = stop or threading.Event()
    if jobs == 1:
        for spec in specs:
            yield _run(spec, stop, progress)
        return
    share = max(1, _cores() // jobs)
    listening = stop.listening() if isinstance(stop, SignalStop) else contextlib.nullcontext()
    with listening, ThreadPoolExecutor(jobs, thread_name_prefix="job") as pool:
        wanted = [replace(spec, threads=spec.threads or share) for spec in specs]
        found = [pool.submit(_run, spec, stop, None) for spec in wanted]
        for future in as_completed(found):
            yield future.result()


def _run(
    spec: JobSpec, stop: threading.Event, progress: Callable[[Progress], None] | None
) -> Outcome:
    if stop.is_set():
        return Outcome(spec)
    if spec.resume and _is_there(Path(spec.output or "")):
        logger.info("%s: is there from before", spec.output)
        return Outcome(spec, there=True)
    try:
        return Outcome(spec, run_job(spec, progress=progress, stop=stop))
    except EdgeSRError as error:
        return Outcome(spec, error=error)


def _is_there(output: Path) -> bool:
    """Whether an earlier run has finished a file."""
    return output.is_file() and not ticket_path(output).exists()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
