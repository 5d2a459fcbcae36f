"""Models that stay open between segments. Two segments use one in turns, so that the next one is
decoded while the encoder of the last one finishes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from edge_sr.closing import Closing
from edge_sr.errors import UsageError
from edge_sr.media.frame import Frame, StreamInfo
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.open_model import open_upscaler
from edge_sr.session.base import Facts, Session
from edge_sr.session.model_switch import ModelSwitch
from edge_sr.session.still import EXACT
from edge_sr.upscaler import Upscaler

Key = tuple[object, ...]

OPEN = 4  # models that stay open at a time
FIELDS = (  # of a job, that a model depends on
    "model",
    "scale",
    "target",
    "precision",
    "backend",
    "threads",
    "slots",
    "graphs",
    "tile",
    "device",
    "still",
    "strength",
)


class Models(Closing):
    """The open models of a process. One segment at a time has its turn."""

    def __init__(self) -> None:
        self._open: dict[Key, ModelSwitch] = {}
        self._turn = threading.Lock()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Wait for a turn, and have it: for work that opens its model itself."""
        with self._turn:
            yield

    def begin(self, key: Key, spec: JobSpec, info: StreamInfo) -> ModelSwitch:
        """Wait for a turn, and have it until `end`. The model is opened when it is new.

        Raises:
            EdgeSRError: it cannot be opened; then nobody has the turn.
        """
        self._turn.acquire()
        try:
            if key not in self._open:
                while len(self._open) >= OPEN:
                    self._open.pop(next(iter(self._open))).close()
                self._open[key] = _open_model(spec, info)
            self._open[key].reset()
            return self._open[key]
        except BaseException:
            self._turn.release()
            raise

    def end(self, key: Key, *, whole: bool) -> None:
        """The turn is over.

        Args:
            whole: False where frames may be in flight; the model is closed then.
        """
        try:
            if not whole:
                self._open.pop(key).close()
        finally:
            self._turn.release()

    def close(self) -> None:
        """Close all models; safe to call twice."""
        while self._open:
            self._open.popitem()[1].close()


class Turn(Session):
    """The session of a segment: it has its model from its first frame to its last."""

    def __init__(self, models: Models, spec: JobSpec, info: StreamInfo, frames: int) -> None:
        """Begin without a model.

        Args:
            spec: of the film.
            info: of its frames.
            frames: of the segment; after them the turn is over.
        """
        super().__init__()
        self.began_s = time.monotonic()  # when the turn began, on the clock of time.monotonic
        self._models, self._spec, self._info, self._left = models, spec, info, frames
        self._key = (info.size, info.format, *(str(getattr(spec, name)) for name in FIELDS))
        self._model: ModelSwitch | None = None
        self._facts: Facts | None = None
        self._state = threading.Lock()
        self._over = False

    @property
    def depth(self) -> int:
        """That of the model; 1 before the turn."""
        return self._model.depth if self._model else 1

    @property
    def facts(self) -> Facts:
        """Of the model.

        Raises:
            UsageError: no frame came yet.
        """
        if self._facts is None:
            raise UsageError("this segment has no model yet; submit a frame first")
        return self._facts

    def reset(self) -> None:
        """As `Session.reset`."""
        if self._model:
            self._model.reset()

    def skip(self) -> None:
        """As `Session.skip`."""
        if self._model:
            self._model.skip()

    def close(self) -> None:
        """Give the turn back before the last frame, as after an error; safe to call twice."""
        with self._state:
            had = self._model is not None and not self._over
            self._over = True
        if had:
            self._models.end(self._key, whole=False)

    def _begin(self, frame: Frame) -> None:
        if self._model is None:
            self._take()
        self._at_work().submit(frame)

    def _finish(self) -> Frame:
        model = self._at_work()
        result = model.collect()
        self.computed = model.computed
        self._left -= 1
        if not self._left:
            with self._state:
                had, self._over = not self._over, True
            if had:
                self._models.end(self._key, whole=True)
        return result

    def _drop(self) -> None:
        """Nothing: a model with frames in flight is closed by `close`."""

    def _at_work(self) -> ModelSwitch:
        if self._model is None or self._over:
            raise UsageError("this segment is over")
        return self._model

    def _take(self) -> None:
        model = self._models.begin(self._key, self._spec, self._info)
        with self._state:
            self._model, self._facts = model, model.facts
            late = self._over
        if late:  # it was closed while it waited
            self._models.end(self._key, whole=True)
        self.began_s = time.monotonic()


def _open_model(spec: JobSpec, info: StreamInfo) -> ModelSwitch:
    upscaler, result = open_upscaler(spec, info.size, bits=info.format.bits, measured=True)
    still = spec.still or EXACT
    return ModelSwitch(upscaler, result, _no_other, still=still, strength=spec.strength)


def _no_other(name: str) -> Upscaler:
    raise UsageError(f"{name}: a library keeps its model")
