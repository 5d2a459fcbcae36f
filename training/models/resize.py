"""Registered Keras layers that resize by fixed bicubic weights; nothing in them is trained.

The kernel is Keys' with a = -0.5, and the picture is edge-replicated. Pillow instead leaves out
the taps beyond the border and rescales the rest; the two agree exactly two pixels inside it.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from training.models.layers import PACKAGE


def cubic(x: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel with a = -0.5, as MATLAB's and Pillow's bicubic use.

    ``x`` is float, of any shape: distances in samples.

    Source: R. Keys, "Cubic convolution interpolation for digital image processing", 1981.
    """
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def bicubic_taps(scale: Fraction) -> tuple[int, int, np.ndarray]:
    """One-dimensional bicubic upsampling as a strided convolution.

    A block of ``scale.denominator`` input samples becomes ``scale.numerator`` output samples.
    Returns (pad before, pad after, taps) where taps is float64 (span, numerator): the span of
    input samples, starting ``pad before`` left of the block, that the outputs draw from.
    """
    inputs, outputs = scale.denominator, scale.numerator
    centres = (np.arange(outputs) + 0.5) / float(scale) - 0.5
    first = int(np.floor(centres).min()) - 1
    last = int(np.floor(centres).max()) + 2
    positions = np.arange(first, last + 1)
    taps = cubic(positions[:, None] - centres[None, :])
    return -first, last - inputs + 1, taps / taps.sum(axis=0)


def bicubic_matrix(inputs: int, outputs: int) -> np.ndarray:
    """One-dimensional bicubic upsampling to any length: float32 (outputs, inputs)."""
    centres = (np.arange(outputs) + 0.5) * inputs / outputs - 0.5
    positions = np.floor(centres).astype(int)[:, None] + np.arange(-1, 3)
    matrix = np.zeros((outputs, inputs))
    rows = np.broadcast_to(np.arange(outputs)[:, None], positions.shape)
    taps = cubic(positions - centres[:, None])
    np.add.at(matrix, (rows, positions.clip(0, inputs - 1)), taps)
    return matrix.astype(np.float32)


@keras.saving.register_keras_serializable(package=PACKAGE)
class BicubicAnchor(keras.layers.Layer):  # type: ignore[misc]
    """Bicubic upsampling, left as channels for a depth-to-space that follows.

    (N, H, W, C) float32 -> (N, H/d, W/d, n*n*C) for scale n/d, H and W multiples of d: a fixed
    convolution over the edge-replicated picture.
    """

    def __init__(self, scale: str, *, padding: str = "edge", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.padding = padding
        self.ratio = Fraction(scale)
        if self.ratio < 1:
            raise ValueError(f"scale is {scale}; BicubicAnchor only enlarges: expected 1 or more")
        self.before, self.after, self.line = bicubic_taps(self.ratio)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels, span = int(input_shape[-1] or 0), len(self.line)
        # every channel by itself; a depth-to-space reads the offset first, then the channel
        kernel = np.einsum("yi,xj,co->yxcijo", self.line, self.line, np.eye(channels))
        self.taps = kernel.reshape(span, span, channels, -1).astype(np.float32)

    def call(self, x: Any) -> Any:
        if self.padding == "reflect":  # for the exporter, which turns the ONNX Pad to "edge"
            both = [self.before, self.after]
            padded = tf.pad(x, [[0, 0], both, both, [0, 0]], mode="REFLECT")
        else:
            padded = x
            for axis in (1, 2):
                first = ops.take(padded, [0], axis=axis)
                last = ops.take(padded, [-1], axis=axis)
                parts = [first] * self.before + [padded] + [last] * self.after
                padded = ops.concatenate(parts, axis=axis)
        return ops.conv(padded, self.taps, strides=self.ratio.denominator, padding="valid")

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        side = [None if n is None else n // self.ratio.denominator for n in shape[1:3]]
        return (shape[0], *side, self.ratio.numerator**2 * int(shape[3] or 0))

    def get_config(self) -> dict[str, Any]:
        return dict(super().get_config()) | {"scale": self.scale, "padding": self.padding}


@keras.saving.register_keras_serializable(package=PACKAGE)
class BicubicResize(keras.layers.Layer):  # type: ignore[misc]
    """Bicubic upsampling of a fixed size to any larger one, by two constant matrices.

    (N, H, W, C) float32 -> (N, height, width, C). For ratios such as 1366/1280 that have no
    short strided convolution; (H + width) * height * W * C multiplications, so not for every size.
    """

    def __init__(self, height: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height = height
        self.width = width

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        rows, columns = input_shape[1:3]
        if rows is None or columns is None or rows > self.height or columns > self.width:
            raise ValueError(
                f"input is {columns}x{rows}; BicubicResize needs a fixed size, "
                f"at most {self.width}x{self.height}"
            )
        self.down = bicubic_matrix(rows, self.height)
        self.across = bicubic_matrix(columns, self.width).T.copy()

    def call(self, x: Any) -> Any:
        planes = ops.transpose(x, (0, 3, 1, 2))
        planes = ops.matmul(ops.matmul(self.down, planes), self.across)
        return ops.transpose(planes, (0, 2, 3, 1))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (shape[0], self.height, self.width, shape[3])

    def get_config(self) -> dict[str, Any]:
        return dict(super().get_config()) | {"height": self.height, "width": self.width}
