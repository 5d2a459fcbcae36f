"""One model among those that are measured in turns, and the samples of its turns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bench.measure.power import Meter
from bench.measure.timing import Samples, sample
from bench.models.contenders import Contender, open_contender
from edge_sr import Upscaler
from edge_sr.media.frame import Frame, StreamInfo
from edge_sr.media.protocols import SourceBase
from edge_sr.media.sinks.null import NullSink
from edge_sr.pipeline.pipeline import run_pipeline


@runtime_checkable
class TimedByGpu(Protocol):
    """A backend that times each frame with the GPU's own events."""

    gpu_ms: float  # of the last frame, copies included


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long to measure: every model gets ``runs`` runs, or ``seconds`` s if that is less."""

    rounds: int = 10
    runs: int = 50
    seconds: float = 7.0
    least_seconds: float = 2.0  # fast models are run for at least so long
    warmup: int = 3  # untimed runs when a model is opened first
    frames: int = 30  # through the runtime path


@dataclass
class Lane:
    """A model with its frame, and the samples of the turns it has had."""

    contender: Contender
    batch: NDArray[np.uint8]
    turns: int = 0  # rounds it takes part in, spread evenly behind the first; 0 until opened
    per_turn: int = 1  # frames through the runtime path a turn
    warmup: int = 0
    rounds: list[Samples] = field(default_factory=list)
    path_ns: list[int] = field(default_factory=list)  # a turn each
    path_frames: int = 0
    watts: list[float] = field(default_factory=list)
    gpu_ms: list[float] = field(default_factory=list)  # a timed run each, on a GPU
    ran_on: str = ""
    upscaler: Upscaler | None = None


def take_turn(lane: Lane, number: int, frame: Frame, threads: int, plan: Plan) -> None:
    """Run the model for its share of round ``number``, or sit the round out.

    Args:
        frame: the same frame as the lane's batch, for the whole runtime path.

    Raises:
        EdgeSRError: the model cannot be opened or run.
    """
    if (
        lane.turns
        and (number + 1) * lane.turns // plan.rounds == number * lane.turns // plan.rounds
    ):
        return  # a slow model sits this round out
    if lane.upscaler is None:
        lane.upscaler = open_contender(lane.contender, threads)
    upscaler = lane.upscaler
    backend = upscaler.backend
    lane.ran_on = f"{backend.name}: {backend.device}"
    gpu_ms: list[float] = []

    def infer() -> None:
        backend.infer(lane.batch)
        if isinstance(backend, TimedByGpu):
            gpu_ms.append(backend.gpu_ms)

    if not lane.turns:
        _plan_turns(lane, plan, infer)
    else:
        infer()
        lane.warmup += 1
    gpu_ms.clear()
    with Meter() as meter:
        lane.rounds.append(
            sample(
                infer,
                runs=math.ceil(plan.runs / plan.rounds),
                seconds=plan.least_seconds / plan.rounds,
                limit=plan.seconds / plan.rounds,
            )
        )
    lane.gpu_ms += gpu_ms
    if meter.watts is not None:
        lane.watts.append(meter.watts)
    _run_path(lane, upscaler, frame)


def _plan_turns(lane: Lane, plan: Plan, infer: Callable[[], None]) -> None:
    """Warm up, and decide by it how many turns of how many frames fit into the model's time."""
    first = sample(infer, runs=plan.warmup, seconds=0, limit=plan.seconds / plan.rounds)
    lane.warmup += len(first.wall_ns)
    once = min(first.wall_ns) / 1e9
    more = math.ceil(plan.seconds / once) - 1  # turns behind this one, if it is slow
    lane.turns = plan.rounds if more >= plan.rounds else max(1, more)
    share = math.ceil(plan.frames / plan.rounds)
    lane.per_turn = share if share * once <= plan.seconds / plan.rounds else 1


def _run_path(lane: Lane, upscaler: Upscaler, frame: Frame) -> None:
    source = FrameList([frame] * lane.per_turn)
    once_through = sample(
        lambda: run_pipeline(source, upscaler.session(frame.size), [NullSink()]),
        runs=1,
        seconds=0,
        limit=0,
    )
    lane.path_ns.append(once_through.wall_ns[0])
    lane.path_frames += lane.per_turn


class FrameList(SourceBase):
    """A source of frames in memory, each with the next time stamp. Can be iterated again."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self._frames = frames
        height, width = frames[0].y.shape
        self.info = StreamInfo(
            name="memory",
            width=width,
            height=height,
            time_base=Fraction(1, 30),
            frame_rate=Fraction(30),
            frames=len(frames),
            live=False,
        )

    def __iter__(self) -> Iterator[Frame]:
        for index, frame in enumerate(self._frames):
            yield replace(frame, pts=index)
