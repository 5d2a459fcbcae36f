"""edge-unet: a luma U-Net for live super-resolution, thin where memory traffic costs most."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import keras

from training.models.layers import DepthToSpace, RepConv2D
from training.models.resize import BicubicAnchor


def edge_unet(
    *,
    scale: str = "2",
    width: int = 16,
    lower_width: int = 16,
    levels: int = 2,
    depth: int = 2,
    lower_depth: int = 2,
    head_depth: int = 0,
    branches: bool = True,
    name: str | None = None,
) -> keras.Model:
    """Build the network: luma in, luma out, grey levels 0..255 as float32.

    Input ``(N, H, W, 1)``; output ``(N, H*scale, W*scale, 1)``, unclipped. H and W must be
    multiples of ``2**(levels - 1)`` (the exported file pads and crops any other size).

    At full resolution: a stem to ``width`` channels, ``depth`` 3x3 convolutions, and ``depth``
    more after the lower levels' context has been added. Each lower level halves the resolution
    by a stride-2 convolution to ``lower_width`` channels, has ``lower_depth`` convolutions, and
    comes back by a 1x1 convolution, nearest-neighbour doubling and an additive skip. The head
    makes the residual, the fixed bicubic anchor is added, one depth-to-space ends it.

    Args:
        scale: "2" or "3/2". At 3/2 the head has stride 2 and 9 channels (3x3 out of 2x2).
        head_depth: 3x3 convolutions of ``width`` channels that the head has before its last one.
            With none the head is a 3x3 convolution; else its last is 1x1 (2x2 at 3/2). A CPU
            computes 16 channels where 4 are asked for, so that the 3x3 to pixels costs nearly as
            much as one from 16 to 16 channels and a 1x1.
        branches: training-time blocks of several branches; False gives plain 3x3 convolutions
            (what ``collapse`` returns and what is exported).

    Raises:
        ValueError: the scale is neither 2 nor 3/2, or a count is too small.
    """
    ratio = Fraction(scale)
    if ratio not in (Fraction(2), Fraction(3, 2)):
        raise ValueError(f"scale is {scale}; edge_unet is made for 2 or 3/2")
    if (levels < 2 and ratio.denominator == 2) or min(levels, depth, width, lower_width) < 1:
        raise ValueError(f"levels {levels}, depth {depth}, widths {width}/{lower_width}: too small")
    if head_depth < 0:
        raise ValueError(f"head_depth is {head_depth}; expected 0 or more")

    def conv(
        x: Any, filters: int, label: str, *, strides: int = 1, relu: bool = True, gain: float = 1.0
    ) -> Any:
        activation = "relu" if relu else None
        if branches:
            layer = RepConv2D(
                filters, strides=strides, activation=activation, gain=gain, name=label
            )
        else:
            layer = keras.layers.Conv2D(
                filters, 3, strides=strides, padding="same", activation=activation, name=label
            )
        return layer(x)

    frame = keras.Input((None, None, 1), name="frame")
    centred = keras.layers.Rescaling(1 / 255, offset=-0.5, name="centre")(frame)
    x = conv(centred, width, "stem")
    skips = []
    for level in range(levels):
        blocks = depth if level == 0 else lower_depth
        for index in range(blocks):
            x = conv(x, width if level == 0 else lower_width, f"encode{level}_{index}")
        if level < levels - 1:
            skips.append(x)
            x = conv(x, lower_width, f"down{level + 1}", strides=2)
    for level in reversed(range(levels - 1)):
        channels = width if level == 0 else lower_width
        x = keras.layers.Conv2D(channels, 1, name=f"up{level}_mix")(x)
        x = keras.layers.UpSampling2D(2, interpolation="nearest", name=f"up{level}")(x)
        x = keras.layers.Add(name=f"skip{level}")([x, skips[level]])
        for index in range(depth if level == 0 else lower_depth):
            x = conv(x, channels, f"decode{level}_{index}")
    for index in range(head_depth):
        x = conv(x, width, f"head_{index}")
    pixels, stride = ratio.numerator**2, ratio.denominator
    if head_depth:
        start = keras.initializers.VarianceScaling(0.02, "fan_in", "untruncated_normal")
        residual = keras.layers.Conv2D(
            pixels, stride, strides=stride, kernel_initializer=start, name="head"
        )(x)
    else:
        residual = conv(x, pixels, "head", strides=stride, relu=False, gain=0.01)
    anchor = BicubicAnchor(scale, name="anchor")(centred)
    y = keras.layers.Add(name="restore")([residual, anchor])
    y = DepthToSpace(ratio.numerator, name="shuffle")(y)
    y = keras.layers.Rescaling(255.0, offset=127.5, name="levels")(y)
    return keras.Model(frame, y, name=name or f"edge-unet-x{float(ratio):g}")


def collapse(model: keras.Model) -> keras.Model:
    """The same function with every branch block merged into one plain 3x3 convolution.

    Works on any functional model built from `RepConv2D` and stock layers; weights are copied.
    """

    def plain(layer: keras.layers.Layer) -> keras.layers.Layer:
        if not isinstance(layer, RepConv2D):
            return layer.__class__.from_config(layer.get_config())
        return keras.layers.Conv2D(
            layer.filters,
            3,
            strides=layer.strides,
            padding="same",
            activation=layer.activation,
            name=layer.name,
        )

    merged = keras.models.clone_model(model, clone_function=plain)
    for layer in model.layers:
        target = merged.get_layer(layer.name)
        target.set_weights(
            list(layer.merged()) if isinstance(layer, RepConv2D) else layer.get_weights()
        )
    return merged


def deploy(model: keras.Model) -> keras.Model:
    """The network as it is exported: `collapse`, and no arithmetic spent on units.

    The grey-level scaling moves into the stem's, the head's weights, so that the frame is only
    centred (minus 127.5) on the way in and nothing is left to do on the way out. Equal to
    ``model`` up to float rounding; the result is not meant to be trained.
    """
    plain = collapse(model)

    def in_levels(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if layer.name == "centre":
            return keras.layers.Rescaling(1.0, offset=-127.5, name="centre")
        if layer.name == "levels":
            return keras.layers.Identity(name="levels")
        return layer.__class__.from_config(config)

    result = keras.models.clone_model(plain, clone_function=in_levels)
    for layer in plain.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            if layer.name == "stem":
                kernel = kernel / 255
            if layer.name == "head":
                kernel, bias = kernel * 255, bias * 255 + 127.5
            result.get_layer(layer.name).set_weights([kernel, bias])
    return result


def is_edge_unet(model: keras.Model) -> bool:
    """Whether `edge_unet` made this model, by the layers it is known for."""
    known = {"centre", "stem", "encode0_0", "head", "anchor", "restore", "shuffle", "levels"}
    return known <= {layer.name for layer in model.layers}
