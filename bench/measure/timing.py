"""The clock: time one call many times, and know what timing it costs."""

from __future__ import annotations

import contextlib
import gc
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class Samples:
    """Times of one call in nanoseconds, in the order they were taken."""

    wall_ns: list[int] = field(default_factory=list)
    cpu_ns: list[int] = field(default_factory=list)  # of all threads of this process


def sample(call: Callable[[], object], *, runs: int, seconds: float, limit: float) -> Samples:
    """Time ``call`` until there are ``runs`` runs and ``seconds`` s, or ``limit`` s; at least once.

    Garbage is not collected meanwhile.
    """
    samples = Samples()
    spent, enough, most = 0, int(seconds * 1e9), int(limit * 1e9)
    with _no_collection():
        while True:
            cpu = time.process_time_ns()
            begun = time.perf_counter_ns()
            call()
            wall = time.perf_counter_ns() - begun
            samples.cpu_ns.append(time.process_time_ns() - cpu)
            samples.wall_ns.append(wall)
            spent += wall
            if spent >= most or (len(samples.wall_ns) >= runs and spent >= enough):
                return samples


def overhead_us(runs: int = 2000) -> float:
    """Microseconds that `sample` adds to a time: what it reports of a call that does nothing."""
    return statistics.median(sample(lambda: None, runs=runs, seconds=0, limit=60).wall_ns) / 1000


@contextlib.contextmanager
def pinned(threads: int) -> Iterator[list[int]]:
    """Keep this process, and the threads it starts, on the first ``threads`` cores it may use.

    Yields the cores; an empty list where the system has no such call.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield []
        return
    before = os.sched_getaffinity(0)
    chosen = sorted(before)[:threads]
    os.sched_setaffinity(0, chosen)
    try:
        yield chosen
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
