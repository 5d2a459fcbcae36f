"""What the rest of the program knows of a model at work: frames in, upscaled frames out."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge_sr.closing import Closing
from edge_sr.errors import BackendError
from edge_sr.media.frame import Frame
from edge_sr.session.strength import FULL, check_strength
from edge_sr.types import Size


@dataclass(frozen=True)
class Facts:
    """What upscales the frames, as text for people."""

    model: str  # a name that opens it again, or "bicubic"
    precision: str  # "fp32", "fp16", "int8", or "-"
    backend: str
    device: str


class Session(Closing, ABC):
    """Upscales the frames of one video, in order, up to `depth` of them at once.

    A session owns everything that belongs to one video: frames in flight, buffers, tiles, and what
    it remembers between frames. Two sessions share nothing, also those of one model. Use a session
    from one thread at a time. After an error no frame is in flight, and the session can go on with
    the next frame.

    A subclass implements `_begin`, `_finish` and `_drop`; times and counts are kept here.
    """

    def __init__(self) -> None:
        self.frame_s = 0.0  # of the last frame that was collected; waiting for others left out
        self.computed = 1.0  # share of the last frame that was computed; the rest held still
        self._begun: deque[float] = deque()  # when each frame in flight was submitted
        self._finished = 0.0  # when the last one was collected
        self._size: Size | None = None
        self._strength = FULL

    @property
    @abstractmethod
    def depth(self) -> int:
        """How many frames may be in flight now. It can change between frames."""

    @property
    @abstractmethod
    def facts(self) -> Facts:
        """What upscales the frames now."""

    @property
    def notices(self) -> Sequence[str]:
        """What the user should know about the run so far, one line each."""
        return ()

    @property
    def strength(self) -> float:
        """How far results go from bicubic (0) to the network's picture (1) and beyond, to 1.5.

        It may be set from any thread, at any time, and counts from the next `collect` on. Where
        there is no network nothing changes.
        """
        return self._strength

    @strength.setter
    def strength(self, value: float) -> None:
        """Raises UsageError for a value out of that range."""
        self._strength = check_strength(value)

    @property
    def in_flight(self) -> int:
        """How many frames were submitted and not collected."""
        return len(self._begun)

    def submit(self, frame: Frame) -> None:
        """Begin with a frame.

        A frame that is marked as a discontinuity, or that has another size than the one before,
        resets the session first.

        Raises:
            FrameError: a size or format that the model does not take.
            BackendError: `depth` frames are in flight, or frames of another size are; or the
                runtime failed. In the latter case no frame is in flight any more.
        """
        if self._begun and len(self._begun) >= self.depth:
            raise BackendError(f"{len(self._begun)} frames are in flight; collect one first")
        resized = self._size is not None and frame.size != self._size
        if resized and self._begun:
            raise BackendError("the frame size changed with frames in flight; collect them first")
        if resized or frame.discontinuity:
            self.reset()
        begun = time.perf_counter()
        try:
            self._begin(frame)
        except BaseException:
            self._forget_flight()
            raise
        self._size = frame.size
        self._begun.append(begun)

    def collect(self) -> Frame:
        """The oldest frame in flight, upscaled; waits for it. The result is yours to keep.

        Raises:
            BackendError: no frame is in flight, or the runtime failed; then none is.
        """
        if not self._begun:
            raise BackendError("no frame is in flight; submit one first")
        try:
            result = self._finish()
        except BaseException:
            self._forget_flight()
            raise
        now = time.perf_counter()
        self.frame_s = now - max(self._begun.popleft(), self._finished)
        self._finished = now
        return result

    def upscale(self, frame: Frame) -> Frame:
        """One frame, start to end; only while no other is in flight. The result is yours to keep.

        Raises:
            FrameError, BackendError: as `submit` and `collect`.
        """
        self.submit(frame)
        return self.collect()

    @abstractmethod
    def reset(self) -> None:
        """Forget what is remembered of earlier frames; call it at each discontinuity.

        That is: a cut, a seek, a reconnect, another model. Frames in flight are not touched; it
        applies to those that are submitted from now on.
        """

    def skip(self) -> None:
        """Frames of the same scene before the next one were dropped.

        Forget what only holds from one frame to the very next. By default `reset`.
        """
        self.reset()

    def close(self) -> None:
        """Discard frames in flight and release everything; safe to call twice, from any thread."""
        self._forget_flight()

    @abstractmethod
    def _begin(self, frame: Frame) -> None:
        """Begin with a frame; `depth` is respected."""

    @abstractmethod
    def _finish(self) -> Frame:
        """The result of the oldest frame that `_begin` took."""

    @abstractmethod
    def _drop(self) -> None:
        """Discard every frame that `_begin` took. Must not wait."""

    def _forget_flight(self) -> None:
        self._begun.clear()
        self._drop()


class FunctionSession(Session):
    """A function as a session: one frame at a time, and nothing to remember."""

    def __init__(self, function: Callable[[Frame], Frame], facts: Facts) -> None:
        super().__init__()
        self._function, self._facts = function, facts
        self._frame: Frame | None = None

    @property
    def depth(self) -> int:
        """One."""
        return 1

    @property
    def facts(self) -> Facts:
        """Those that were given."""
        return self._facts

    def reset(self) -> None:
        """Nothing is remembered."""

    def _begin(self, frame: Frame) -> None:
        self._frame = frame

    def _finish(self) -> Frame:
        frame, self._frame = self._frame, None
        if frame is None:
            raise BackendError("no frame is in flight; submit one first")
        return self._function(frame)

    def _drop(self) -> None:
        self._frame = None
