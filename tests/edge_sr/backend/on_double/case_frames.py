"""What comes out of the slots, with work deferred and reordered: ONNX Runtime's bytes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import double
import numpy as np
import pytest
from frames import COLUMNS, GRAPHS, ROWS, engine, equal, expected, frames, open_backend, run_all

from edge_sr.backend.tensorrt import ring
from edge_sr.backend.tensorrt.backend import TensorRTBackend
from edge_sr.errors import BackendError, FrameError

FRAMES, SEEDS = 500, int(os.environ.get("TEST_SEEDS", "20"))  # fewer where all is emulated


@pytest.mark.parametrize("integrated", [0, 1], ids=["copies", "zero-copy"])
@pytest.mark.parametrize("slots", [1, 2, 3])
def test_500_frames_are_the_same_bytes_whatever_the_order(slots: int, integrated: int) -> None:
    for seed in range(SEEDS):
        double.reset(seed=seed, integrated=integrated)
        backend = open_backend(slots=slots)
        assert equal(run_all(backend, frames(FRAMES)), expected(FRAMES)), seed
        if GRAPHS:
            assert not any("graph" in line for line in backend.notices)
        backend.close()
        double.clean()


def test_the_primary_context_stays_from_the_first_backend_to_the_exit() -> None:
    """TensorRT would load its kernels into a new one each time."""
    double.reset()
    for _ in range(3):
        backend = open_backend()
        assert equal(run_all(backend, frames(3)), expected(3))
        backend.close()
        assert double.report()["left"]["contexts"] == 1
    double.clean()


def test_a_process_gives_its_primary_context_back_at_its_exit() -> None:
    code = """
import atexit, double
from edge_sr.cuda import driver
left = lambda: print(double.report()["left"]["contexts"])
atexit.register(left)  # before anything else: the last to run
double.reset()
driver.find_gpu()  # starts the driver
driver.hold_primary_context()
left()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "0"]


def test_tensorrt_gets_one_logger_in_a_process() -> None:
    """It keeps the first one for all its runtimes: NvInferRuntime.h, createInferRuntime."""
    double.reset()
    first, second = open_backend(), open_backend()
    assert first._engine._logger is second._engine._logger
    for backend in (first, second):
        backend.close()
    double.clean()


