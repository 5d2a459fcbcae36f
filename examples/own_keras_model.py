"""Keras to ONNX to a TensorRT-RTX engine: python examples/own_keras_model.py out/ --engine"""

from __future__ import annotations

import argparse
from pathlib import Path

import keras
import numpy as np

from convert import build_engine, export_onnx
from edge_sr import Upscaler


def make_network() -> keras.Model:
    """Luma as 0..1 in and out, twice as large; what is to be learnt is added to bilinear."""
    luma = keras.Input((None, None, 1))
    seen = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(luma)
    learnt = keras.layers.Conv2DTranspose(1, 2, strides=2, kernel_initializer="zeros")(seen)
    return keras.Model(luma, keras.layers.UpSampling2D(interpolation="bilinear")(luma) + learnt)


def main() -> int:
    parser = argparse.ArgumentParser(description="From a Keras network to an engine.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", action="store_true", help="build one for 320x180, too")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    network, model = args.folder / "mine.keras", args.folder / "mine.onnx"
    make_network().save(network)
    words = ["--model", str(network), "--range", "0..1", "--output", str(model), "--force"]
    code = export_onnx.main(words)
    with Upscaler.open(str(model)) as upscaler:
        print(model, upscaler.upscale(np.zeros((18, 32, 3), np.uint8)).shape)
    words = ["--model", str(model), "--size", "320x180", "--flavour", "tensorrt-rtx"]
    return code or (build_engine.main(words) if args.engine else 0)


if __name__ == "__main__":
    raise SystemExit(main())
