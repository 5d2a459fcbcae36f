"""The Python API: open a model, upscale images and frames."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge_sr import zoo
from edge_sr.backend import Backend, open_backend
from edge_sr.closing import Closing
from edge_sr.errors import FrameError
from edge_sr.media.frame import Frame, Plane
from edge_sr.media.protocols import Source
from edge_sr.media.sources.open import open_source
from edge_sr.model.sidecar import Sidecar
from edge_sr.pipeline.pipeline import shots
from edge_sr.pipeline.stats import Stats
from edge_sr.session.tiles import find_reach, run_tiled, tile_side

if TYPE_CHECKING:
    from edge_sr.session.overlap import FrameOverlap

Image = NDArray[np.uint8]


class Upscaler(Closing):
    """A model that is ready to run. Use it as a context manager, or call `close`.

    >>> with Upscaler.open("edge-unet-s-x2") as upscaler:
    ...     big = upscaler.upscale(image)
    """

    def __init__(self, backend: Backend, sidecar: Sidecar) -> None:
        self.backend = backend
        self.sidecar = sidecar
        self.tile: int | None = None
        self._reach: int | None = None
        self.why = ""  # one line on precision and backend, where they were chosen

    @classmethod
    def open(
        cls,
        model: str = zoo.DEFAULT,
        *,
        scale: Fraction | float = 2,
        precision: str | None = None,
        size: tuple[int, int] = (1280, 720),
        backend: str = "auto",
        threads: int | None = None,
        slots: int = 2,
        tile: int | None = None,
    ) -> Upscaler:
        """Open a shipped model by name (``edge-sr models`` lists them), ``.onnx`` or ``.engine``.

        Args:
            scale: picks among the scales of a family such as "edge-unet-s"; ignored otherwise.
            precision: "fp32", "fp16", "int8"; None for fp16 with TensorRT and fp32 else; "auto" for
                fp16 with TensorRT, and else the faster of fp32 and int8 here, found by running
                both for a moment. The sidecar's ``precision`` tells which it is.
            size: (columns, rows) of the frames to come, for "auto" and for the engine.
            backend: "auto", "onnxruntime", "tensorrt" or "nearest". TensorRT takes the engine of
                the model for this size from the cache, or builds it, which takes minutes.
            threads: for CPU inference; None for all cores.
            slots: frames that may be in flight on a GPU, each with buffers of its own.
            tile: side of the tiles that a large frame is cut into, in input pixels, a multiple of
                16; 0 for never, None to cut frames above 4 megapixels.

        Raises:
            ModelFileError, BackendError, MissingDependencyError.
        """
        from edge_sr.model.precision import find_model

        settled = find_model(
            model,
            Fraction(scale).limit_denominator(1000),
            precision=precision,
            size=size,
            backend=backend,
            threads=threads,
        )
        opened = cls(
            open_backend(
                settled.path,
                settled.sidecar,
                backend=settled.backend,
                threads=threads,
                slots=slots,
            ),
            settled.sidecar,
        )
        opened.why = settled.why
        opened.tile = tile
        return opened

    def upscale(self, image: Image) -> Image:
        """Upscale a still image and keep its kind.

        uint8 (H, W) grey, (H, W, 2) grey and alpha, (H, W, 3) RGB or (H, W, 4) RGBA, full range,
        becomes the same at (floor(H*scale), floor(W*scale)). Colour and alpha that the model does
        not see are resized bicubically. The result is yours to keep.

        Raises:
            FrameError: another dtype or shape, or a size the model does not take.
        """
        from edge_sr.media.stills.upscale import upscale_still

        kinds = image.ndim == 2 or (image.ndim == 3 and 1 <= image.shape[2] <= 4)
        if image.dtype != np.uint8 or not kinds:
            raise FrameError(
                f"image is {image.dtype} {image.shape}; expected uint8 (H, W) or (H, W, 1 to 4)"
            )
        return upscale_still(image, self.sidecar.color, self._run)

    def upscale_frame(self, frame: Frame) -> Frame:
        """Upscale one planar YUV 4:2:0 frame; time and colour tags are carried over.

        A luma model upscales y, and u and v are resized with their siting kept; an RGB model gets
        the frame converted with its own matrix and range. The result is yours to keep.

        Raises:
            FrameError: a size the model does not take.
        """
        return self.assemble(frame, self._run(self.network_input(frame)))

    def network_input(self, frame: Frame) -> Image:
        """What the network gets of a frame: uint8 (H, W, C); luma is a view."""
        if self.sidecar.color == "luma":
            return frame.y[..., None]
        from edge_sr.media.color import yuv_to_rgb

        return yuv_to_rgb(frame)

    def assemble(
        self, frame: Frame, image: Image, chroma: tuple[Plane, Plane] | None = None
    ) -> Frame:
        """The upscaled frame, from the network's result.

        Args:
            image: uint8 (H, W, C), kept.
            chroma: u and v of that size, of a luma model; None to make them now.
        """
        from edge_sr.media.color import rgb_to_yuv

        height = frame.y.shape[0]
        if self.sidecar.color == "luma":
            from edge_sr.media.chroma import resize_chroma

            y = image[..., 0]
            u, v = chroma or resize_chroma(frame, y.shape[1], y.shape[0])
        else:
            y, u, v = rgb_to_yuv(image, frame.color, height=height)
        color = frame.color.resized(height, y.shape[0])
        return Frame((y, u, v), frame.pts, frame.time_base, color)

    def overlap(self) -> FrameOverlap:
        """Frames through this model, several in flight where the backend can."""
        from edge_sr.session.overlap import FrameOverlap

        return FrameOverlap(self)

    @property
    def notices(self) -> list[str]:
        """What the backend has to say about the run so far, in lines for the user."""
        return list(getattr(self.backend, "notices", []))

    def stream(self, source: str | Source) -> Generator[Frame, None, None]:
        """Upscale every frame of a video, camera, stream or ``test://`` picture, as they come.

        Reading and upscaling go on beside the loop that takes the frames. A camera or a network
        stream gives its newest frame and is opened again when it breaks; of a file, none is lost.

        >>> for frame in upscaler.stream("film.mp4"):
        ...     print(frame.y.shape)

        Args:
            source: what ``edge-sr run --input`` takes, or a source that is open already.

        Raises:
            MediaError: it cannot be read.
        """
        with contextlib.ExitStack() as stack:
            if isinstance(source, str):
                source = stack.enter_context(open_source(source))
            found = stack.enter_context(contextlib.closing(shots(source, self.overlap(), Stats())))
            for shot in found:
                yield shot.after

    def _run(self, image: Image) -> Image:
        """uint8 (H, W, C) -> uint8 (H*scale, W*scale, C) through the backend."""
        side = tile_side(self.tile, *image.shape[:2]) if self.sidecar.width is None else 0
        if not side:
            return self._whole(image)
        if self._reach is None:
            self._reach = find_reach(self._whole, self.sidecar.channels, self.sidecar.ratio)
        return run_tiled(self._whole, image, self.sidecar.ratio, side=side, reach=self._reach)

    def _whole(self, image: Image) -> Image:
        result: Image = self.backend.infer(image[None])[0]
        return result

    def close(self) -> None:
        """Free the model; safe to call twice."""
        self.backend.close()
