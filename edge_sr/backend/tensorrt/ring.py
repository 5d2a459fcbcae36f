"""The slots of a backend, used in turn: the oldest frame in flight is the next to be collected."""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from typing import Protocol

from edge_sr.backend.tensorrt.slot import Context, Slot
from edge_sr.cuda.errors import CudaError
from edge_sr.cuda.protocol import Device
from edge_sr.errors import BackendError

GRAPHS = ("auto", "on", "off")  # "auto": by the frame times that are measured on this device
TRIALS = 100  # frames of each way, in turns
TAIL = 0.99
SLOWER = 1.05  # graphs cost the host less: a tail within that is as good


class SizedContext(Context, Protocol):
    """An execution context that is set to one frame size."""

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the result."""
        ...


class ContextMaker(Protocol):
    """What a ring needs of an engine."""

    def context(self, shape: tuple[int, ...]) -> SizedContext:
        """An execution context for frames of one shape, (1, H, W, C).

        Raises:
            FrameError, BackendError: there is none for it.
        """
        ...

    def keep_compiled(self) -> str:
        """Keep what was compiled for later runs; returns why that failed, or ""."""
        ...


def frame_times(slot: Slot) -> tuple[list[float], list[float]]:
    """Milliseconds of frames with the slot's graph replayed, and queued call by call."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(TRIALS):
        for place, replay in enumerate((True, False)):
            slot.replay = replay
            begun = time.perf_counter()
            slot.launch()
            slot.wait()
            times[place].append((time.perf_counter() - begun) * 1e3)
    return times


class Ring:
    """Makes the slots for a size, and keeps which are in flight. The device is current."""

    def __init__(self, device: Device, engine: ContextMaker, *, count: int, graphs: str) -> None:
        """Begin without slots: `resize` makes them.

        Args:
            graphs: of GRAPHS.
        """
        self._device, self._engine = device, engine
        self._count, self._graphs = count, graphs
        self._slots: list[Slot] = []
        self.busy: deque[Slot] = deque()
        self.idle: deque[Slot] = deque()
        self.shape: tuple[int, ...] = ()
        self.notices: list[str] = []

    def resize(self, shape: tuple[int, ...], upscaled: tuple[int, ...]) -> None:
        """Make the slots for frames of this shape, and run each once.

        Args:
            upscaled: the shape that the sidecar promises for the result.

        Raises:
            FrameError: the engine does not take frames of this shape.
            BackendError: frames are in flight, memory is short, or the engine does not do what the
                sidecar promises. There are no slots then.
        """
        if self.busy:
            raise BackendError("the frame size changed with frames in flight; collect them first")
        self.close()
        try:
            for _ in range(self._count):
                self._slots.append(self._make(shape, upscaled))
            for slot in self._slots:
                self._note_graph(slot.warm_up(graph=self._graphs != "off"))
            if self._graphs == "auto" and self._slots[0].captured:
                self._choose()
        except BaseException:
            with contextlib.suppress(CudaError):  # the first error is raised
                self.close()
            raise
        self.idle.extend(self._slots)
        self.shape = shape
        self._note(self._engine.keep_compiled())

    def _make(self, shape: tuple[int, ...], upscaled: tuple[int, ...]) -> Slot:
        context = self._engine.context(shape)
        if context.output_shape != upscaled:
            found = context.output_shape
            context.release()
            raise BackendError(
                f"the engine makes {found} of {shape}; its sidecar says {upscaled}: build it again"
            )
        return Slot(self._device, context, shape, upscaled)

    def _choose(self) -> None:
        """Replay graphs only where the slowest frames do not get slower by it."""
        times = frame_times(self._slots[0])
        replayed, queued = (sorted(found)[math.ceil(len(found) * TAIL) - 1] for found in times)
        good = replayed <= queued * SLOWER
        for slot in self._slots:
            slot.replay = good
        if not good:
            self._note(
                f"without CUDA graphs: the slowest frames take {replayed:.2f} ms with them, "
                f"{queued:.2f} ms without"
            )

    def _note_graph(self, reason: str) -> None:
        self._note(f"without CUDA graphs: {reason}" if reason else "")

    def _note(self, text: str) -> None:
        if text and text not in self.notices:
            self.notices.append(text)

    def launch(self) -> None:
        """Begin with the frame in the input of the first idle slot."""
        self.idle[0].launch()
        self.busy.append(self.idle.popleft())

    def wait(self) -> tuple[Slot, float]:
        """The slot of the oldest frame, done, and its GPU milliseconds; idle from now on."""
        slot = self.busy[0]
        took = slot.wait()
        self.idle.append(self.busy.popleft())
        return slot, took

    def drain(self) -> None:
        """After a failure: wait for whatever is queued, and call every slot idle."""
        self.busy.clear()
        self.idle.clear()
        with contextlib.ExitStack() as stack:
            for slot in self._slots:
                stack.callback(slot.drain)
        self.idle.extend(self._slots)

    def close(self) -> None:
        """Give the slots back; safe to call twice, and all go even when the driver complains."""
        self.busy.clear()
        self.idle.clear()
        self.shape = ()
        with contextlib.ExitStack() as stack:
            while self._slots:
                stack.callback(self._slots.pop().close)
