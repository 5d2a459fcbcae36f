"""TensorRT's progress monitor: nested phases of counted steps -> one share of the whole."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TextIO

from convert.engine import trt

# TensorRT 10.16.2 on an Orin (SM 8.7) skips every tactic of int8 with fp16 scales by this message,
# and builds nothing (NVIDIA/TensorRT issue 4832; issue 118 of NVIDIA/Model-Optimizer has the same
# message of a quantize operation, whole). Wording of both, of "type.cpp: infer_type"
HALF_SCALES = re.compile(
    r"Could not infer output types for operation:.*\b(de)?quantize:.*\(f16\[", re.DOTALL
)


@dataclass
class Phase:
    """One phase of the builder, somewhere inside another."""

    parent: str | None
    steps: int
    done: int = 0


class Tracker:
    """Turns phase events into a share of 0..1 that never falls. Called from several threads."""

    def __init__(self, show: Callable[[float, str], None]) -> None:
        self.show = show
        self.phases: dict[str, Phase] = {}
        self.share = 0.0
        self.lock = threading.Lock()

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """A phase of so many steps begins, inside ``parent`` if there is one."""
        with self.lock:
            self.phases[name] = Phase(parent, max(steps, 1))
            self._report(name)

    def step(self, name: str, step: int) -> None:
        """Step number ``step``, from 0, of a phase is done."""
        with self.lock:
            if name in self.phases:
                self.phases[name].done = max(self.phases[name].done, step + 1)
                self._report(name)

    def finish(self, name: str) -> None:
        """A phase is over, whether all its steps came or not."""
        with self.lock:
            gone = self.phases.pop(name, None)
            if gone and gone.parent in self.phases:
                outer = self.phases[gone.parent or ""]
                outer.done = max(outer.done, 1)
            if gone and gone.parent is None:
                self.share = 1.0
            self._report(name)

    def _report(self, name: str) -> None:
        """The deepest running phase counts as a part of one step of the phase around it."""
        share, inner = 0.0, name
        while (phase := self.phases.get(inner)) is not None:
            share = min(1.0, (phase.done + share * (phase.done < phase.steps)) / phase.steps)
            inner = phase.parent or ""
        self.share = max(self.share, share)
        self.show(self.share, name)


def make_logger(log: TextIO) -> Any:
    """TensorRT's words: all into ``log``, errors remembered."""

    class Logger(trt.ILogger):
        def __init__(self) -> None:
            super().__init__()
            self.errors: list[str] = []
            self.half_scales = False

        def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
            name = str(severity).rpartition(".")[2]
            log.write(f"[{name}] {msg}\n")
            self.half_scales = self.half_scales or HALF_SCALES.search(msg) is not None
            if name in ("ERROR", "INTERNAL_ERROR"):
                self.errors.append(" ".join(msg.split()))

        def last(self) -> str:
            """Its last two errors in one line."""
            return "; ".join(dict.fromkeys(self.errors[-2:])) or "it does not say why"

    return Logger()


def make_monitor(notify: Callable[[dict[str, Any]], None]) -> Any:
    """Progress as lines; the build ends when the parent process is gone."""
    parent = os.getppid()
    tracker = Tracker(lambda share, name: notify({"share": round(share, 4), "phase": name}))

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
