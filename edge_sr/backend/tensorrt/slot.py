"""One frame in flight: its execution context, stream, buffers, events and graph."""

from __future__ import annotations

import contextlib
from typing import Protocol

import numpy as np

from edge_sr.backend.protocol import Batch
from edge_sr.cuda.errors import CudaError
from edge_sr.cuda.protocol import Device, Graph
from edge_sr.errors import BackendError

Shape = tuple[int, ...]


class Context(Protocol):
    """What a slot needs of an execution context, ready for its input shape."""

    def bind(self, frame: int, upscaled: int) -> None:
        """Set the GPU addresses of input and output.

        Raises:
            BackendError: TensorRT refuses.
        """
        ...

    def enqueue(self, stream: int) -> None:
        """Queue one inference on a stream.

        Raises:
            BackendError: TensorRT refuses.
        """
        ...

    def release(self) -> None:
        """Let go of the context; safe to call twice."""
        ...


class Slot:
    """Takes a frame in ``input``, runs it, and has it in ``output``. The device is current.

    Where GPU and host share their memory, the engine works on the pinned buffers and nothing is
    copied; elsewhere copy in, inference and copy out are queued on the slot's own stream.
    """

    def __init__(self, device: Device, context: Context, frame: Shape, upscaled: Shape) -> None:
        """Allocate everything that frames of this size need.

        Args:
            frame: shape of the input, (1, H, W, C), or (N, H, W, C) of a batch.
            upscaled: shape of the output.

        Raises:
            BackendError: out of memory, or the driver or TensorRT refuses; nothing is left then.
        """
        self._device, self._context = device, context
        self._graph: Graph | None = None
        self.replay = True  # the graph, where there is one
        self.used = frame[0]  # images of the batch that are copied in and out
        self._closed = False
        mapped = self.zero_copy = device.integrated
        with contextlib.ExitStack() as stack:
            stack.callback(context.release)
            self._stream = device.stream()
            stack.callback(self._stream.free)
            self._begun = device.event()
            stack.callback(self._begun.free)
            self._ended = device.event()
            stack.callback(self._ended.free)
            sizes = [int(np.prod(shape)) for shape in (frame, upscaled)]
            self._pinned_in = device.pinned_buffer(sizes[0], mapped=mapped)
            stack.callback(self._pinned_in.free)
            self._pinned_out = device.pinned_buffer(sizes[1], mapped=mapped)
            stack.callback(self._pinned_out.free)
            if mapped:
                context.bind(self._pinned_in.address, self._pinned_out.address)
            else:
                self._device_in = device.device_buffer(sizes[0])
                stack.callback(self._device_in.free)
                self._device_out = device.device_buffer(sizes[1])
                stack.callback(self._device_out.free)
                context.bind(self._device_in.address, self._device_out.address)
            self.input: Batch = self._pinned_in.array.reshape(frame)
            self.output: Batch = self._pinned_out.array.reshape(upscaled)
            self._resources = stack.pop_all()

    def launch(self) -> None:
        """Queue the frame that is in ``input``."""
        self._begun.record(self._stream)
        if self._graph is not None and self.replay:
            self._graph.launch(self._stream)
        else:
            self._enqueue()
        self._ended.record(self._stream)

    @property
    def captured(self) -> bool:
        """Whether there is a graph that `launch` can replay."""
        return self._graph is not None

    def wait(self) -> float:
        """Sleep until ``output`` is there; returns the GPU's milliseconds, copies included."""
        self._ended.synchronize()
        return self._ended.ms_since(self._begun)

    def warm_up(self, *, graph: bool) -> str:
        """Run one frame and, if asked, capture the same into a graph that `launch` replays.

        Returns:
            Why there is no graph though one was asked for; "" if all is well.
        """
        flat = self.input.reshape(-1)
        flat[:] = np.arange(flat.size, dtype=np.uint32) * 2654435761 >> 24
        self._enqueue()
        self._stream.synchronize()
        if not graph:
            return ""
        if not self._device.graphs:
            return f"{self._device.binding} has none"
        expected = self.output.copy()
        self.output[...] = 0
        try:
            self._graph = self._device.capture(self._stream, self._enqueue)
        except BackendError as error:
            if isinstance(error, CudaError) and not error.refuses_capture:
                raise
            self._enqueue()  # without a graph it has to work
            self._stream.synchronize()
            return str(error)
        self.launch()
        self._stream.synchronize()
        if np.array_equal(self.output, expected):
            return ""
        self._drop_graph()
        return "a replay gave another picture than the same work queued call by call"

    def drain(self) -> None:
        """Wait for what is queued, so that nothing touches the buffers any more."""
        try:
            self._stream.synchronize()
        except CudaError as error:
            if not error.lost:  # it is reported once; then waiting works
                with contextlib.suppress(CudaError):
                    self._stream.synchronize()
            raise

    def close(self) -> None:
        """Give everything back, also when the driver complains; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        with self._resources:
            self._resources.callback(self._drop_graph)
            self._resources.callback(self.drain)

    def _enqueue(self) -> None:
        if not self.zero_copy:
            size = self.input[: self.used].nbytes
            self._device.copy_in(self._device_in, self._pinned_in, self._stream, size)
        self._context.enqueue(self._stream.handle)
        if not self.zero_copy:
            size = self.output[: self.used].nbytes
            self._device.copy_out(self._pinned_out, self._device_out, self._stream, size)

    def _drop_graph(self) -> None:
        graph, self._graph = self._graph, None
        if graph is not None:
            graph.free()
