"""Sessions, networks and backends that show what they were given, for tests without a model."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np

from edge_sr import zoo
from edge_sr.backend.nearest import NearestBackend
from edge_sr.backend.protocol import check_frame
from edge_sr.errors import BackendError
from edge_sr.media.frame import Color, Frame
from edge_sr.model.sidecar import Sidecar
from edge_sr.pipeline.shot import Shot
from edge_sr.session.base import Facts, FunctionSession, Session
from edge_sr.session.model_session import ModelSession
from edge_sr.session.network import Image, ModelRunner, Network
from edge_sr.types import Size
from edge_sr.upscaler import Upscaler

FACTS = Facts("test", "fp32", "nearest", "CPU")
TAGGED = Color(matrix=1, primaries=1, transfer=1, full_range=False, chroma_location=1)


def flat(level: int, size: Size = Size(16, 8), pts: int = 0, **options: object) -> Frame:  # noqa: B008 - it is frozen
    """A frame of one luma level."""
    chroma = np.full((size.height // 2, size.width // 2), 128, np.uint8)
    luma = np.full((size.height, size.width), level, np.uint8)
    frame = Frame((luma, chroma, chroma), pts, Fraction(1, 25), TAGGED)
    return replace(frame, **options) if options else frame  # type: ignore[arg-type]


def a_shot() -> Shot:
    """Before is dark, after is light, both flat."""
    return Shot(flat(60, Size(64, 48)), flat(180, Size(128, 96)), 0.0, 0.01)


def as_session(function: Callable[[Frame], Frame] = lambda frame: frame) -> Session:
    """A session that calls a function."""
    return FunctionSession(function, FACTS)


def nearest_sidecar() -> Sidecar:
    """Of a luma model at x2."""
    return zoo.find("edge-unet-s-x2")[1]


class SlottedNearest(NearestBackend):
    """The nearest backend with several frames at once, as a GPU's: results are overwritten."""

    def __init__(self, sidecar: Sidecar, slots: int = 2) -> None:
        super().__init__(sidecar)
        self.slots = slots
        self.flight: deque[Image] = deque()
        self.fails = False
        self._result = np.zeros(0, np.uint8)

    def submit(self, frame: Image) -> None:
        """As `Overlapping.submit`."""
        check_frame(frame, self.sidecar)
        if len(self.flight) == self.slots:
            raise BackendError("all slots are in flight")
        if self.flight and self.flight[0].shape != frame.shape:
            raise BackendError("the frame size changed with frames in flight")
        self._result[...] = 255  # whoever still looks at the last result sees it change
        self.flight.append(frame.copy())

    def collect(self) -> Image:
        """As `Overlapping.collect`."""
        if self.fails:
            self.flight.clear()
            raise BackendError("the GPU is gone")
        self._result = super().infer(self.flight.popleft())
        return self._result

    def infer(self, frame: Image) -> Image:
        """As `Backend.infer`."""
        assert not self.flight, "collect the submitted frames first"
        return super().infer(frame)


class Remembering:
    """A layer that remembers: its result has the level of the image before, 0 without one."""

    def __init__(self, inner: Network) -> None:
        self._inner = inner
        self._before = 0
        self._levels: deque[int] = deque()
        self.resets = 0

    @property
    def depth(self) -> int:
        """The inner one's."""
        return self._inner.depth

    def submit(self, image: Image) -> None:
        """As `Network.submit`."""
        self._inner.submit(image)
        self._levels.append(self._before)
        self._before = int(image[0, 0, 0])

    def collect(self) -> Image:
        """As `Network.collect`."""
        result = self._inner.collect()
        result[...] = self._levels.popleft()
        return result

    def reset(self) -> None:
        """Forget the image before."""
        self._inner.reset()
        self._before = 0
        self.resets += 1

    def drop(self) -> None:
        """As `Network.drop`."""
        self._inner.drop()
        self._levels.clear()


class RememberingRunner(ModelRunner):
    """Puts the remembering layer around every network."""

    def network(self, size: Size) -> Network:
        """As `ModelRunner.network`."""
        return Remembering(super().network(size))


class RememberingUpscaler(Upscaler):
    """A model whose sessions remember the frame before, on the nearest backend."""

    def __init__(self, slots: int = 1) -> None:
        sidecar = nearest_sidecar()
        backend = SlottedNearest(sidecar, slots) if slots > 1 else NearestBackend(sidecar)
        super().__init__(backend, sidecar)
        self._runner = RememberingRunner(backend, sidecar)


def level(frame: Frame) -> int:
    """What `Remembering` remembered when it took the frame."""
    return int(frame.y[0, 0])


def remembering_session(slots: int = 1) -> ModelSession:
    """A session of its own model."""
    session = RememberingUpscaler(slots).session(Size(16, 8))
    assert isinstance(session, ModelSession)
    return session
