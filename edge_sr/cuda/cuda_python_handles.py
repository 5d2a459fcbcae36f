"""What a GPU makes through cuda-python: streams, events, memory and graphs, given back once."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from edge_sr.cuda.errors import CudaError
from edge_sr.cuda.lazy import Lazy
from edge_sr.cuda.protocol import Bytes

driver: Any = Lazy("cuda.bindings.driver")

SUCCESS = 0
NON_BLOCKING = 1  # a stream that does not wait for the default stream
BLOCKING_SYNC = 1  # an event whose waiter sleeps
DEVICE_MAP = 2  # pinned memory with an address on the GPU


def check(result: tuple[Any, ...], doing: str) -> Any:
    """What a driver call gave besides its status.

    Raises:
        CudaError: its status is not success.
    """
    status = result[0]
    if int(status) != SUCCESS:
        raise CudaError(
            doing,
            _text(driver.cuGetErrorString(status)),
            status=int(status),
            name=_text(driver.cuGetErrorName(status)),
        )
    return result[1] if len(result) > 1 else None


def _text(result: tuple[Any, bytes | None]) -> str:
    return (result[1] or b"unknown error").decode()


class _Owned:
    """Something of the driver's that is given back once."""

    def __init__(self, doing: str, give_back: Callable[[Any], tuple[Any, ...]], raw: Any) -> None:
        self.raw = raw
        self._doing, self._give_back = doing, give_back
        self._alive = True

    def free(self) -> None:
        if self._alive:
            self._alive = False
            check(self._give_back(self.raw), self._doing)


class CudaPythonStream(_Owned):
    """As `Stream`."""

    def __init__(self) -> None:
        raw = check(driver.cuStreamCreate(NON_BLOCKING), "make a stream")
        super().__init__("destroy a stream", driver.cuStreamDestroy, raw)
        self.handle = int(raw)

    def synchronize(self) -> None:
        check(driver.cuStreamSynchronize(self.raw), "finish the work of a stream")


class CudaPythonEvent(_Owned):
    """As `Event`."""

    def __init__(self) -> None:
        raw = check(driver.cuEventCreate(BLOCKING_SYNC), "make an event")
        super().__init__("destroy an event", driver.cuEventDestroy, raw)

    def record(self, stream: Any) -> None:
        check(driver.cuEventRecord(self.raw, stream.raw), "record an event")

    def synchronize(self) -> None:
        check(driver.cuEventSynchronize(self.raw), "finish a frame")

    def ms_since(self, start: Any) -> float:
        return float(check(driver.cuEventElapsedTime(start.raw, self.raw), "read an event's time"))


class CudaPythonDeviceBuffer(_Owned):
    """As `DeviceBuffer`."""

    def __init__(self, size: int) -> None:
        raw = check(driver.cuMemAlloc(size), f"allocate {size / 2**20:.1f} MiB")
        super().__init__("free memory of the GPU", driver.cuMemFree, raw)
        self.size, self.address = size, int(raw)


class CudaPythonPinnedBuffer(_Owned):
    """As `PinnedBuffer`."""

    def __init__(self, size: int, *, mapped: bool) -> None:
        flags = DEVICE_MAP if mapped else 0
        raw = check(driver.cuMemHostAlloc(size, flags), f"pin {size / 2**20:.1f} MiB")
        super().__init__("free pinned memory", driver.cuMemFreeHost, raw)
        self.address = 0
        if mapped:
            try:
                found = check(driver.cuMemHostGetDevicePointer(raw, 0), "map pinned memory")
            except CudaError:
                with contextlib.suppress(CudaError):  # the first error is raised
                    self.free()
                raise
            self.address = int(found)
        memory = (ctypes.c_uint8 * size).from_address(int(raw))
        self.array: Bytes = np.ctypeslib.as_array(memory)


class CudaPythonGraph(_Owned):
    """As `Graph`."""

    def __init__(self, graph: Any) -> None:
        raw = check(driver.cuGraphInstantiate(graph, 0), "instantiate a graph")
        super().__init__("destroy a graph", driver.cuGraphExecDestroy, raw)

    def launch(self, stream: Any) -> None:
        check(driver.cuGraphLaunch(self.raw, stream.raw), "launch a graph")
