"""The plan of `device-check`: steps in the order of what they decide, each in its own process."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.check.options import Options
from edge_sr.children import read_answer, run_module
from edge_sr.errors import BackendError
from edge_sr.model.resolver import note

LIMIT_S = 120.0  # of a step without an engine
LOG_LINES = 12  # of what a step that failed printed last
# TensorRT-RTX has no kernels for this GPU: nothing is wrong
NO_KERNELS = "cannot build for compute capability"


@dataclass(frozen=True)
class Step:
    """One step of the plan."""

    name: str  # of bench.check.step
    title: str
    limit_s: float | None = LIMIT_S  # None: what is left of the time
    engine: str = ""
    precision: str = ""


@dataclass
class Outcome:
    """The result of a step."""

    name: str
    title: str
    state: str = "running"  # then "good", "failed", "cannot run" or "not run"
    seconds: float = 0.0
    lines: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    found: dict[str, Any] = field(default_factory=dict)


def cuda_steps() -> list[Step]:
    """The steps that every NVIDIA GPU can do."""
    return [
        Step("machine", "GPU, driver and packages"),
        Step("contexts", "Opening and closing the GPU 20 times"),
        Step("handles", "Streams, events and memory"),
        Step("graphs", "CUDA graphs: 1,000 replays"),
        Step("refused-capture", "A call that a capture forbids"),
        Step("slots", "Slots, overlap and graphs: 500 frames byte for byte"),
        Step("other-thread", "Closing from another thread"),
        Step("lost-context", "A kernel that fails"),
    ]


def engine_steps(models: Sequence[str], precisions: Sequence[str]) -> list[Step]:
    """A step for each shipped model and precision: built where it is not cached."""
    return [
        Step("engine", f"{model}, {precision}", None, model, precision)
        for model in models
        for precision in precisions
    ]


def engine_files(paths: Sequence[Path]) -> list[Step]:
    """A step for each engine that was built before."""
    return [Step("engine", str(path), None, str(path)) for path in paths]


def run_plan(
    steps: Sequence[Step],
    options: Options,
    *,
    minutes: float,
    keep: Callable[[list[Outcome]], None],
) -> list[Outcome]:
    """Do one step after the other until the time is over.

    Args:
        keep: gets all outcomes before and after each step, to write them down.
    """
    end_s = time.monotonic() + 60 * minutes
    outcomes: list[Outcome] = []
    for step in steps:
        outcome = Outcome(step.name, step.title)
        outcomes.append(outcome)
        left_s = end_s - time.monotonic()
        if left_s <= 0:
            outcome.state, outcome.lines = "not run", [f"the {minutes:g} minutes were over"]
        else:
            keep(outcomes)
            note(f"{step.title} ...")
            begun = time.monotonic()
            _do(step, options, min(left_s, step.limit_s or left_s), outcome)
            outcome.seconds = round(time.monotonic() - begun, 1)
        note(f"{step.title}: {outcome.state}")
        keep(outcomes)
    return outcomes


def _do(step: Step, options: Options, limit_s: float, outcome: Outcome) -> None:
    given = {"options": asdict(options), "engine": step.engine, "precision": step.precision}
    try:
        done = run_module(
            "bench.check.step", [step.name], text=json.dumps(given), timeout_s=limit_s
        )
    except subprocess.TimeoutExpired:
        outcome.state, outcome.lines = "failed", [f"no answer within {limit_s:.0f} s"]
        return
    log = done.stderr.splitlines()[-LOG_LINES:]
    try:
        found = read_answer(done, f"the step {step.name}")
    except BackendError as error:  # it crashed
        outcome.state, outcome.lines, outcome.log = "failed", [str(error)], log
        return
    reason = next((line for line in log if NO_KERNELS in line), "")
    if "skipped" in found or (reason and not found["good"]):
        outcome.state, outcome.lines = "cannot run", [str(found.get("skipped", reason))]
        return
    outcome.state = "good" if found.pop("good") else "failed"
    outcome.lines, outcome.found = found.pop("lines"), found
    outcome.log = log if outcome.state == "failed" else []
