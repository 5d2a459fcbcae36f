"""The Python API: open a model, upscale images, frames and whole streams."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr import zoo
from edge_sr.backend import Backend, open_backend
from edge_sr.closing import Closing
from edge_sr.errors import FrameError, UsageError
from edge_sr.media.frame import Frame, Plane
from edge_sr.media.protocols import Source
from edge_sr.media.sources.open import open_source
from edge_sr.media.stills.upscale import upscale_still
from edge_sr.model.precision import find_model
from edge_sr.model.sidecar import Sidecar
from edge_sr.pipeline.pipeline import shots
from edge_sr.pipeline.stats import Stats
from edge_sr.session.base import Facts, Session
from edge_sr.session.calm import make_calm
from edge_sr.session.model_session import ModelSession, assemble, network_input
from edge_sr.session.network import ModelRunner
from edge_sr.session.still import EXACT, OFF, parse_still
from edge_sr.session.strength import FULL, at_strength, check_strength
from edge_sr.types import Size

Image = NDArray[Any]  # uint8, or uint16 of 16 bits per channel
DEFAULT_SIZE = Size(1280, 720)


class Upscaler(Closing):
    """A model that is ready to run. Use it as a context manager, or call `close`.

    >>> with Upscaler.open("edge-unet-s-x2") as upscaler:
    ...     big = upscaler.upscale(image)
    """

    def __init__(
        self, backend: Backend, sidecar: Sidecar, *, tile: int | None = None, why: str = ""
    ) -> None:
        """Use an open backend; `Upscaler.open` is what a program wants.

        Args:
            tile: as for `open`.
            why: one line on how precision and backend were chosen, where that was a choice.
        """
        self.backend, self.sidecar, self.why = backend, sidecar, why
        self._runner = ModelRunner(backend, sidecar, tile=tile)

    @classmethod
    def open(
        cls,
        model: str = zoo.DEFAULT,
        *,
        scale: Fraction | float | None = None,
        precision: str | None = None,
        size: tuple[int, int] = DEFAULT_SIZE,
        backend: str = "auto",
        threads: int | None = None,
        slots: int = 2,
        graphs: str = "auto",
        tile: int | None = None,
        bits: int = 8,
        device: str | None = None,
    ) -> Upscaler:
        """Open a shipped model by name (``edge-sr models`` lists them), ``.onnx`` or ``.engine``.

        Args:
            scale: output side / input side, which picks among a family such as "edge-unet-s";
                None for 2 there, and for the model's own scale elsewhere.
            precision: "fp32", "fp16", "int8"; "bf16" and "int8-bf16" in OpenVINO; None for fp16
                with TensorRT and fp32 elsewhere; "auto" for fp16 with TensorRT, and elsewhere the
                fastest on this CPU that loses 0.05 dB at most, found by running each for a moment,
                once. ``backend.precision`` has the result.
            size: (width, height) of the frames to come, for "auto" and for the engine.
            backend: "auto", "onnxruntime", "openvino", "tensorrt" or "nearest". TensorRT takes the
                engine of the model for this size from the cache, or builds it, which takes minutes.
                With "auto" and a precision that is given, the faster runtime of the CPU is found
                in the same way.
            threads: for CPU inference; None for all cores.
            slots: frames that may be in flight, on a GPU or in OpenVINO, with buffers of their own.
            graphs: replay the GPU's work as CUDA graphs: "on", "off", or "auto" where the slowest
                frames are not slower by it.
            tile: side of the tiles that a large frame is cut into, in input pixels, a multiple of
                16; 0 for never, None to cut frames above 4 megapixels.
            bits: of a sample of the frames and images to come, 8 to 16. RGB models and engines
                have the depth that they have: see ``sidecar.bits``.
            device: of OpenVINO: "CPU", "GPU" or "NPU"; None for the CPU.

        Raises:
            UsageError: the model has another scale, or options do not go together.
            ModelFileError, BackendError, MissingDependencyError: it cannot be opened.
        """
        wanted = None if scale is None else Fraction(scale).limit_denominator(1000)
        found = open_nearest(
            model,
            ratio=wanted or Fraction(2),
            precision=precision,
            size=size,
            backend=backend,
            threads=threads,
            slots=slots,
            graphs=graphs,
            tile=tile,
            bits=bits,
            device=device,
        )
        if wanted not in (None, found.sidecar.ratio):
            found.close()
            raise UsageError(
                f"{found.sidecar.name} upscales by {float(found.sidecar.ratio):g}, not by "
                f"{float(wanted or 0):g}: leave scale out, or choose another model"
            )
        return found

    def session(
        self,
        size: tuple[int, int],
        *,
        calm: str = "off",
        still: str = OFF,
        strength: float = FULL,
    ) -> Session:
        """A session for the frames of one video; see `Session`. Several may be open at a time.

        Args:
            size: (width, height) of the frames to come.
            calm: average noise over time where nothing moves, before the network: "off", "auto"
                where it is noisy, or a strength from "0" to "1". Frames of 8 bits only.
            still: parts of a frame that hold still are not computed again: "off"; "exact", where
                every pixel is the same, with the same results; "3", where no pixel differs by more
                than 3 grey levels; "auto", where 0.05 dB is lost at most, up to 16 levels. A
                result's luma is read-only then: the next one may share it.
            strength: 0 (bicubic) to 1 (the network's picture) to 1.5 (more of what it adds); see
                `Session.strength`, which can be set later.

        Raises:
            UsageError: another value of ``calm``, ``still`` or ``strength``.
        """
        try:
            parse_still(still)
        except ValueError as error:
            raise UsageError(f"still is {error}") from error
        backend = self.backend
        facts = Facts(self.sidecar.name, backend.precision, backend.name, backend.device)
        made = ModelSession(self._runner, Size(*size), facts, calm=make_calm(calm), still=still)
        made.strength = strength
        return made

    def upscale(self, image: Image, *, strength: float = FULL) -> Image:
        """Upscale a still image and keep its kind.

        uint8 (H, W) grey, (H, W, 2) grey and alpha, (H, W, 3) RGB or (H, W, 4) RGBA, full range,
        becomes the same at (floor(H*scale), floor(W*scale)). Colour and alpha that the model does
        not see are resized bicubically. The result is yours to keep. A model that was opened with
        ``bits=16`` takes and gives uint16, 0 to 65535.

        Args:
            strength: as for `session`.

        Raises:
            UsageError: another strength.
            FrameError: another dtype or shape, or a size the model does not take.
            BackendError: the runtime failed.
        """
        kinds = image.ndim == 2 or (image.ndim == 3 and 1 <= image.shape[2] <= 4)
        bits = self.sidecar.bits
        if image.dtype != {8: np.uint8, 16: np.uint16}.get(bits) or not kinds:
            wanted = {8: "uint8", 16: "uint16"}.get(bits, f"frames of {bits} bits, not images,")
            raise FrameError(
                f"image is {image.dtype} {image.shape}; expected {wanted} (H, W) or (H, W, 1 to 4)"
            )
        check_strength(strength)

        def run(part: Image) -> Image:
            given = part if bits == 8 else np.ascontiguousarray(part).view(np.uint8)
            return self._run(given, strength).view(part.dtype)

        return upscale_still(image, self.sidecar.color, run)

    def _run(self, image: NDArray[np.uint8], strength: float) -> NDArray[np.uint8]:
        """What the network makes of an image of its kind, at a strength."""
        made = self._runner.run(image)
        return at_strength(image, made, strength, bits=self.sidecar.bits)

    def upscale_frame(self, frame: Frame, *, strength: float = FULL) -> Frame:
        """Upscale one planar YUV 4:2:0 frame; time and colour tags are carried over.

        A luma model upscales y, and u and v are resized with their siting kept; an RGB model gets
        the frame converted with its own matrix and range. The result is yours to keep. For the
        frames of a video, use a `session`.

        Args:
            strength: as for `session`.

        Raises:
            UsageError: another strength.
            FrameError: a size the model does not take.
            BackendError: the runtime failed.
        """
        check_strength(strength)
        return self.assemble(frame, self._run(self.network_input(frame), strength))

    def network_input(self, frame: Frame) -> Image:
        """What the network gets of a frame: uint8 (H, W, C); luma is a view."""
        return network_input(frame, self.sidecar.color)

    def assemble(
        self, frame: Frame, image: Image, chroma: tuple[Plane, Plane] | None = None
    ) -> Frame:
        """The upscaled frame, from the network's result.

        Args:
            image: uint8 (H, W, C), kept.
            chroma: u and v of that size, of a luma model; None to make them now.
        """
        return assemble(frame, image, self.sidecar.color, chroma)

    @property
    def notices(self) -> Sequence[str]:
        """What the backend reports about the run so far, one line each."""
        return self._runner.notices

    def stream(self, source: str | Source) -> Generator[Frame, None, None]:
        """Upscale every frame of a video, camera, stream or ``test://`` picture, as they come.

        Reading and upscaling go on beside the loop that takes the frames. A camera or a network
        stream gives its newest frame and is opened again when it breaks; of a file, none is lost.

        >>> for frame in upscaler.stream("film.mp4"):
        ...     print(frame.y.shape)

        Args:
            source: what ``edge-sr run`` takes as its input, or a source that is open already.

        Raises:
            MediaError: it cannot be read.
        """
        with contextlib.ExitStack() as stack:
            if isinstance(source, str):
                deep = self.sidecar.bits > 8
                source = stack.enter_context(open_source(source, keep_depth=deep))
            session = stack.enter_context(self.session(source.info.size, still=EXACT))
            found = stack.enter_context(contextlib.closing(shots(source, session, Stats())))
            for shot in found:
                yield shot.after

    def close(self) -> None:
        """Free the model; safe to call twice. Its sessions end with it."""
        self.backend.close()


def open_nearest(
    model: str,
    *,
    ratio: Fraction,
    precision: str | None = None,
    size: tuple[int, int] = DEFAULT_SIZE,
    backend: str = "auto",
    threads: int | None = None,
    slots: int = 2,
    graphs: str = "auto",
    tile: int | None = None,
    bits: int = 8,
    device: str | None = None,
) -> Upscaler:
    """As `Upscaler.open`, for a ratio that no model needs to have; the caller resizes the result.

    Args:
        ratio: of a family, the smallest scale that reaches it is taken, or the largest there
            is; a single model is opened whatever its scale.

    Raises:
        UsageError, ModelFileError, BackendError, MissingDependencyError: as `Upscaler.open`.
    """
    choice = find_model(
        model,
        ratio,
        precision=precision,
        size=size,
        backend=backend,
        threads=threads,
        bits=bits,
        device=device,
    )
    opened = open_backend(
        choice.path,
        choice.sidecar,
        backend=choice.backend,
        threads=threads,
        slots=slots,
        graphs=graphs,
        bf16=choice.bf16,
        device=device,
    )
    return Upscaler(opened, choice.sidecar, tile=tile, why=choice.why)


def list_models() -> list[Sidecar]:
    """The facts of every shipped model file for ONNX Runtime, fp32 and int8, by name."""
    return [zoo.find(name)[1] for name in sorted([*zoo.names(), *zoo.names("int8")])]
