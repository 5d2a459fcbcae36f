"""What `device-check` says of GPU memory: TensorRT's own is no leak, a Jetson's is not judged."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import double
import pytest
import tensorrt
from frames import engine, frames

from bench.measure import gpu
from bench.measure.gpu import Endurance, endure

MIB = 64


@pytest.fixture(autouse=True)
def no_kernels() -> Iterator[None]:
    yield
    tensorrt.kernels.update(once=0, always=0)


def run(integrated: int = 0, **kernels: int) -> Endurance:
    double.reset(seed=3, integrated=integrated)
    tensorrt.kernels.update(kernels)
    return endure(*engine(), frames(8), 50)


def test_kernels_that_tensorrt_loads_once_are_no_leak() -> None:
    """NVIDIA/TensorRT issue 3712: they stay after the engine is closed."""
    found = run(once=MIB)
    assert found.good
    assert found.gpu_left_mib == 0


def test_what_every_engine_leaves_behind_is_one() -> None:
    found = run(always=MIB)
    assert not found.good
    assert found.gpu_left_mib == MIB


def test_what_another_program_takes_meanwhile_is_no_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser on the same desktop: free memory is that of the whole GPU."""
    calls, inner = itertools.count(), gpu._free_mib
    monkeypatch.setattr(gpu, "_free_mib", lambda device: inner(device) - 64 * (next(calls) > 1))
    found = run()
    assert found.good
    assert (found.gpu_growth_mib, found.gpu_left_mib) == (0, 0)


def test_memory_that_gpu_and_host_share_is_reported_and_not_judged() -> None:
    """Other programs move it: a Jetson's free memory is that of the whole machine."""
    found = run(integrated=1, always=MIB)
    assert found.good
    assert found.gpu_left_mib == MIB
