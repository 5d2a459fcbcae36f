"""What a run watches and keeps: bad results, memory, RTX's compiled kernels."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import double
import numpy as np
import pytest
import tensorrt_rtx
from frames import COLUMNS, ROWS, equal, expected, frames, open_backend
from plans import write_engine

from edge_sr.backend.tensorrt.backend import TensorRTBackend


def test_results_that_went_black_are_counted_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    double.reset(copies=0)  # a GPU that does nothing: the pinned memory keeps what it had
    backend = open_backend(guard_every=2, graphs="off")
    for number in range(8):
        backend.submit(frames(8)[number])
        for slot in backend._ring.busy:
            slot.output[...] = 7 if number < 6 else 99
        backend.collect()
    assert (backend.guard.frames, backend.guard.looked) == (8, 4)
    assert (backend.guard.black, backend.guard.constant) == (3, 1)
    assert "3 black and 1 constant of 4 results that were looked at" in backend.notices[-1]
    backend.close()


def test_a_black_frame_may_stay_black() -> None:
    double.reset()
    backend = open_backend(guard_every=1)
    backend.infer(np.full((1, ROWS, COLUMNS, 1), 16, np.uint8))
    assert backend.guard.looked == 1
    assert not any("black" in line or "constant" in line for line in backend.notices)
    backend.close()


def test_a_thousand_frames_allocate_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_TENSORRT_NOOP", "1")  # what the fake engine allocates is not ours
    double.reset(seed=6)
    backend = open_backend()
    given = frames(50)

    def go(count: int) -> None:
        for number in range(count):
            if backend.in_flight == backend.slots:
                backend.collect()
            backend.submit(given[number % 50])
        while backend.in_flight:
            backend.collect()

    go(100)
    tracemalloc.start()
    go(100)  # tracemalloc's own beginnings
    before = tracemalloc.take_snapshot()
    go(1000)
    after = tracemalloc.take_snapshot()
    tracemalloc.stop()
    ours = [tracemalloc.Filter(True, "*/edge_sr/*"), tracemalloc.Filter(True, "*/cuda/bindings/*")]
    grown = after.filter_traces(ours).compare_to(before.filter_traces(ours), "filename")
    assert sum(item.size_diff for item in grown) < 1024, grown
    blocks = double.report()["left"]["blocks"]
    go(10)
    assert double.report()["left"]["blocks"] == blocks
    backend.close()
    double.clean()


def test_rtx_compiles_once_and_finds_its_kernels_the_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path, sidecar = write_engine(
        tmp_path, flavour="tensorrt-rtx", gpu="", compute_capabilities=("8.6", "8.7")
    )
    tensorrt_rtx.compiled.clear()
    for _ in range(2):
        double.reset()
        backend = TensorRTBackend(path, sidecar, slots=1)
        assert equal([backend.infer(frame) for frame in frames(3)], expected(3))
        assert "TensorRT-RTX" in backend.device
        backend.close()
        double.clean()
    assert tensorrt_rtx.compiled == ["cold", "warm"]
    (kept,) = (tmp_path / "cache" / "edge-sr" / "kernels").iterdir()

    kept.write_bytes(b"of another driver")
    backend = TensorRTBackend(path, sidecar, slots=1)
    backend.infer(frames(1)[0])
    backend.close()
    assert tensorrt_rtx.compiled == ["cold", "warm", "cold"]
    assert kept.read_bytes().startswith(b"KERNELS")


def test_kernels_that_cannot_be_kept_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "edge-sr").write_text("a file, where a folder belongs")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path, sidecar = write_engine(
        tmp_path, flavour="tensorrt-rtx", gpu="", compute_capabilities=("8.7",)
    )
    double.reset()
    backend = TensorRTBackend(path, sidecar)
    backend.infer(frames(1)[0])
    assert any("compiled kernels were not kept" in line for line in backend.notices)
    backend.close()
    double.clean()
