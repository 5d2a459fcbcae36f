"""A model at work on one video, in three steps: network input, network, upscaled frame.

``frame -> network_input -> [image filters] -> Network -> at_strength -> assemble -> frame``

`session/network.py` has the middle layer. What remembers something between frames is a layer of its
own with a `reset`: a `Network` around another one (blocks that did not change), or a filter of the
network's input (noise averaged where nothing moves). `ModelSession` builds the layers and resets
them together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import BackendError, FrameError
from edge_sr.media.chroma import resize_chroma
from edge_sr.media.color import rgb_to_yuv, yuv_to_rgb
from edge_sr.media.frame import Frame, Plane
from edge_sr.session.base import Facts, Session
from edge_sr.session.calm import Calm
from edge_sr.session.network import ModelRunner, Network
from edge_sr.session.still import LEAST_PIXELS, OFF, StillNetwork
from edge_sr.session.strength import at_strength
from edge_sr.types import Size

Image = NDArray[np.uint8]
Chroma = tuple[Plane, Plane]


def network_input(frame: Frame, color: str) -> Image:
    """What the network gets of a frame: uint8 (H, W, 1), a view of its luma, or (H, W, 3) RGB.

    Luma of more than 8 bits is a view too, uint8 (H, W, 2), low byte first.

    Args:
        color: of the model: "luma" or "rgb".

    Raises:
        FrameError: more than 8 bits, and a model of RGB.
    """
    if frame.format.bits > 8:
        return _luma_bytes(frame, color)
    return frame.y[..., None] if color == "luma" else yuv_to_rgb(frame)


def _luma_bytes(frame: Frame, color: str) -> Image:
    if color != "luma":
        raise FrameError(f"frame has {frame.format.bits} bits; models of RGB take 8: --bits 8")
    return frame.y.view(np.uint8).reshape(*frame.y.shape, 2)


def assemble(frame: Frame, image: Image, color: str, chroma: Chroma | None = None) -> Frame:
    """The upscaled frame, from the network's result; time and colour tags are those of ``frame``.

    Args:
        image: uint8 (H, W, 1 or 3), or (H, W, 2) with the bytes of uint16 samples; kept.
        color: of the model: "luma" or "rgb".
        chroma: u and v for a picture of that size, of a luma model; None to make them now.
    """
    height, size = frame.size.height, Size.of_shape(image.shape)
    if color == "luma":
        u, v = chroma or resize_chroma(frame, *size)
        y: Image = image.view(frame.format.dtype)
        planes = (y[..., 0], u, v)
    else:
        planes = rgb_to_yuv(image, frame.color, height=height)
    return replace(frame, planes=planes, color=frame.color.resized(height, size.height))


@dataclass(frozen=True)
class _InFlight:
    frame: Frame
    image: Image  # what the network got
    chroma: Chroma | None


class ModelSession(Session):
    """Frames through one model. Made by `Upscaler.session`; the model stays open when it closes."""

    def __init__(
        self,
        runner: ModelRunner,
        size: Size,
        facts: Facts,
        *,
        calm: Calm | None = None,
        still: str = OFF,
    ) -> None:
        """Prepare for frames of a size; nothing is allocated before the first one.

        Args:
            size: of the frames to come; frames of another size are taken as well, and prepared
                for when the first one comes.
            calm: averages noise of 8-bit frames over time; belongs to this session.
            still: what is not computed again, as `edge_sr.session.still.parse_still` takes it.
        """
        super().__init__()
        self._runner, self._facts, self._calm, self._wanted = runner, facts, calm, still
        self._network: Network = runner.network(size)
        self._still: StillNetwork | None = None  # around it, from the first frame on
        self._prepared: Size | None = size if still == OFF else None
        self._flight: deque[_InFlight] = deque()
        self._chroma: tuple[Chroma, Chroma] | None = None  # of the last frame, and made of it
        self._notices: list[str] = []

    @property
    def depth(self) -> int:
        """How many frames the backend works on at once; 1 where it cannot, and in tiles."""
        return self._network.depth

    @property
    def facts(self) -> Facts:
        """The model's."""
        return self._facts

    @property
    def notices(self) -> Sequence[str]:
        """The backend's, and why nothing is kept where it was asked for."""
        return [*self._runner.notices, *self._notices]

    def reset(self) -> None:
        """Reset every layer."""
        self._network.reset()
        if self._calm is not None:
            self._calm.reset()

    def skip(self) -> None:
        """The network forgets; the mean of what holds still stays good."""
        self._network.reset()
        if self._calm is not None:
            self._calm.skip()

    def _begin(self, frame: Frame) -> None:
        if frame.size != self._prepared:
            self._prepare(frame.size)
        sidecar = self._runner.sidecar
        if frame.format.bits != sidecar.bits:
            raise FrameError(
                f"frame has {frame.format.bits} bits; {sidecar.name} was opened for {sidecar.bits}"
            )
        image = network_input(frame, sidecar.color)
        if self._calm is not None and sidecar.bits == 8:
            image = self._calm(image)
        self._network.submit(image)
        chroma: Chroma | None = None
        if sidecar.color == "luma":  # made while a GPU works on the luma
            chroma = self._resized_chroma(frame, *sidecar.output_size(*frame.size))
        self._flight.append(_InFlight(frame, image, chroma))

    def _prepare(self, size: Size) -> None:
        """The layers for frames of this size."""
        self._network, self._prepared = self._runner.network(size), size
        self._still = self._chroma = None
        if self._wanted == OFF or size.pixels < LEAST_PIXELS:
            return
        try:
            self._still = StillNetwork(self._network, self._runner, size, self._wanted)
        except (FrameError, BackendError) as error:  # one that lasts ends the frame itself
            self._notices[:] = [f"every frame is computed as a whole: {error}"]
        else:
            self._network = self._still

    def _resized_chroma(self, frame: Frame, width: int, height: int) -> Chroma:
        """Of a larger picture; that of the frame before where it is the same."""
        if self._still is None:
            return resize_chroma(frame, width, height)
        if self._chroma is not None:
            (u, v), made = self._chroma
            if np.array_equal(u, frame.u) and np.array_equal(v, frame.v):
                return made
        made = resize_chroma(frame, width, height)
        self._chroma = (frame.u.copy(), frame.v.copy()), made
        return made

    def _finish(self) -> Frame:
        image = self._network.collect()
        if self._still is not None:
            self.computed = self._still.computed
        begun = self._flight.popleft()
        bits = self._runner.sidecar.bits
        image = at_strength(begun.image, image, self.strength, bits=bits)
        return assemble(begun.frame, image, self._runner.sidecar.color, begun.chroma)

    def _drop(self) -> None:
        self._flight.clear()
        self._network.drop()