@pytest.mark.skipif(not GRAPHS, reason="this binding has no graphs")
@pytest.mark.parametrize("slower", [False, True])
def test_graphs_are_replayed_where_the_slowest_frames_gain(
    slower: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    double.reset()
    smooth, stutter = [1.0] * 100, [0.5] * 90 + [9.0] * 10  # faster on average, with a tail
    times = (stutter, smooth) if slower else (smooth, stutter)
    monkeypatch.setattr(ring, "frame_times", lambda _slot: times)
    backend = open_backend(graphs="auto")
    assert equal(run_all(backend, frames(20)), expected(20))
    assert any("take 9.00 ms with them, 1.00 ms without" in n for n in backend.notices) == slower
    assert [slot.replay for slot in backend._ring._slots] == [not slower] * 2
    backend.close()
    double.clean()


@pytest.mark.skipif(not GRAPHS, reason="this binding has no graphs")
def test_one_slow_frame_in_a_hundred_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    double.reset()
    monkeypatch.setattr(ring, "frame_times", lambda _slot: ([1.0] * 99 + [50.0], [1.0] * 100))
    backend = open_backend(graphs="auto")
    assert equal(run_all(backend, frames(20)), expected(20))
    assert [slot.replay for slot in backend._ring._slots] == [True] * 2
    backend.close()
    double.clean()


@pytest.mark.skipif(not GRAPHS, reason="this binding has no graphs")
def test_both_ways_are_timed_in_turns() -> None:
    double.reset()
    backend = open_backend(graphs="auto")
    assert equal(run_all(backend, frames(20)), expected(20))
    with backend._gpu:
        replayed, queued = ring.frame_times(backend._ring._slots[0])
    assert len(replayed) == len(queued) == ring.TRIALS
    backend.close()
    double.clean()


def test_without_graphs_it_is_the_same() -> None:
    double.reset(seed=3)
    backend = open_backend(graphs="off")
    assert equal(run_all(backend, frames(50)), expected(50))
    backend.close()
    double.clean()


@pytest.mark.skipif(not GRAPHS, reason="this binding has no graphs")
@pytest.mark.parametrize(
    ("kind", "reason"),
    [(0, "CUDA_ERROR_NOT_SUPPORTED"), (2, "a replay gave another picture")],
    ids=["refused", "wrong"],
)
def test_a_graph_that_fails_is_replaced_and_reported(kind: int, reason: str) -> None:
    double.reset(graphs=kind)
    backend = open_backend()
    assert equal(run_all(backend, frames(20)), expected(20))
    assert any(
        line.startswith("without CUDA graphs") and reason in line for line in backend.notices
    )
    backend.close()
    double.clean()


@pytest.mark.skipif(GRAPHS, reason="this binding has graphs")
def test_a_binding_without_graphs_says_so() -> None:
    double.reset()
    backend = open_backend()
    assert equal(run_all(backend, frames(3)), expected(3))
    assert "without CUDA graphs: pycuda has none" in backend.notices
    backend.close()


def test_the_size_may_change_between_frames() -> None:
    double.reset(seed=5)
    backend = open_backend()
    small = frames(1)[0]
    large = np.tile(small, (1, 2, 3, 1))
    for frame in (small, large, small):
        assert backend.infer(frame).shape == (1, 2 * frame.shape[1], 2 * frame.shape[2], 1)
    assert np.array_equal(backend.infer(small), expected(1)[0])
    backend.submit(small)
    with pytest.raises(BackendError, match="size changed with frames in flight"):
        backend.submit(large)
    backend.close()
    double.clean()


def test_a_size_that_the_engine_does_not_take_is_named() -> None:
    double.reset()
    backend = open_backend()
    with pytest.raises(FrameError, match=r"frame is 8x900; .* takes 4x4 to 1280x720: build an"):
        backend.infer(np.zeros((1, 900, 8, 1), np.uint8))
    assert np.array_equal(backend.infer(frames(1)[0]), expected(1)[0])
    backend.close()
    double.clean()


def test_a_decoders_view_is_written_straight_into_the_slot() -> None:
    double.reset(seed=9)
    wide = np.zeros((1, ROWS, COLUMNS + 12, 1), np.uint8)
    wide[:, :, :COLUMNS] = frames(1)[0]
    view = wide[:, :, :COLUMNS]
    view.flags.writeable = False
    backend = open_backend()
    assert np.array_equal(backend.infer(view), expected(1)[0])
    backend.input_for(view)[...] = frames(2)[1]
    backend.submit_input()
    assert np.array_equal(backend.collect(), expected(2)[1])
    backend.close()
    double.clean()


def test_it_is_opened_used_and_closed_in_three_threads() -> None:
    double.reset(seed=4)
    made: list[TensorRTBackend] = []
    results: list[bool] = []
    for work in (
        lambda: made.append(open_backend()),
        lambda: results.append(equal(run_all(made[0], frames(30)), expected(30))),
        lambda: made[0].close(),
    ):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert results == [True]
    double.clean()


def test_frames_in_flight_are_finished_before_closing() -> None:
    double.reset(seed=8)
    backend = open_backend(slots=3)
    for frame in frames(3):
        backend.submit(frame)
    backend.close()
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.submit(frames(1)[0])
    with pytest.raises(BackendError, match="closed"):
        backend.collect()
    double.clean()


def test_wrong_use_is_refused() -> None:
    double.reset()
    backend = open_backend(slots=1)
    backend.submit(frames(1)[0])
    with pytest.raises(BackendError, match="all 1 slots are in flight"):
        backend.submit(frames(1)[0])
    with pytest.raises(BackendError, match="collect the submitted frames first"):
        backend.infer(frames(1)[0])
    assert np.array_equal(backend.collect(), expected(1)[0])
    with pytest.raises(BackendError, match="no frame is in flight"):
        backend.collect()
    backend.close()
    with pytest.raises(BackendError, match="slots is 0"):
        TensorRTBackend(*engine(), slots=0)
    double.clean()


def test_gpu_time_is_reported() -> None:
    double.reset()
    backend = open_backend()
    backend.infer(frames(1)[0])
    assert backend.gpu_ms > 0
    assert any(line.startswith("GPU time a frame: ") for line in backend.notices)
    backend.close()
