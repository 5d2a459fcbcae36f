"""VDSR (Kim et al. 2016, arXiv 1511.04587): the classic deep network, kept as a baseline."""

from __future__ import annotations

from fractions import Fraction

import keras

from training.models.layers import DepthToSpace
from training.models.resize import BicubicAnchor

SCALES = ("2", "3", "4", "3/2", "5/4")


def vdsr(
    *,
    scale: str = "2",
    depth: int = 20,
    width: int = 64,
    biases: bool = True,
    name: str | None = None,
) -> keras.Model:
    """Build the network: luma in, luma out, grey levels 0..255 as float32.

    Input ``(N, H, W, 1)``; output ``(N, H*scale, W*scale, 1)``, unclipped; H and W multiples of
    the scale's denominator. The picture is enlarged by bicubic first (edge-replicated), then 20
    3x3 convolutions at the *large* size make a residual that is added to it: 665 k parameters,
    and at x2 665 k multiplications for every output pixel.

    Args:
        scale: one of 2, 3, 4, 3/2, 5/4.
        depth: convolutions; the paper's is 20.
        width: channels between them; the paper's is 64.
        biases: True, the default, has 665,921 parameters as the authors' network, whose
            convolutions have biases; False has the 664,704 weights that are often quoted, from
            re-implementations that left the biases out.

    The last convolution starts near zero, so that training starts at bicubic; levels are
    centred, ``x/255 - 0.5``, so that the zero padding of the convolutions means grey.

    Raises:
        ValueError: the scale is unknown, or the depth or the width is too small.
    """
    ratio = Fraction(scale)
    if ratio not in [Fraction(known) for known in SCALES]:
        raise ValueError(f"scale is {scale}; vdsr takes one of {', '.join(SCALES)}")
    if depth < 2 or width < 1:
        raise ValueError(f"depth {depth}, width {width}: expected at least 2 and 1")
    frame = keras.Input((None, None, 1), name="frame")
    centred = keras.layers.Rescaling(1 / 255, offset=-0.5, name="centre")(frame)
    anchor = BicubicAnchor(scale, name="anchor")(centred)
    large = DepthToSpace(ratio.numerator, name="shuffle")(anchor)
    x = large
    for index in range(depth - 1):
        x = keras.layers.Conv2D(
            width,
            3,
            padding="same",
            activation="relu",
            use_bias=biases,
            kernel_initializer="he_normal",
            name=f"conv{index + 1}",
        )(x)
    residual = keras.layers.Conv2D(
        1,
        3,
        padding="same",
        use_bias=biases,
        kernel_initializer=keras.initializers.RandomNormal(stddev=1e-5),
        name=f"conv{depth}",
    )(x)
    y = keras.layers.Add(name="restore")([large, residual])
    y = keras.layers.Rescaling(255.0, offset=127.5, name="levels")(y)
    return keras.Model(frame, y, name=name or f"vdsr-x{float(ratio):g}")
