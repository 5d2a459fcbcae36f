"""The CUDA protocol on NVIDIA's cuda-python (``cuda.bindings.driver``), 12.x and 13.x wheels."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np
from cuda import bindings
from cuda.bindings import driver

from .errors import CudaError, no_driver, too_new
from .protocol import Bytes

NON_BLOCKING = 1  # a stream that does not wait for the default stream
BLOCKING_SYNC = 1  # an event whose waiter sleeps
DEVICE_MAP = 2  # pinned memory with an address on the GPU
SUCCESS = driver.CUresult.CUDA_SUCCESS


def check(result: tuple[Any, ...], doing: str) -> Any:
    """What a driver call gave besides its status.

    Raises:
        CudaError: its status is not success.
    """
    status = result[0]
    if status != SUCCESS:
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
    def __init__(self) -> None:
        raw = check(driver.cuStreamCreate(NON_BLOCKING), "make a stream")
        super().__init__("destroy a stream", driver.cuStreamDestroy, raw)
        self.handle = int(raw)

    def synchronize(self) -> None:
        check(driver.cuStreamSynchronize(self.raw), "finish the work of a stream")


class CudaPythonEvent(_Owned):
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
    def __init__(self, size: int) -> None:
        raw = check(driver.cuMemAlloc(size), f"allocate {size / 2**20:.1f} MiB")
        super().__init__("free memory of the GPU", driver.cuMemFree, raw)
        self.size, self.address = size, int(raw)


class CudaPythonPinnedBuffer(_Owned):
    def __init__(self, size: int, *, mapped: bool) -> None:
        flags = DEVICE_MAP if mapped else 0
        raw = check(driver.cuMemHostAlloc(size, flags), f"pin {size / 2**20:.1f} MiB")
        super().__init__("free pinned memory", driver.cuMemFreeHost, raw)
        self.address = 0
        if mapped:
            try:
                found = check(driver.cuMemHostGetDevicePointer(raw, 0), "map pinned memory")
            except CudaError:
                with contextlib.suppress(CudaError):  # the first error is the one to tell
                    self.free()
                raise
            self.address = int(found)
        memory = (ctypes.c_uint8 * size).from_address(int(raw))
        self.array: Bytes = np.ctypeslib.as_array(memory)


class CudaPythonGraph(_Owned):
    def __init__(self, graph: Any) -> None:
        raw = check(driver.cuGraphInstantiate(graph, 0), "instantiate a graph")
        super().__init__("destroy a graph", driver.cuGraphExecDestroy, raw)

    def launch(self, stream: Any) -> None:
        check(driver.cuGraphLaunch(self.raw, stream.raw), "launch a graph")


class CudaPythonDevice:
    """A GPU through the driver API; its primary context is retained until `close`."""

    binding = "cuda-python"
    graphs = True

    def __init__(self, index: int) -> None:
        """Retain the primary context of one GPU.

        Raises:
            CudaError: no driver, no such GPU, or it refuses.
        """
        try:
            check(driver.cuInit(0), "start")
        except RuntimeError as error:  # the wheel's own words for a missing libcuda
            raise no_driver(error) from error
        version = check(driver.cuDriverGetVersion(), "read the driver's version")
        self.cuda = f"{version // 1000}.{version % 1000 // 10}"
        major = bindings.__version__.split(".")[0]
        if int(major) > version // 1000:  # some of its calls would not be in the driver
            raise too_new(f"cuda-python {bindings.__version__}", self.cuda)
        self._device = check(driver.cuDeviceGet(index), f"open GPU {index}")
        name: bytes = check(driver.cuDeviceGetName(256, self._device), "read the GPU's name")
        self.name = name.split(b"\0")[0].decode().strip()
        known = driver.CUdevice_attribute
        major = self._attribute(known.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
        minor = self._attribute(known.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)
        self.compute_capability = f"{major}.{minor}"
        self.integrated = bool(self._attribute(known.CU_DEVICE_ATTRIBUTE_INTEGRATED))
        self._context = check(driver.cuDevicePrimaryCtxRetain(self._device), "open the context")
        self._alive = True

    def _attribute(self, attribute: Any) -> int:
        return int(check(driver.cuDeviceGetAttribute(attribute, self._device), "read the GPU"))

    def __enter__(self) -> CudaPythonDevice:
        check(driver.cuCtxPushCurrent(self._context), "make the GPU current")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        result = driver.cuCtxPopCurrent()
        if error is None:  # else that one is the one to tell
            check(result, "leave the GPU")

    def memory(self) -> tuple[int, int]:
        status, free, total = driver.cuMemGetInfo()
        check((status,), "read the free memory")
        return int(free), int(total)

    def stream(self) -> CudaPythonStream:
        return CudaPythonStream()

    def event(self) -> CudaPythonEvent:
        return CudaPythonEvent()

    def device_buffer(self, size: int) -> CudaPythonDeviceBuffer:
        return CudaPythonDeviceBuffer(size)

    def pinned_buffer(self, size: int, *, mapped: bool = False) -> CudaPythonPinnedBuffer:
        return CudaPythonPinnedBuffer(size, mapped=mapped)

    def copy_in(self, target: Any, source: Any, stream: Any) -> None:
        result = driver.cuMemcpyHtoDAsync(target.raw, source.raw, target.size, stream.raw)
        check(result, "copy a frame in")

    def copy_out(self, target: Any, source: Any, stream: Any) -> None:
        result = driver.cuMemcpyDtoHAsync(target.raw, source.raw, source.size, stream.raw)
        check(result, "copy a frame out")

    def capture(self, stream: Any, work: Callable[[], None]) -> CudaPythonGraph:
        mode = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        check(driver.cuStreamBeginCapture(stream.raw, mode), "begin a graph")
        try:
            work()
        except BaseException:
            status, graph = driver.cuStreamEndCapture(stream.raw)
            if status == SUCCESS and int(graph):
                driver.cuGraphDestroy(graph)
            raise
        graph = check(driver.cuStreamEndCapture(stream.raw), "end a graph")
        try:
            replay = CudaPythonGraph(graph)
        except CudaError:
            driver.cuGraphDestroy(graph)  # the first error is the one to tell
            raise
        try:
            check(driver.cuGraphDestroy(graph), "destroy a graph")
        except CudaError:
            with contextlib.suppress(CudaError):
                replay.free()
            raise
        return replay

    def close(self) -> None:
        if self._alive:
            self._alive = False
            check(driver.cuDevicePrimaryCtxRelease(self._device), "close the context")
