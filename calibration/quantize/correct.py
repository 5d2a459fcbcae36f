"""Bias correction: what quantisation shifts a layer's mean by is taken off its bias.

After Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction"
(2019), with means measured on frames instead of derived.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import NDArray
from tqdm import tqdm

from calibration.network.frame_io import FrameIO, Image
from calibration.network.session import open_session, run_each
from calibration.quantize.judge import Judge
from calibration.quantize.placement import weighted_layers
from calibration.quantize.qdq import Plan, quantise


def correct_biases(judge: Judge, plan: Plan) -> Plan:
    """The plan with bias shifts, layer after layer; unchanged where that brings no gain."""
    network = judge.network
    layers = [
        layer
        for layer in weighted_layers(network.model)
        if layer.name in plan.layers and layer.op in ("Conv", "ConvTranspose")
    ]
    outputs = [layer.output for layer in layers]
    expected = channel_means(network.model, network.io, judge.tuning, outputs)
    shifted = replace(plan, bias_shifts={})
    for layer in tqdm(layers, desc="correcting biases", unit="layer", disable=None):
        model = quantise(network.model, shifted)
        [found] = channel_means(model, network.io, judge.tuning, [layer.output])
        shift = expected[outputs.index(layer.output)] - found
        shifted = replace(shifted, bias_shifts={**shifted.bias_shifts, layer.name: shift})
    plain = replace(plan, bias_shifts={})
    before, after = (judge.error(quantise(network.model, item)) for item in (plain, shifted))
    return shifted if after < before else plain


def channel_means(
    model: onnx.ModelProto, io: FrameIO, images: Sequence[Image], tensors: Sequence[str]
) -> list[NDArray[np.float32]]:
    """Mean of each channel, float32 (C,), of NCHW tensors over all images, uint8 (H, W, C)."""
    session = open_session(model, taps=tensors)
    sums = [np.zeros(()) for _ in tensors]
    for _, found in run_each(session, (io.feed(image) for image in images)):
        for place, value in enumerate(found[1:]):
            sums[place] = sums[place] + value.astype(np.float64).mean(axis=(0, 2, 3))
    return [(total / len(images)).astype(np.float32) for total in sums]
