"""The steps of `bench device-check`, one by one, and what they say of a GPU that is broken."""

from __future__ import annotations

import ctypes
import itertools

import double
import numpy as np
import pytest
from frames import GRAPHS

from bench.check import cuda_steps, slot_steps
from bench.check.cuda_steps import handles, lost_context, open_and_close, refused_capture
from bench.check.facts_step import look_around
from bench.check.kernel import shaded
from bench.check.slot_steps import close_from_another_thread, slots_and_graphs
from edge_sr.cuda.errors import CudaError


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_steps, "REPLAYS", 60)
    monkeypatch.setattr(slot_steps, "FRAMES", 40)


def test_the_machine_is_described() -> None:
    double.reset(integrated=1)
    found = look_around()
    assert found["good"]
    assert found["gpu"]["gpu"] == "CUDA double 0"
    assert found["gpu"]["uuid"] == "GPU-00010203-0405-0607-0809-0a0b0c0d0e0f"
    assert found["gpu"]["integrated"] is True
    assert any(line.startswith("TensorRT 10.13.3.9") for line in found["lines"])
    double.clean()


@pytest.mark.parametrize("integrated", [0, 1])
def test_opening_and_closing_leaves_nothing(integrated: int) -> None:
    double.reset(integrated=integrated)
    found = open_and_close()
    assert found["good"]
    assert found["lost_mib"] == 0
    assert ("not judged" in found["lines"][1]) == bool(integrated)
    double.clean()


@pytest.mark.parametrize(("integrated", "good"), [(0, False), (1, True)])
def test_memory_that_is_lost_is_a_failure_where_it_is_the_gpus_own(
    integrated: int, good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    double.reset(integrated=integrated)
    inner = cuda_steps.open_device

    def leak() -> object:
        address = ctypes.c_uint64()
        device = inner()
        with device:
            assert double.LIBRARY.cuMemAlloc_v2(ctypes.byref(address), 1 << 20) == 0
        return device

    monkeypatch.setattr(cuda_steps, "open_device", leak)
    found = open_and_close()
    assert (found["lost_mib"], found["good"]) == (18, good)


def test_memory_that_another_program_takes_meanwhile_is_no_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    double.reset()
    inner, opened = cuda_steps.open_device, itertools.count()

    def take() -> object:
        address = ctypes.c_uint64()
        device = inner()
        with device:
            if next(opened) == 10:
                assert double.LIBRARY.cuMemAlloc_v2(ctypes.byref(address), 64 << 20) == 0
        return device

    monkeypatch.setattr(cuda_steps, "open_device", take)
    found = open_and_close()
    assert (found["lost_mib"], found["good"]) == (0, True)
    assert found["lines"][0].startswith("40 times")


def test_every_handle_is_made_used_and_given_back() -> None:
    double.reset(seed=4)
    found = handles()
    assert found["good"]
    assert "the same bytes" in found["lines"][0]
    double.clean()


def test_a_gpu_that_copies_nothing_is_found() -> None:
    double.reset(copies=0)
    found = handles()
    assert not found["good"]
    assert "OTHER BYTES" in found["lines"][0]


@pytest.mark.parametrize("seed", [1, 2])
def test_graphs_are_replayed_with_other_frames(seed: int) -> None:
    double.reset(seed=seed)
    found = cuda_steps.graph_replays()
    if not GRAPHS:
        assert found == {"skipped": "pycuda has no graphs"}
        return
    assert found["good"], found
    assert found["lines"][-1] == "all results right"
    assert set(found["times"]["replayed"]) == {"p50_ms", "p99_ms"}
    double.clean()


@pytest.mark.skipif(not GRAPHS, reason="pycuda has no graphs")
def test_a_replay_that_loses_work_is_found() -> None:
    double.reset(graphs=2)
    found = cuda_steps.graph_replays()
    assert not found["good"]
    assert "of 120 results were wrong" in found["lines"][-1]
    double.clean()


def test_a_forbidden_call_in_a_capture_is_an_error_and_no_more() -> None:
    double.reset()
    found = refused_capture()
    if not GRAPHS:
        assert "skipped" in found
        return
    assert found["good"], found
    assert found["lines"][1] == "the stream works afterwards"
    double.clean()


@pytest.mark.parametrize("integrated", [0, 1])
def test_frames_go_through_every_way(integrated: int) -> None:
    double.reset(seed=2, integrated=integrated)
    found = slots_and_graphs()
    assert found["good"], found
    ways = [(item["slots"], item["graphs"], item["wrong"]) for item in found["figures"]]
    wanted = [(n, way, 0) for n in (1, 2, 3) for way in ("off", "on") if GRAPHS or way == "off"]
    assert ways == wanted
    double.clean()


def test_a_kernel_that_is_wrong_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    double.reset()
    monkeypatch.setattr(slot_steps, "shaded", lambda frame, shape: shaded(frame, shape) ^ 1)
    found = slots_and_graphs()
    assert not found["good"]
    assert all(item["wrong"] == 40 for item in found["figures"])


def test_another_thread_may_close() -> None:
    double.reset(seed=3)
    assert close_from_another_thread()["good"]
    double.clean()


@pytest.mark.skipif(not GRAPHS, reason="pycuda cannot leave a lost context: case_bench has it")
def test_a_context_that_is_lost_is_said_by_every_call() -> None:
    double.reset()
    found = lost_context()
    assert found["good"], found
    assert "the GPU's context is lost" in found["lines"][0]
    assert found["lines"][1].startswith("reported by: waiting, reading the memory, allocating (of")
    double.reset()


@pytest.mark.skipif(not GRAPHS, reason="pycuda cannot leave a lost context: case_bench has it")
def test_a_kernel_that_fails_unseen_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    double.reset()
    monkeypatch.setattr(cuda_steps.Kernels, "launch", lambda *_: None)
    assert not lost_context()["good"]
    double.reset()


def test_what_the_kernel_makes() -> None:
    frame = np.array([[[[0], [9]]]], np.uint8)
    made = shaded(frame, (1, 2, 4, 1)).reshape(-1)
    assert made.tolist() == [255, 246, 0, 247, 1, 248, 2, 249]


def test_a_driver_that_does_not_take_the_kernel_is_an_error() -> None:
    double.reset()
    with cuda_steps.current():
        double.fail(1, 218)
        with pytest.raises(CudaError, match="CUDA cannot load a kernel"):
            cuda_steps.Kernels()
    double.clean()
