"""What an image network takes and gives: uint8 NHWC frames, or float NCHW (external models)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from calibration.network.session import open_session, run
from edge_sr.errors import BackendError, FrameError, ModelFileError
from edge_sr.model.value_range import AUTO, RANGES, ValueRange

Image = NDArray[np.uint8]
FLOAT, UINT8 = onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8
LIKENESS_DB = 12.0  # any upscaler is this near to plain repetition of pixels


@dataclass(frozen=True)
class FrameIO:
    """How to give a network an image and how to read its result."""

    input: str
    output: str
    frames: bool  # uint8 (1, H, W, C) both ways; else float32 (1, C, H, W)
    channels: int  # 1: luma, 3: RGB
    taken: ValueRange  # black and white of a float input
    given: ValueRange  # and of a float output
    scale: Fraction  # output side / input side
    size: tuple[int, int] | None  # (rows, columns) if the network takes one size only

    @property
    def color(self) -> str:
        """ "luma" or "rgb", as sidecars have it."""
        return "luma" if self.channels == 1 else "rgb"

    def feed(self, image: Image) -> np.ndarray:
        """uint8 (H, W, C) -> what the network takes.

        Raises:
            FrameError: wrong channels, or not the one size taken.
        """
        if image.ndim != 3 or image.shape[2] != self.channels:
            raise FrameError(
                f"image is {image.shape}; the network takes (H, W, {self.channels}): {self.color}"
            )
        if self.size and image.shape[:2] != self.size:
            rows, columns = self.size
            raise FrameError(
                f"image is {image.shape[1]}x{image.shape[0]}; the network takes {columns}x{rows} "
                "only: collect frames of that size"
            )
        if self.frames:
            return np.ascontiguousarray(image[None])
        planes = image.transpose(2, 0, 1)[None].astype(np.float32)
        levels, offset = self.taken
        return np.ascontiguousarray(planes * np.float32(levels / 255) + np.float32(offset))

    def fetch(self, result: np.ndarray) -> Image:
        """What the network gives -> uint8 (H, W, C).

        Raises:
            BackendError: the result holds NaN or infinity.
        """
        if self.frames:
            frame: Image = result[0]
            return frame
        if not np.isfinite(result).all():
            raise BackendError(f"the network's result {self.output} holds NaN or infinity")
        levels, offset = self.given
        grey = (result[0].astype(np.float32) - np.float32(offset)) * np.float32(255 / levels)
        image: Image = np.clip(np.rint(grey), 0, 255).astype(np.uint8).transpose(1, 2, 0)
        return image


def read_frame_io(
    path: Path, model: onnx.ModelProto, *, input_range: str = AUTO, output_range: str = AUTO
) -> FrameIO:
    """Find out what the network takes and gives, by its declared tensors and by running it.

    Args:
        input_range, output_range: of a float network, keys of RANGES; "auto" tries all and takes
            the one whose result looks most like the enlarged input.

    Raises:
        ModelFileError: it is no image-to-image network.
    """
    known = {item.name for item in model.graph.initializer}
    inputs = [item for item in model.graph.input if item.name not in known]
    if len(inputs) != 1 or len(model.graph.output) != 1:
        raise ModelFileError(
            f"{path}: has {len(inputs)} inputs and {len(model.graph.output)} outputs; "
            "expected one image in and one out"
        )
    source, result = inputs[0], model.graph.output[0]
    kinds = (source.type.tensor_type.elem_type, result.type.tensor_type.elem_type)
    if kinds not in ((UINT8, UINT8), (FLOAT, FLOAT)):
        names = " and ".join(onnx.TensorProto.DataType.Name(kind).lower() for kind in kinds)
        raise ModelFileError(
            f"{path}: its input and output are {names}; expected both uint8 or both float32: "
            "python -m convert.import_onnx makes such a file of it"
        )
    frames = kinds[0] == UINT8
    dims = [item.dim_value for item in source.type.tensor_type.shape.dim]
    channels = dims[3 if frames else 1] if len(dims) == 4 else 0
    if channels not in (1, 3) or dims[0] not in (0, 1):
        wanted = "(1, H, W, 1 or 3)" if frames else "(1, 1 or 3, H, W)"
        raise ModelFileError(
            f"{path}: input shape is {dims}; expected {wanted}: "
            "python -m convert.import_onnx makes such a file of it"
        )
    rows, columns = dims[1:3] if frames else dims[2:4]
    size = (rows, columns) if rows and columns else None
    byte = RANGES["0..255"]
    io = FrameIO(source.name, result.name, frames, channels, byte, byte, Fraction(1), size)
    tried = [(byte, byte)]
    if not frames:
        tried = [
            (RANGES[taken], RANGES[given])
            for taken in (RANGES if input_range == AUTO else (input_range,))
            for given in (RANGES if output_range == AUTO else (output_range,))
        ]
    return _probe(path, model, io, tried)


def _probe(
    path: Path, model: onnx.ModelProto, io: FrameIO, ranges: list[tuple[ValueRange, ValueRange]]
) -> FrameIO:
    """Run the network on a soft picture: its scale, and the ranges that make a picture of it."""
    session = open_session(model)
    image = _soft_picture(*(io.size or (64, 80)), io.channels)
    best: tuple[float, FrameIO] | None = None
    for taken, given in ranges:
        tried = replace(io, taken=taken, given=given)
        found = run(session, tried.feed(image))[0]
        if found.ndim != 4 or found.shape[3 if io.frames else 1] != io.channels:
            raise ModelFileError(
                f"{path}: gives {found.shape} for {image.shape}; expected an image"
            )
        result = tried.fetch(np.nan_to_num(found) if found.dtype == np.float32 else found)
        scale = Fraction(result.shape[0], image.shape[0])
        near = _likeness(image, result)
        if best is None or near > best[0]:
            best = (near, replace(tried, scale=scale))
    assert best is not None  # noqa: S101 - there is at least one pair
    if len(ranges) > 1 and best[0] < LIKENESS_DB:
        raise ModelFileError(
            f"{path}: its result looks like no picture with black and white as "
            f"{', '.join(RANGES)}; say which it is with --range"
        )
    return best[1]


def _soft_picture(rows: int, columns: int, channels: int) -> Image:
    y, x = np.mgrid[0:rows, 0:columns] / 16
    planes = [127.5 + 80 * np.sin(x + c) * np.cos(y - c) for c in range(channels)]
    return np.stack(planes, axis=-1).astype(np.uint8)


def _likeness(image: Image, result: Image) -> float:
    """PSNR in dB between a result and the image with its pixels repeated."""
    rows, columns = (
        np.arange(side) * image.shape[axis] // side for axis, side in enumerate(result.shape[:2])
    )
    error: Any = image[rows][:, columns].astype(np.float64) - result
    return float(10 * np.log10(255**2 / max(np.mean(error**2), 1e-3)))
