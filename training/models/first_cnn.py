"""first-cnn: the 2020 project's first network, kept as a baseline."""

from __future__ import annotations

from fractions import Fraction

import keras

from training.models.layers import DepthToSpace


def first_cnn(*, scale: str = "3/2", name: str | None = None) -> keras.Model:
    """Build the network: RGB 1280x720 in, RGB 1920x1080 out, levels 0..255 as float32.

    Input ``(N, 720, 1280, 3)``; output ``(N, 1080, 1920, 3)``, unclipped above, never negative
    (the last convolution has a ReLU). Fixed size, 3,139,670 parameters:

    ===========================  ===================  ==========
    layer, each with ReLU        output, rows x cols  parameters
    ===========================  ===================  ==========
    5x5 stride 5, 128 filters    144 x 256 x 128           9,728
    4x4 valid, 150               141 x 253 x 150         307,350
    7x14 valid, 192              135 x 240 x 192       2,822,592
    depth-to-space 8             1080 x 1920 x 3               0
    ===========================  ===================  ==========

    There is no bicubic skip. The last layer starts as mid-grey (bias 0.5, small kernel): from a
    zero bias its ReLU would leave about half of the 192 sub-pixel channels dark for good.

    Raises:
        ValueError: the scale is not 3/2.
    """
    if Fraction(scale) != Fraction(3, 2):
        raise ValueError(
            f"scale is {scale}; first_cnn is made for 3/2 only (1280x720 to 1920x1080)"
        )
    frame = keras.Input((720, 1280, 3), name="frame")
    x = keras.layers.Rescaling(1 / 255, name="unit")(frame)
    conv = keras.layers.Conv2D
    he = "he_normal"
    x = conv(128, 5, strides=5, activation="relu", kernel_initializer=he, name="patches")(x)
    x = conv(150, 4, activation="relu", kernel_initializer=he, name="near")(x)
    x = conv(
        192,
        (7, 14),
        activation="relu",
        kernel_initializer=keras.initializers.RandomNormal(stddev=1e-4),
        bias_initializer=keras.initializers.Constant(0.5),
        name="far",
    )(x)
    x = DepthToSpace(8, name="shuffle")(x)
    y = keras.layers.Rescaling(255.0, name="levels")(x)
    return keras.Model(frame, y, name=name or "first-cnn-x1.5")
