"""Steps of `device-check` that need CUDA and no TensorRT: contexts, handles, graphs, a fault."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bench.check.kernel import KernelContext, Kernels, shaded
from edge_sr.cuda import Device, open_device
from edge_sr.cuda.errors import CudaError
from edge_sr.cuda.protocol import PinnedBuffer, Stream

CYCLES = 20  # of opening and closing the device
REPLAYS = 1000
GROWTH_MIB = 8.0  # over all cycles: more is a leak
TRIES = 3  # free memory is that of the whole GPU: other programs take theirs once, a leak each time
FRAME = (1, 60, 80, 1)
MIB = 2**20

Found = dict[str, Any]
Work = tuple[Stream, PinnedBuffer, PinnedBuffer, Callable[[], None]]


@contextlib.contextmanager
def current() -> Iterator[Device]:
    """The GPU, open and current in this thread."""
    device = open_device()
    try:
        with device:
            yield device
    finally:
        device.close()


def percentiles(ms: list[float]) -> dict[str, float]:
    """Median and 99th percentile, in ms with microseconds."""
    ordered = sorted(ms)
    return {
        "p50_ms": round(ordered[len(ordered) // 2], 3),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)], 3),
    }


def open_and_close() -> Found:
    """Open the GPU twenty times, with a stream and memory, and watch its free memory.

    Where that looks like a leak it is done again, up to three times, and the last time counts.
    """
    times: list[float] = []
    for _ in range(TRIES):
        lost, integrated = _cycles(times)
        if lost <= GROWTH_MIB or integrated:
            break
    judged = not integrated
    lines = [
        f"{len(times)} times opened and closed: the first took {times[0]:.0f} ms, "
        f"the others {percentiles(times[1:])['p50_ms']:.1f} ms (median)",
        f"GPU memory {lost:+.1f} MiB from the second to the last"
        + ("" if judged else "; shared with the CPU here, so it is not judged"),
    ]
    good = lost <= GROWTH_MIB or not judged
    return {"good": good, "lines": lines, "first_ms": round(times[0], 1), "lost_mib": lost}


def handles() -> Found:
    """Make one of every handle that edge-sr uses, use it, and give it back twice."""
    lines = []
    with current() as device:
        stream = device.stream()
        before, after = device.event(), device.event()
        given, taken = device.pinned_buffer(MIB), device.pinned_buffer(MIB)
        memory = device.device_buffer(MIB)
        given.array[:] = np.arange(MIB, dtype=np.uint32).astype(np.uint8)
        taken.array[:] = 0
        before.record(stream)
        device.copy_in(memory, given, stream)
        device.copy_out(taken, memory, stream)
        after.record(stream)
        after.synchronize()
        stream.synchronize()
        same = bool(np.array_equal(given.array, taken.array))
        lines.append(
            f"stream, two events, 1 MiB in and out: {'the same bytes' if same else 'OTHER BYTES'}, "
            f"{after.ms_since(before):.3f} ms by the events"
        )
        mapped = device.pinned_buffer(MIB, mapped=True)
        lines.append(f"mapped memory: the GPU sees it at {mapped.address:#x}")
        good = same and bool(stream.handle and memory.address and mapped.address)
        for item in (mapped, memory, taken, given, after, before, stream):
            item.free()
            item.free()
        free, total = device.memory()
        lines.append(f"memory: {free / MIB:.0f} of {total / MIB:.0f} MiB free")
    return {"good": good, "lines": lines}


def _cycles(times: list[float]) -> tuple[float, bool]:
    """MiB that are not free any more after the cycles, and whether the CPU shares the memory.

    Args:
        times: gets the milliseconds of each cycle.
    """
    free: list[float] = []
    for _ in range(CYCLES):
        begun = time.perf_counter()
        with current() as device:
            stream, memory = device.stream(), device.device_buffer(MIB)
            memory.free()
            stream.free()
            free.append(device.memory()[0] / MIB)
        times.append((time.perf_counter() - begun) * 1e3)
    return free[1] - free[-1], device.integrated  # the first cycle makes the context


@contextlib.contextmanager
def _work(device: Device) -> Iterator[Work]:
    """A stream, input and output of a kernel, and what queues copy, kernel and copy."""
    kernels = Kernels()
    context = KernelContext(kernels, FRAME, 1)
    size = int(np.prod(FRAME))
    stream, given, taken = device.stream(), device.pinned_buffer(size), device.pinned_buffer(size)
    source, target = device.device_buffer(size), device.device_buffer(size)
    context.bind(source.address, target.address)

    def enqueue() -> None:
        device.copy_in(source, given, stream)
        context.enqueue(stream.handle)
        device.copy_out(taken, target, stream)

    try:
        yield stream, given, taken, enqueue
    finally:
        with contextlib.ExitStack() as stack:
            stack.callback(kernels.unload)
            for item in (stream, given, taken, source, target):
                stack.callback(item.free)
            stack.callback(stream.synchronize)


def graph_replays() -> Found:
    """Capture copy, kernel and copy; replay them a thousand times, each with another frame."""
    rng = np.random.default_rng(0)
    times: dict[str, list[float]] = {"replayed": [], "queued": []}
    wrong = 0
    with current() as device:
        if not device.graphs:
            return {"skipped": f"{device.binding} has no graphs"}
        with _work(device) as (stream, given, taken, enqueue):
            graph = device.capture(stream, enqueue)
            try:
                for number in range(2 * REPLAYS):
                    way = "queued" if number % 2 else "replayed"
                    given.array[:] = rng.integers(0, 256, given.array.size, np.uint8)
                    begun = time.perf_counter()
                    if way == "replayed":
                        graph.launch(stream)
                    else:
                        enqueue()
                    stream.synchronize()
                    times[way].append((time.perf_counter() - begun) * 1e3)
                    expected = shaded(given.array.reshape(FRAME), FRAME)
                    wrong += not np.array_equal(taken.array.reshape(FRAME), expected)
            finally:
                graph.free()
    figures = {way: percentiles(found) for way, found in times.items()}
    lines = [
        f"{way}: {REPLAYS} times, p50 {found['p50_ms']:.3f} ms, p99 {found['p99_ms']:.3f} ms"
        for way, found in figures.items()
    ]
    lines.append(f"{wrong} of {2 * REPLAYS} results were wrong" if wrong else "all results right")
    return {"good": not wrong, "lines": lines, "times": figures}


def refused_capture() -> Found:
    """A call that a capture forbids: an error, no crash, and a stream that works afterwards."""
    with current() as device:
        if not device.graphs:
            return {"skipped": f"{device.binding} has no graphs"}
        with _work(device) as (stream, given, taken, enqueue):
            given.array[:] = 3
            try:
                device.capture(stream, stream.synchronize).free()
                return {"good": False, "lines": ["a wait inside a capture was allowed"]}
            except CudaError as error:
                message, expected = str(error), error.refuses_capture
            enqueue()
            stream.synchronize()
            works = bool((taken.array == 252).all())
    lines = [message, f"the stream {'works' if works else 'DOES NOT WORK'} afterwards"]
    return {"good": expected and works, "lines": lines}


def lost_context() -> Found:
    """A kernel that stops: waiting for it says that the context is lost, and nothing hangs.

    Later calls are reported; whether each of them says so as well is the driver's affair.

    Run it in a process of its own: this one cannot use the GPU any more.
    """
    device = open_device()
    errors: dict[str, CudaError] = {}
    calls = ("waiting", "reading the memory", "allocating")
    with contextlib.suppress(CudaError), device:  # leaving the context reports it as well
        kernels, stream = Kernels(), device.stream()
        kernels.launch("fail", stream.handle, 1)
        work: tuple[Callable[[], object], ...] = (
            stream.synchronize,
            device.memory,
            lambda: device.device_buffer(MIB),
        )
        for name, call in zip(calls, work, strict=True):
            try:
                call()
            except CudaError as error:
                errors[name] = error
    lines = [str(error) for error in [*errors.values()][:1]]
    lines.append(f"reported by: {', '.join(errors) or 'none'} (of {', '.join(calls)})")
    good = "waiting" in errors and all(error.lost for error in errors.values())
    begun = time.perf_counter()
    with contextlib.suppress(CudaError):
        device.close()
    lines.append(f"closing took {(time.perf_counter() - begun) * 1e3:.0f} ms")
    return {"good": good, "lines": lines}
