"""The CUDA protocol on NVIDIA's cuda-python (``cuda.bindings.driver``), 12.x and 13.x wheels."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Any

from edge_sr.cuda.cuda_python_handles import (
    SUCCESS,
    CudaPythonDeviceBuffer,
    CudaPythonEvent,
    CudaPythonGraph,
    CudaPythonPinnedBuffer,
    CudaPythonStream,
    check,
    driver,
)
from edge_sr.cuda.driver import cuda_version
from edge_sr.cuda.errors import CudaError, no_driver, too_new
from edge_sr.cuda.lazy import Lazy

bindings: Any = Lazy("cuda.bindings")


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
        except RuntimeError as error:  # the wheel's message for a missing libcuda
            raise no_driver(error) from error
        version = check(driver.cuDriverGetVersion(), "read the driver's version")
        self.cuda = cuda_version(version)
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
        if error is None:  # else that one is raised
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

    def copy_in(self, target: Any, source: Any, stream: Any, size: int | None = None) -> None:
        size = target.size if size is None else size
        result = driver.cuMemcpyHtoDAsync(target.raw, source.raw, size, stream.raw)
        check(result, "copy a frame in")

    def copy_out(self, target: Any, source: Any, stream: Any, size: int | None = None) -> None:
        size = source.size if size is None else size
        result = driver.cuMemcpyDtoHAsync(target.raw, source.raw, size, stream.raw)
        check(result, "copy a frame out")

    def capture(self, stream: Any, work: Callable[[], None]) -> CudaPythonGraph:
        mode = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        check(driver.cuStreamBeginCapture(stream.raw, mode), "begin a graph")
        try:
            work()
        except BaseException:
            status, graph = driver.cuStreamEndCapture(stream.raw)
            if int(status) == SUCCESS and int(graph):
                driver.cuGraphDestroy(graph)
            raise
        graph = check(driver.cuStreamEndCapture(stream.raw), "end a graph")
        try:
            replay = CudaPythonGraph(graph)
        except CudaError:
            driver.cuGraphDestroy(graph)  # the first error is raised
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
