"""Every call of the driver fails once: our error or the right bytes, no hang, no leak."""

from __future__ import annotations

import double
import pytest
import tensorrt
from frames import (
    GRAPHS,
    SILENT,
    UNSURVIVABLE,
    equal,
    expected,
    frames,
    open_backend,
    run_all,
)

from edge_sr.backend.tensorrt.backend import TensorRTBackend
from edge_sr.errors import EdgeSRError

FRAMES = 20
UNKNOWN, OUT_OF_MEMORY, ILLEGAL_ADDRESS, LAUNCH_FAILED = 999, 2, 700, 719


def attempt(slots: int) -> EdgeSRError | None:
    """Open, run 20 frames, close. Returns what went wrong, or None."""
    backend: TensorRTBackend | None = None
    failed: EdgeSRError | None = None
    try:
        backend = open_backend(slots=slots)
        assert equal(run_all(backend, frames(FRAMES)), expected(FRAMES))
    except EdgeSRError as error:
        failed = error
    try:
        if backend is not None:
            backend.close()
            backend.close()
    except EdgeSRError as error:
        failed = failed or error
    return failed.with_traceback(None) if failed else None


def calls_of_a_run(slots: int, integrated: int) -> list[str]:
    double.reset(seed=1, integrated=integrated)
    assert attempt(slots) is None
    double.clean()
    return double.names(double.report()["calls"])


@pytest.mark.parametrize(
    "status", [UNKNOWN, OUT_OF_MEMORY, ILLEGAL_ADDRESS], ids=["unknown", "memory", "lost"]
)
@pytest.mark.parametrize(("slots", "integrated"), [(2, 0), (3, 1)], ids=["copies", "zero-copy"])
def test_each_call_fails_once(slots: int, integrated: int, status: int) -> None:
    calls = calls_of_a_run(slots, integrated)
    assert len(calls) > 150
    silent = []
    for call, name in enumerate(calls, start=1):
        if name == UNSURVIVABLE:
            continue
        double.reset(seed=1, integrated=integrated, pops=int(GRAPHS))
        double.fail(call, status)
        error = attempt(slots)
        found = double.configuration()
        assert found["violations"] == "", (call, error, found)
        left = {key: value for key, value in found["left"].items() if value}
        if status != ILLEGAL_ADDRESS:  # of a lost context nothing can be given back
            assert left == {}, (call, error, left)
        if error is None:
            silent.append(name)
    assert set(silent) <= SILENT, silent


def test_a_failure_in_flight_leaves_a_backend_that_works() -> None:
    double.reset(seed=2)
    backend = open_backend(slots=3)
    backend.submit(frames(1)[0])
    backend.submit(frames(2)[1])
    double.fail(3, UNKNOWN)
    with pytest.raises(EdgeSRError, match="CUDA cannot"):
        backend.submit(frames(3)[2])
    assert backend.in_flight == 0
    assert equal(run_all(backend, frames(FRAMES)), expected(FRAMES))
    backend.close()
    double.clean()


def test_a_lost_context_says_what_to_do() -> None:
    double.reset(seed=2, pops=int(GRAPHS))
    backend = open_backend()
    backend.infer(frames(1)[0])
    double.fail(3, LAUNCH_FAILED)
    with pytest.raises(EdgeSRError, match=r"unspecified launch failure.*context is lost: start"):
        backend.infer(frames(1)[0])
    with pytest.raises(EdgeSRError, match="context is lost"):
        backend.infer(frames(1)[0])
    backend.close()  # reported already


def test_too_little_memory_says_what_to_do() -> None:
    double.reset(memory=1)
    backend = open_backend()
    large = frames(1)[0].repeat(20, axis=1).repeat(20, axis=2)
    with pytest.raises(EdgeSRError, match=r"out of memory\): close what else uses the GPU, or use"):
        backend.infer(large)
    assert equal([backend.infer(frames(1)[0])], expected(1))  # smaller frames still fit
    backend.close()
    double.clean()


@pytest.mark.parametrize("calls", range(4))
def test_an_execution_that_tensorrt_refuses(calls: int) -> None:
    double.reset(seed=3)
    tensorrt.refuse.clear()
    tensorrt.refuse["execute"] = calls
    error = attempt(2)
    if error is None:  # it refused while a graph was captured: it went on without
        assert GRAPHS
        assert calls in (1, 3)
    else:
        assert "TensorRT cannot run it (enqueueV3: Error Code 1" in str(error)
    double.clean()


@pytest.mark.parametrize("calls", range(2))
def test_a_context_that_tensorrt_does_not_make(calls: int) -> None:
    double.reset()
    tensorrt.refuse["context"] = calls
    error = attempt(2)
    assert "makes no execution context of it (Requested amount of GPU memory" in str(error)
    double.clean()
