"""What edge-sr asks of CUDA: the seam between the runtime and a Python binding of the driver.

Everything but the facts needs the device to be current in the calling thread::

    with device:
        stream = device.stream()

Every call raises `CudaError` where the driver reports one. ``free`` is safe to call twice, and
what it frees is gone also when it raises: the driver may report there what happened earlier.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


class Stream(Protocol):
    """A queue of work that runs in order."""

    @property
    def handle(self) -> int:
        """The driver's own handle, for TensorRT."""
        ...

    def synchronize(self) -> None:
        """Wait until all work on it is done."""
        ...

    def free(self) -> None:
        """Destroy it."""
        ...


class Event(Protocol):
    """A mark in a stream, with the time at which it was reached."""

    def record(self, stream: Stream) -> None:
        """Set the mark behind what the stream has been given so far."""
        ...

    def synchronize(self) -> None:
        """Wait, asleep, until the mark is reached."""
        ...

    def ms_since(self, start: Event) -> float:
        """GPU milliseconds between two marks that were reached."""
        ...

    def free(self) -> None:
        """Destroy it."""
        ...


class DeviceBuffer(Protocol):
    """Memory of the GPU."""

    @property
    def address(self) -> int:
        """Where it begins, on the GPU."""
        ...

    def free(self) -> None:
        """Give the memory back."""
        ...


class PinnedBuffer(Protocol):
    """Memory of the host that the GPU reaches."""

    @property
    def array(self) -> Bytes:
        """It, as flat uint8; not to be touched once it is freed."""
        ...

    @property
    def address(self) -> int:
        """Where the GPU sees it; 0 unless it was made mapped."""
        ...

    def free(self) -> None:
        """Give the memory back."""
        ...


class Graph(Protocol):
    """Work that was recorded once and is launched with one call."""

    def launch(self, stream: Stream) -> None:
        """Queue all of it on a stream."""
        ...

    def free(self) -> None:
        """Destroy it."""
        ...


class Device(Protocol):
    """One GPU and its primary context, which TensorRT shares."""

    @property
    def binding(self) -> str:
        """ "cuda-python" or "pycuda"."""
        ...

    @property
    def name(self) -> str:
        """As the driver has it: "Orin", "NVIDIA GeForce RTX 4090"."""
        ...

    @property
    def compute_capability(self) -> str:
        """ "8.7"."""
        ...

    @property
    def cuda(self) -> str:
        """The newest CUDA that the driver takes: "12.6"."""
        ...

    @property
    def integrated(self) -> bool:
        """Whether GPU and host share their memory, as on a Jetson."""
        ...

    @property
    def graphs(self) -> bool:
        """Whether the binding can capture graphs."""
        ...

    def __enter__(self) -> object:
        """Make the device current in this thread."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def memory(self) -> tuple[int, int]:
        """Bytes that are free, and that there are."""
        ...

    def stream(self) -> Stream:
        """A new stream, which does not wait for the default one."""
        ...

    def event(self) -> Event:
        """A new event, whose waiter sleeps."""
        ...

    def device_buffer(self, size: int) -> DeviceBuffer:
        """Memory of the GPU, ``size`` bytes."""
        ...

    def pinned_buffer(self, size: int, *, mapped: bool = False) -> PinnedBuffer:
        """Pinned memory of the host, ``size`` bytes; ``mapped``: with an address on the GPU."""
        ...

    def copy_in(
        self, target: DeviceBuffer, source: PinnedBuffer, stream: Stream, size: int | None = None
    ) -> None:
        """Queue a copy to the GPU of the first ``size`` bytes; None for the whole buffer."""
        ...

    def copy_out(
        self, target: PinnedBuffer, source: DeviceBuffer, stream: Stream, size: int | None = None
    ) -> None:
        """Queue a copy to the host of the first ``size`` bytes; None for the whole buffer."""
        ...

    def capture(self, stream: Stream, work: Callable[[], None]) -> Graph:
        """Record what ``work`` queues on the stream, without running it.

        Raises:
            CudaError: with ``refuses_capture`` where the driver cannot record this work.
        """
        ...

    def close(self) -> None:
        """Release the primary context; safe to call twice. Not within ``with device``."""
        ...
