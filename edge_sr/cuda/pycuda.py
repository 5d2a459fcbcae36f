"""The CUDA protocol on pycuda. It has no graphs.

Its own record of contexts does not survive a driver that fails to leave one: the thread cannot use
the GPU after that, and the error says so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

from edge_sr.cuda.driver import cuda_version
from edge_sr.cuda.errors import CudaError
from edge_sr.cuda.protocol import Graph
from edge_sr.cuda.pycuda_handles import (
    PycudaDeviceBuffer,
    PycudaEvent,
    PycudaPinnedBuffer,
    PycudaStream,
    driver,
    error_of,
    reported,
    start,
)


class PycudaDevice:
    """A GPU through pycuda; its primary context is retained until `close`."""

    binding = "pycuda"
    graphs = False

    def __init__(self, index: int) -> None:
        """Retain the primary context of one GPU.

        Raises:
            CudaError: no such GPU, or it refuses.
        """
        start()
        with reported(f"open GPU {index}"):
            device = driver.Device(index)
            known = driver.device_attribute
            major = device.get_attribute(known.COMPUTE_CAPABILITY_MAJOR)
            minor = device.get_attribute(known.COMPUTE_CAPABILITY_MINOR)
            self.name = str(device.name())
            self.compute_capability = f"{major}.{minor}"
            self.integrated = bool(device.get_attribute(known.INTEGRATED))
            self.cuda = cuda_version(int(driver.get_driver_version()))
            self._context: Any = device.retain_primary_context()

    def __enter__(self) -> PycudaDevice:
        try:
            self._context.push()
        except driver.Error as error:
            raise error_of("make the GPU current", error) from error
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
            if error is None:  # else that one is raised
                raise error_of("leave the GPU", failed) from failed

    def memory(self) -> tuple[int, int]:
        with reported("read the free memory"):
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

    def copy_in(self, target: Any, source: Any, stream: Any, size: int | None = None) -> None:
        try:
            driver.memcpy_htod_async(target.raw, source.array[:size], stream.raw)
        except driver.Error as error:
            raise error_of("copy a frame in", error) from error

    def copy_out(self, target: Any, source: Any, stream: Any, size: int | None = None) -> None:
        try:
            driver.memcpy_dtoh_async(target.array[:size], source.raw, stream.raw)
        except driver.Error as error:
            raise error_of("copy a frame out", error) from error

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
                    failed.append(error_of("close the context", error))
                    with suppress(driver.Error):  # an error of earlier work is reported once
                        step()

        thread = threading.Thread(target=detach, name="edge-sr pycuda close")
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
