"""What TensorRT calls back while it builds: a logger and a progress monitor."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TextIO

from convert.engine import trt
from convert.engine.progress import Tracker


def make_logger(log: TextIO) -> Any:
    """TensorRT's words: all into ``log``, errors remembered."""

    class Logger(trt.ILogger):
        def __init__(self) -> None:
            super().__init__()
            self.errors: list[str] = []

        def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
            name = str(severity).rpartition(".")[2]
            log.write(f"[{name}] {msg}\n")
            if name in ("ERROR", "INTERNAL_ERROR"):
                self.errors.append(" ".join(msg.split()))

        def last(self) -> str:
            """Its last two errors in one line."""
            return "; ".join(dict.fromkeys(self.errors[-2:])) or "it does not say why"

    return Logger()


def make_monitor(tell: Callable[[dict[str, Any]], None]) -> Any:
    """Progress as lines; the build ends when the parent process is gone."""
    parent = os.getppid()
    tracker = Tracker(lambda share, name: tell({"share": round(share, 4), "phase": name}))

    class Monitor(trt.IProgressMonitor):
        def __init__(self) -> None:
            super().__init__()

        def phase_start(self, phase_name: str, parent_phase: str, num_steps: int) -> None:
            tracker.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            tracker.step(phase_name, step)
            return os.getppid() == parent

        def phase_finish(self, phase_name: str) -> None:
            tracker.finish(phase_name)

    return Monitor()
