"""The model of a run, which can be exchanged between two frames."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from edge_sr.closing import Closing
from edge_sr.errors import EdgeSRError, UsageError
from edge_sr.media.frame import Frame
from edge_sr.session.choices import BICUBIC, choices, full_name, ladder
from edge_sr.session.deadline import Deadline
from edge_sr.session.overlap import FrameOverlap
from edge_sr.upscaler import Upscaler

logger = logging.getLogger(__name__)


class ModelSwitch(Closing):
    """Upscales frames to one size with the model of the moment, or bicubic.

    `request` may be called from any thread; `upscale`, `submit` and `collect` from one.
    """

    def __init__(
        self,
        upscaler: Upscaler,
        size: tuple[int, int],
        opener: Callable[[str], Upscaler],
        *,
        deadline_s: float | None = None,
    ) -> None:
        """Begin with a model.

        Args:
            upscaler: the first model; closed by this object, as the later ones.
            size: columns and rows of every result.
            opener: opens another model by name.
            deadline_s: step down to a smaller model when a frame takes longer; None for never.
        """
        self._size, self._opener = size, opener
        self._lock = threading.Lock()
        self._current: Upscaler | None = upscaler
        self._ahead: FrameOverlap | None = upscaler.overlap()
        self._begun: deque[tuple[Frame, float]] = deque()
        self._finished = 0.0
        self._first = full_name(upscaler)
        self._next: tuple[str, Upscaler | None] | None = None
        self.name = self._first
        self.choices = choices(upscaler.sidecar.ratio)
        if self._first not in self.choices:
            self.choices.insert(0, self._first)
        self._ladder = ladder(upscaler)
        self._deadline_s = deadline_s
        self._deadline = Deadline(deadline_s, len(self._ladder)) if deadline_s else None

    def facts(self) -> dict[str, str]:
        """Model, precision, backend and device, in words."""
        with self._lock:
            if self._current is None:
                return {"model": BICUBIC, "precision": "-", "backend": "swscale", "device": "CPU"}
            backend = self._current.backend
            return {
                "model": self.name,
                "precision": backend.precision,
                "backend": backend.name,
                "device": backend.device,
            }

    def request(self, name: str) -> None:
        """Open another model now and use it from the next frame on.

        Raises:
            UsageError: not one of `choices`.
            EdgeSRError: it cannot be opened; the present one goes on.
        """
        if name not in self.choices:
            raise UsageError(f"{name}: no model of this run; expected {', '.join(self.choices)}")
        found = self._open(name)
        if self._deadline_s:
            steps = [name, BICUBIC] if name != BICUBIC else [BICUBIC]
            self._ladder = ladder(found) if found else steps
            self._deadline = Deadline(self._deadline_s, len(self._ladder))
        self._put(name, found)

    @property
    def depth(self) -> int:
        """How many frames may be in flight; 1 while another model waits for its turn."""
        return 1 if self._next or self._ahead is None else self._ahead.depth

    def submit(self, frame: Frame) -> None:
        """Begin with a frame."""
        if not self._begun:
            self._take()
        self._begun.append((frame, time.perf_counter()))
        try:
            if self._ahead:
                self._ahead.submit(frame)
        except BaseException:
            self._begun.clear()
            raise

    def collect(self) -> Frame:
        """The oldest frame in flight, `size` large; the result is yours to keep."""
        try:
            result = self._ahead.collect() if self._ahead else self._begun[0][0]
        except BaseException:
            self._begun.clear()
            raise
        _, begun = self._begun.popleft()
        if result.y.shape != self._size[::-1]:
            from edge_sr.media.chroma import resize_frame

            result = resize_frame(result, *self._size)
        now = time.perf_counter()
        if self._deadline:
            self._follow(now - max(begun, self._finished))
        self._finished = now
        return result

    def upscale(self, frame: Frame) -> Frame:
        """One frame, `size` large; the result is yours to keep."""
        self.submit(frame)
        return self.collect()

    @property
    def notices(self) -> list[str]:
        """What the present model's backend has to say, in lines for the user."""
        return self._current.notices if self._current else []

    def close(self) -> None:
        """Free the models; safe to call twice."""
        with self._lock:
            waiting = self._next[1] if self._next else None
            for model in (self._current, waiting):
                if model is not None:
                    model.close()
            self._current = self._next = self._ahead = None

    def _follow(self, took_s: float) -> None:
        """Step up or down the ladder as the deadline tells."""
        deadline, steps = self._deadline, self._ladder
        if deadline is None:
            return
        before = deadline.rung
        rung = deadline.note(took_s)
        if rung == before:
            return
        why = f"{took_s * 1000:.0f} ms a frame, {deadline.limit_s * 1000:g} allowed"
        try:
            self._put(steps[rung], self._open(steps[rung]))
        except EdgeSRError as error:
            logger.info("%s cannot be opened, %s goes on (%s)", steps[rung], steps[before], error)
            return
        logger.info("%s to %s: %s", "down" if rung > before else "up", steps[rung], why)

    def _open(self, name: str) -> Upscaler | None:
        return None if name == BICUBIC else self._opener(name)

    def _put(self, name: str, upscaler: Upscaler | None) -> None:
        with self._lock:
            if self._next and self._next[1] is not None:
                self._next[1].close()
            self._next = (name, upscaler)

    def _take(self) -> None:
        with self._lock:
            if self._next is None:
                return
            before = self._current
            (self.name, self._current), self._next = self._next, None
            self._ahead = self._current.overlap() if self._current else None
        if before is not None:
            before.close()
