"""The clock counts, stops in time and costs little; turns are shared out evenly."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.measure.lane import Plan
from bench.measure.latency import measure_latency
from bench.measure.memory import peak_mib
from bench.measure.timing import overhead_us, pinned, sample
from bench.models.contenders import Contender, count_contender
from bench.models.floors import floor_sidecar
from bench.records import Times
from edge_sr import zoo
from edge_sr.errors import BackendError, EdgeSRError

QUICK = Plan(rounds=3, runs=6, seconds=0.3, least_seconds=0.0, warmup=1, frames=6)


def floor(kind: str) -> Contender:
    card = floor_sidecar(kind, Fraction(2))
    return Contender(kind="floor", path=None, file_bytes=0, sidecar=card, backend="auto")


def test_enough_runs_or_enough_time() -> None:
    assert len(sample(lambda: None, runs=7, seconds=0, limit=60).wall_ns) == 7
    slow = sample(lambda: time.sleep(0.02), runs=50, seconds=0, limit=0.05)
    assert 1 <= len(slow.wall_ns) <= 3
    assert sum(slow.wall_ns) >= 50e6
    fast = sample(lambda: time.sleep(0.001), runs=1, seconds=0.02, limit=60)
    assert sum(fast.wall_ns) >= 20e6


def test_the_harness_costs_under_one_percent_of_five_milliseconds() -> None:
    assert overhead_us(500) < 50


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity")
def test_threads_are_pinned_and_let_go() -> None:
    before = os.sched_getaffinity(0)
    with pinned(1) as cores:
        assert os.sched_getaffinity(0) == set(cores)
        assert len(cores) == 1
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize("keep_open", [True, False])
def test_models_take_turns(picture: NDArray[np.uint8], keep_open: bool) -> None:
    order: list[str] = []
    found = measure_latency(
        [floor("nearest"), floor("bicubic")],
        picture,
        threads=1,
        plan=replace(QUICK, seconds=60),  # however slow the machine is
        keep_open=keep_open,
        on_turn=order.append,
    )
    assert order == ["nearest-x2", "bicubic-x2"] * 3
    for latency in found.values():
        assert isinstance(latency, Times)
        assert latency.runs >= 6
        assert latency.frames30_measured == 6
        assert 0 < latency.p50_ms <= latency.p90_ms <= latency.p99_ms <= latency.max_ms
        assert len(latency.round_p50_ms) == 3
        assert latency.frames30_s >= 0.9 * 6 * min(latency.round_p50_ms) / 1000


def test_a_model_that_fails_leaves_the_others_alone(picture: NDArray[np.uint8]) -> None:
    narrow = floor("bicubic")
    card = replace(narrow.sidecar, width=64, height=64)
    found = measure_latency(
        [replace(narrow, sidecar=card), floor("nearest")],
        picture,
        threads=1,
        plan=QUICK,
        keep_open=True,
    )
    assert isinstance(found[0], EdgeSRError)
    assert isinstance(found[1], Times)


def test_slow_models_skip_rounds(picture: NDArray[np.uint8], monkeypatch) -> None:
    from bench.models import floors

    plain = floors.FilterBackend.infer

    def slow(self: floors.FilterBackend, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        time.sleep(0.03)
        return plain(self, frame)

    monkeypatch.setattr(floors.FilterBackend, "infer", slow)
    plan = Plan(rounds=10, runs=50, seconds=0.1, least_seconds=0, warmup=1, frames=30)
    (latency,) = measure_latency(
        [floor("bicubic")], picture, threads=1, plan=plan, keep_open=True
    ).values()
    assert isinstance(latency, Times)
    assert 2 <= len(latency.round_p50_ms) <= 4
    assert latency.frames30_measured == len(latency.round_p50_ms)
    assert latency.frames30_s >= 30 * 0.03


@pytest.mark.slow
def test_memory_is_measured_in_a_child(monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    path, card = zoo.find("edge-unet-s-x2")
    item = Contender(kind="model", path=str(path), file_bytes=1, sidecar=card, backend="auto")
    peak = peak_mib(item, 320, 180, 1)
    assert peak is None or 20 < peak < 2000
    with pytest.raises(BackendError, match="expected sides of 4 to 8192"):
        peak_mib(item, 2, 2, 1)


def test_a_gpus_own_clock_is_read_where_there_is_one(
    picture: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.models import floors

    plain, calls = floors.FilterBackend.infer, iter(range(1000))

    def infer(self: floors.FilterBackend, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        self.gpu_ms = 500.0 if next(calls) < QUICK.warmup else 2.5  # the warm-up does not count
        return plain(self, frame)

    monkeypatch.setattr(floors.FilterBackend, "infer", infer)
    monkeypatch.setattr(floors.FilterBackend, "gpu_ms", 0.0, raising=False)
    (latency,) = measure_latency(
        [floor("bicubic")], picture, threads=1, plan=QUICK, keep_open=True
    ).values()
    assert isinstance(latency, Times)
    assert latency.gpu_p50_ms == 2.5


def test_the_backend_and_device_are_in_the_times(picture: NDArray[np.uint8]) -> None:
    (latency,) = measure_latency(
        [floor("nearest")], picture, threads=1, plan=QUICK, keep_open=True
    ).values()
    assert isinstance(latency, Times)
    assert latency.gpu_p50_ms is None
    assert latency.ran_on == "nearest: CPU, 1 thread"


def test_an_engine_is_not_counted_as_a_graph() -> None:
    path, card = zoo.find("edge-unet-s-x2")
    engine = Contender(
        kind="model", path="x.engine", file_bytes=1, sidecar=card, backend="tensorrt"
    )
    assert count_contender(engine, 1280, 720) is None
    assert count_contender(replace(engine, path=str(path)), 64, 48) is not None
