"""The CUDA protocol on pycuda. It has no graphs, and tells errors in words only.

What the driver reports while something is given back, pycuda prints on stderr and does not raise.
Its own record of contexts does not survive a driver that fails to leave one: the thread cannot use
the GPU after that, and the error says so.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

import numpy as np

from ..errors import BackendError
from .errors import CudaError, no_driver, status_of
from .protocol import Bytes, Graph

try:
    from pycuda import driver
except ModuleNotFoundError:
    raise
except ImportError as missing:  # it is linked to the driver's library
    if "libcuda.so" in str(missing):
        raise no_driver(missing) from missing
    raise BackendError(f"pycuda cannot be loaded ({missing}): build it for this CUDA") from missing

NON_BLOCKING = 1  # a stream that does not wait for the default stream


@contextmanager
def told(doing: str) -> Iterator[None]:
    """pycuda's errors as ours."""
    try:
        yield
    except driver.Error as error:
        raise _error(doing, error) from error


def _error(doing: str, error: Exception) -> CudaError:
    routine, _, words = str(error).partition(" failed: ")
    return CudaError(doing, words or routine, status=status_of(words), name=routine)


def _drop(raw: Any) -> bool:
    """Whether an object of pycuda's may be destroyed now; if not, it is kept for ever.

    Where its context can no longer be made current, destroying one ends the process.
    """
    if raw is not None and driver.Context.get_current() is None:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(raw))
        return False
    return raw is not None


class PycudaStream:
    def __init__(self) -> None:
        with told("make a stream"):
            self.raw: Any = driver.Stream(NON_BLOCKING)
        self.handle = int(self.raw.handle)

    def synchronize(self) -> None:
        try:
            self.raw.synchronize()
        except driver.Error as error:
            raise _error("finish the work of a stream", error) from error

    def free(self) -> None:
        _drop(self.raw)
        self.raw = None


class PycudaEvent:
    def __init__(self) -> None:
        with told("make an event"):
            self.raw: Any = driver.Event(driver.event_flags.BLOCKING_SYNC)

    def record(self, stream: Any) -> None:
        try:
            self.raw.record(stream.raw)
        except driver.Error as error:
            raise _error("record an event", error) from error

    def synchronize(self) -> None:
        try:
            self.raw.synchronize()
        except driver.Error as error:
            raise _error("finish a frame", error) from error

    def ms_since(self, start: Any) -> float:
        try:
            return float(self.raw.time_since(start.raw))
        except driver.Error as error:
            raise _error("read an event's time", error) from error

    def free(self) -> None:
        _drop(self.raw)
        self.raw = None


class PycudaDeviceBuffer:
    def __init__(self, size: int) -> None:
        with told(f"allocate {size / 2**20:.1f} MiB"):
            self.raw: Any = driver.mem_alloc(size)
        self.address = int(self.raw)

    def free(self) -> None:
        raw, self.raw = self.raw, None
        if _drop(raw):
            with told("free memory of the GPU"):
                raw.free()


class PycudaPinnedBuffer:
    def __init__(self, size: int, *, mapped: bool) -> None:
        flags = driver.host_alloc_flags.DEVICEMAP if mapped else 0
        with told(f"pin {size / 2**20:.1f} MiB"):
            self.array: Bytes = driver.pagelocked_empty(size, np.uint8, mem_flags=flags)
        self._raw: Any = self.array.base
        self.address = 0
        if mapped:
            try:
                self.address = int(self._raw.get_device_pointer())
            except driver.Error as error:
                self.free()
                raise _error("map pinned memory", error) from error

    def free(self) -> None:
        raw, self._raw = self._raw, None
        if _drop(raw):
            with told("free pinned memory"):
                raw.free()


class PycudaDevice:
    """A GPU through pycuda; its primary context is retained until `close`."""

    binding = "pycuda"
    graphs = False

    def __init__(self, index: int) -> None:
        """Retain the primary context of one GPU.

        Raises:
            CudaError: no such GPU, or it refuses.
        """
        with told(f"open GPU {index}"):
            driver.init()
            device = driver.Device(index)
            known = driver.device_attribute
            major = device.get_attribute(known.COMPUTE_CAPABILITY_MAJOR)
            minor = device.get_attribute(known.COMPUTE_CAPABILITY_MINOR)
            self.name = str(device.name())
            self.compute_capability = f"{major}.{minor}"
            self.integrated = bool(device.get_attribute(known.INTEGRATED))
            version = int(driver.get_driver_version())
            self.cuda = f"{version // 1000}.{version % 1000 // 10}"
            self._context: Any = device.retain_primary_context()

    def __enter__(self) -> PycudaDevice:
        try:
            self._context.push()
        except driver.Error as error:
            raise _error("make the GPU current", error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            driver.Context.pop()
        except driver.Error as failed:
            if error is None:  # else that one is the one to tell
                raise _error("leave the GPU", failed) from failed

    def memory(self) -> tuple[int, int]:
        with told("read the free memory"):
            free, total = driver.mem_get_info()
        return int(free), int(total)

    def stream(self) -> PycudaStream:
        return PycudaStream()

    def event(self) -> PycudaEvent:
        return PycudaEvent()

    def device_buffer(self, size: int) -> PycudaDeviceBuffer:
        return PycudaDeviceBuffer(size)

    def pinned_buffer(self, size: int, *, mapped: bool = False) -> PycudaPinnedBuffer:
        return PycudaPinnedBuffer(size, mapped=mapped)

    def copy_in(self, target: Any, source: Any, stream: Any) -> None:
        try:
            driver.memcpy_htod_async(target.raw, source.array, stream.raw)
        except driver.Error as error:
            raise _error("copy a frame in", error) from error

    def copy_out(self, target: Any, source: Any, stream: Any) -> None:
        try:
            driver.memcpy_dtoh_async(target.array, source.raw, stream.raw)
        except driver.Error as error:
            raise _error("copy a frame out", error) from error

    def capture(self, stream: Any, work: Callable[[], None]) -> Graph:  # noqa: ARG002
        raise CudaError("capture a graph", "pycuda has no graphs", status=801)

    def close(self) -> None:
        """Release the context, in a thread of its own.

        pycuda leaves a primary context that it released on the thread's stack of contexts; with
        the thread, that goes too.
        """
        context, self._context = self._context, None
        if context is None:
            return
        failed: list[CudaError] = []

        def detach() -> None:
            for step in (context.push, context.detach):
                try:
                    step()
                except driver.Error as error:
                    failed.append(_error("close the context", error))
                    with suppress(driver.Error):  # an error of earlier work is told once
                        step()

        thread = threading.Thread(target=detach, name="edge-sr pycuda close")
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
