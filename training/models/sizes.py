"""What sizes a network takes, read from its layers."""

from __future__ import annotations

import math
from fractions import Fraction

import keras

from training.models.resize import BicubicAnchor


def size_multiple(model: keras.Model) -> int:
    """What H and W of the input must be multiples of; 1 for a model of one fixed size."""
    if model.input_shape[1] is not None:
        return 1
    doublings = sum(isinstance(layer, keras.layers.UpSampling2D) for layer in model.layers)
    anchors = [
        layer.ratio.denominator for layer in model.layers if isinstance(layer, BicubicAnchor)
    ]
    return math.lcm(2**doublings, *anchors)


def model_scale(model: keras.Model) -> Fraction:
    """Output columns / input columns.

    Raises:
        ValueError: rows and columns are enlarged by different ratios (a 1366x768 target).
    """
    side = 60 * size_multiple(model)
    rows, columns = model.input_shape[1] or side, model.input_shape[2] or side
    shape = model.compute_output_shape((1, rows, columns, model.input_shape[3]))
    if Fraction(shape[1], rows) != Fraction(shape[2], columns):
        raise ValueError(
            f"{columns}x{rows} becomes {shape[2]}x{shape[1]}: expected one ratio for both sides"
        )
    return Fraction(shape[2], columns)
