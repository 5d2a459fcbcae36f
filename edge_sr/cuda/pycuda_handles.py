"""What a GPU makes through pycuda: streams, events and memory, given back once.

What the driver reports while something is given back, pycuda prints on stderr and does not raise.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from edge_sr.cuda.errors import CudaError, no_driver, status_of
from edge_sr.cuda.lazy import Lazy
from edge_sr.cuda.protocol import Bytes
from edge_sr.errors import BackendError

driver: Any = Lazy("pycuda.driver")

NON_BLOCKING = 1  # a stream that does not wait for the default stream


def start() -> None:
    """Import pycuda and initialise the driver.

    Raises:
        ModuleNotFoundError: it is not installed.
        CudaError, BackendError: there is no driver, or pycuda was built for another CUDA.
    """
    try:
        initialise = driver.init
    except ModuleNotFoundError:
        raise
    except ImportError as missing:  # it is linked to the driver's library
        if "libcuda.so" in str(missing):
            raise no_driver(missing) from missing
        raise BackendError(
            f"pycuda cannot be loaded ({missing}): build it for this CUDA"
        ) from missing
    with reported("start"):
        initialise()


@contextmanager
def reported(doing: str) -> Iterator[None]:
    """Raise pycuda's errors as ours."""
    try:
        yield
    except driver.Error as error:
        raise error_of(doing, error) from error


def error_of(doing: str, error: Exception) -> CudaError:
    """A pycuda error as ours."""
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
    """As `Stream`."""

    def __init__(self) -> None:
        with reported("make a stream"):
            self.raw: Any = driver.Stream(NON_BLOCKING)
        self.handle = int(self.raw.handle)

    def synchronize(self) -> None:
        try:
            self.raw.synchronize()
        except driver.Error as error:
            raise error_of("finish the work of a stream", error) from error

    def free(self) -> None:
        _drop(self.raw)
        self.raw = None


class PycudaEvent:
    """As `Event`."""

    def __init__(self) -> None:
        with reported("make an event"):
            self.raw: Any = driver.Event(driver.event_flags.BLOCKING_SYNC)

    def record(self, stream: Any) -> None:
        try:
            self.raw.record(stream.raw)
        except driver.Error as error:
            raise error_of("record an event", error) from error

    def synchronize(self) -> None:
        try:
            self.raw.synchronize()
        except driver.Error as error:
            raise error_of("finish a frame", error) from error

    def ms_since(self, start: Any) -> float:
        try:
            return float(self.raw.time_since(start.raw))
        except driver.Error as error:
            raise error_of("read an event's time", error) from error

    def free(self) -> None:
        _drop(self.raw)
        self.raw = None


class PycudaDeviceBuffer:
    """As `DeviceBuffer`."""

    def __init__(self, size: int) -> None:
        with reported(f"allocate {size / 2**20:.1f} MiB"):
            self.raw: Any = driver.mem_alloc(size)
        self.address = int(self.raw)

    def free(self) -> None:
        raw, self.raw = self.raw, None
        if _drop(raw):
            with reported("free memory of the GPU"):
                raw.free()


class PycudaPinnedBuffer:
    """As `PinnedBuffer`."""

    def __init__(self, size: int, *, mapped: bool) -> None:
        flags = driver.host_alloc_flags.DEVICEMAP if mapped else 0
        with reported(f"pin {size / 2**20:.1f} MiB"):
            self.array: Bytes = driver.pagelocked_empty(size, np.uint8, mem_flags=flags)
        self._raw: Any = self.array.base
        self.address = 0
        if mapped:
            try:
                self.address = int(self._raw.get_device_pointer())
            except driver.Error as error:
                self.free()
                raise error_of("map pinned memory", error) from error

    def free(self) -> None:
        raw, self._raw = self._raw, None
        if _drop(raw):
            with reported("free pinned memory"):
                raw.free()
