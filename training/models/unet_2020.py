"""unet-2020: the topology of the 2020 project's U-Net, kept as a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import keras

from training.models.layers import DepthToSpace
from training.models.resize import BicubicAnchor, BicubicResize

SCALES = ("2", "3/2", "5/4")  # whose bicubic is a short strided convolution
WIDTHS = (16, 32, 48, 64, 64)  # channels at 1/1, 1/2, 1/4, 1/8 and 1/16 of the input
THIN = 4  # channels at 1/80, around the dense layer
FINE = 8  # channels at twice the input


def unet_2020(
    *,
    scale: str = "2",
    target: Sequence[int] | None = None,
    height: int = 720,
    width: int = 1280,
    name: str | None = None,
) -> keras.Model:
    """Build the network: RGB of one fixed size in and out, levels 0..255 as float32.

    Input ``(N, height, width, 3)``; output ``(N, rows, columns, 3)``, unclipped, where columns x
    rows is ``target`` or the input times ``scale``.

    The topology is that of 2020: strided residual blocks 1280x720 -> 640x360 -> 320x180 ->
    160x90 -> 80x45 -> 16x9 (the last of stride 5), a dense layer over the flattened 16x9 map,
    transposed convolutions (stride 5, then 2) with an additive skip at every equal resolution
    back to 1280x720 and on to 2560x1440, a bilinear resize of that residual to the target, and
    the bicubic of the input added at the output; the last layer starts at zero, so that training
    begins at bicubic. Its notes give no channel counts, so the widths
    are ours: 16, 32, 48, 64, 64 channels downwards; 4 at 16x9, so that the dense layer is
    576 -> 576 (332,352 of the 726,223 parameters); 8 at 2560x1440.

    Nothing trained depends on the target: one network serves all targets of an input size.

    Args:
        scale: "2", "3/2" or "5/4"; left aside when there is a target.
        target: (columns, rows) of the output for any other ratio up to 2, e.g. (1366, 768).
        height, width: of the input; multiples of 80.

    Raises:
        ValueError: a size is not a multiple of 80, or the scale or target is out of reach.
    """
    if min(height, width) < 80 or height % 80 or width % 80:
        raise ValueError(f"input is {width}x{height}; unet_2020 needs multiples of 80")
    columns, rows = _target(scale, target, height, width)
    frame = keras.Input((height, width, 3), name="frame")
    centred = keras.layers.Rescaling(1 / 255, offset=-0.5, name="centre")(frame)
    residual = _decode(*_encode(centred))
    if (rows, columns) != (2 * height, 2 * width):
        residual = keras.layers.Resizing(rows, columns, name="fit")(residual)
    y = keras.layers.Add(name="restore")([residual, _bicubic(centred, rows, columns)])
    y = keras.layers.Rescaling(255.0, offset=127.5, name="levels")(y)
    return keras.Model(frame, y, name=name or f"unet-2020-{columns}x{rows}")


def _target(scale: str, target: Sequence[int] | None, height: int, width: int) -> tuple[int, int]:
    """(columns, rows) of the output, checked."""
    if target is None:
        if Fraction(scale) not in [Fraction(known) for known in SCALES]:
            raise ValueError(
                f"scale is {scale}; unet_2020 takes one of {', '.join(SCALES)}, or target"
            )
        return int(width * Fraction(scale)), int(height * Fraction(scale))
    if len(target) != 2 or not (
        width <= target[0] <= 2 * width and height <= target[1] <= 2 * height
    ):
        raise ValueError(
            f"target is {'x'.join(map(str, target))}; expected two numbers, "
            f"{width}x{height} to {2 * width}x{2 * height}"
        )
    return target[0], target[1]


def _block(x: Any, filters: int, stride: int, label: str) -> Any:
    """A strided residual block: two convolutions beside one of stride x stride patches."""
    conv = keras.layers.Conv2D
    options = {"padding": "same", "kernel_initializer": "he_normal"}
    kernel = 3 if stride == 2 else stride
    y = conv(filters, kernel, strides=stride, activation="relu", name=f"{label}_a", **options)(x)
    y = conv(filters, 3, name=f"{label}_b", **options)(y)
    passed = conv(filters, stride, strides=stride, name=f"{label}_pass", **options)(x)
    y = keras.layers.Add(name=f"{label}_add")([y, passed])
    return keras.layers.ReLU(name=f"{label}_relu")(y)


def _encode(centred: Any) -> tuple[Any, list[Any]]:
    """The map behind the dense layer, at 1/80, and the skips from 1/1 to 1/16."""
    x = keras.layers.Conv2D(
        WIDTHS[0], 3, padding="same", activation="relu", kernel_initializer="he_normal", name="stem"
    )(centred)
    skips = [x]
    for level, filters in enumerate(WIDTHS[1:], start=1):
        x = _block(x, filters, 2, f"down{level}")
        skips.append(x)
    x = _block(x, THIN, 5, "down5")
    shape = x.shape[1:]
    flat = keras.layers.Flatten(name="flat")(x)
    dense = keras.layers.Dense(flat.shape[-1], activation="relu", name="dense")(flat)
    return keras.layers.Reshape(shape, name="unflat")(dense), skips


def _decode(x: Any, skips: list[Any]) -> Any:
    """The residual at twice the input's size, three channels."""
    up = keras.layers.Conv2DTranspose
    for level in reversed(range(len(skips))):
        stride, kernel = (5, 5) if level == len(skips) - 1 else (2, 4)
        x = up(WIDTHS[level], kernel, strides=stride, padding="same", name=f"up{level}")(x)
        x = keras.layers.Add(name=f"skip{level}")([x, skips[level]])
        x = keras.layers.ReLU(name=f"up{level}_relu")(x)
    x = up(FINE, 4, strides=2, padding="same", activation="relu", name="up_fine")(x)
    return keras.layers.Conv2D(3, 3, padding="same", kernel_initializer="zeros", name="head")(x)


def _bicubic(centred: Any, rows: int, columns: int) -> Any:
    """The input enlarged by bicubic to (N, rows, columns, 3)."""
    ratios = {Fraction(rows, centred.shape[1]), Fraction(columns, centred.shape[2])}
    ratio = ratios.pop()
    if ratios or ratio not in [Fraction(known) for known in SCALES]:
        return BicubicResize(rows, columns, name="anchor")(centred)
    anchor = BicubicAnchor(str(ratio), name="anchor")(centred)
    return DepthToSpace(ratio.numerator, name="shuffle")(anchor)
