"""The model of a run, which can be replaced between two frames."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from edge_sr.errors import EdgeSRError, UsageError
from edge_sr.media.chroma import resize_frame
from edge_sr.media.frame import Frame
from edge_sr.session.base import Facts, FunctionSession, Session
from edge_sr.session.ladder import BICUBIC, Deadline, choices, full_name, ladder
from edge_sr.session.still import OFF
from edge_sr.session.strength import FULL, check_strength
from edge_sr.types import Size
from edge_sr.upscaler import Upscaler

logger = logging.getLogger(__name__)
PLAIN = Facts(model=BICUBIC, precision="-", backend="swscale", device="CPU")


class ModelSwitch(Session):
    """A session with the model of the moment, or bicubic; every result has one size.

    Another model has a new session: nothing is remembered of the frames before. `request` and
    `facts` may be called from any thread.
    """

    def __init__(
        self,
        upscaler: Upscaler,
        size: Size,
        opener: Callable[[str], Upscaler],
        *,
        deadline_s: float | None = None,
        calm: str = "off",
        still: str = OFF,
        strength: float = FULL,
    ) -> None:
        """Begin with a model.

        Args:
            upscaler: the first model; closed by this object, as the later ones.
            size: of every result.
            opener: opens another model by name.
            deadline_s: step down to a smaller model when a frame takes longer; None for never.
            calm, still, strength: as for `Upscaler.session`; `strength` can be set later, too, and
                stays when the model changes.
        """
        super().__init__()
        self._strength = check_strength(strength)
        self._size_out, self._opener, self._calm, self._still = size, opener, calm, still
        self._lock = threading.Lock()
        self._model: Upscaler | None = upscaler  # None: bicubic
        self._session: Session | None = None  # made when a frame comes, for its size
        first = full_name(upscaler.sidecar)
        self._next: tuple[str, Upscaler | None] | None = None
        self.name = first
        self.choices = choices(upscaler.sidecar.ratio)
        if first not in self.choices:
            self.choices.insert(0, first)
        self._ladder = ladder(upscaler.sidecar)
        self._deadline_s = deadline_s
        self._deadline = Deadline(deadline_s, len(self._ladder)) if deadline_s else None

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
            self._ladder = ladder(found.sidecar) if found else steps
            self._deadline = Deadline(self._deadline_s, len(self._ladder))
        self._put(name, found)

    def upscale_once(self, frame: Frame, name: str, strength: float | None = None) -> Frame:
        """One frame by a model that is opened for it; the run goes on with its own.

        Args:
            strength: as `Session.strength`; None for that of the run.

        Raises:
            UsageError: not one of `choices`; a strength out of range.
            EdgeSRError: it cannot be opened or run.
        """
        if name not in self.choices:
            raise UsageError(f"{name}: no model of this run; expected {', '.join(self.choices)}")
        wanted = self.strength if strength is None else check_strength(strength)
        model = self._open(name)
        if model is None:
            return resize_frame(frame, *self._size_out)
        with model:
            result = model.upscale_frame(frame, strength=wanted)
        return result if result.size == self._size_out else resize_frame(result, *self._size_out)

    @property
    def depth(self) -> int:
        """That of the present model; 1 while another one waits for its turn."""
        session = self._session
        return 1 if self._next or session is None else session.depth

    @property
    def facts(self) -> Facts:
        """Of the present model."""
        with self._lock:
            if self._model is None:
                return PLAIN
            backend = self._model.backend
            return Facts(self.name, backend.precision, backend.name, backend.device)

    @property
    def notices(self) -> Sequence[str]:
        """What the present model's backend reports."""
        return self._model.notices if self._model else ()

    def reset(self) -> None:
        """As `Session.reset`."""
        if self._session is not None:
            self._session.reset()

    def skip(self) -> None:
        """As `Session.skip`."""
        if self._session is not None:
            self._session.skip()

    def collect(self) -> Frame:
        """As `Session.collect`; the result has the size of this object."""
        result = super().collect()
        if self._deadline is not None:
            self._follow(self._deadline, self.frame_s)
        return result

    def close(self) -> None:
        """Free the models; safe to call twice."""
        super().close()
        with self._lock:
            waiting = self._next[1] if self._next else None
            for model in (self._model, waiting):
                if model is not None:
                    model.close()
            self._model = self._next = self._session = None

    def _begin(self, frame: Frame) -> None:
        if not self.in_flight:
            self._take()
        if self._session is None:
            self._session = (
                self._model.session(frame.size, calm=self._calm, still=self._still)
                if self._model is not None
                else FunctionSession(lambda taken: taken, PLAIN)
            )
        self._session.submit(frame)

    def _finish(self) -> Frame:
        session = self._session
        if session is None:
            raise UsageError("this session is closed")
        session.strength = self.strength
        result = session.collect()
        self.computed = session.computed
        if result.size != self._size_out:
            result = resize_frame(result, *self._size_out)
        return result

    def _drop(self) -> None:
        if self._session is not None:
            self._session.close()

    def _follow(self, deadline: Deadline, took_s: float) -> None:
        """Step up or down the ladder as the frame times require."""
        steps, before = self._ladder, deadline.rung
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
        """Let the model that waits take over; called while no frame is in flight."""
        with self._lock:
            if self._next is None:
                return
            before, session = self._model, self._session
            (self.name, self._model), self._next = self._next, None
            self._session = None
        if session is not None:
            session.close()
        if before is not None:
            before.close()
