"""A Keras network behind the runtime's seam, so that it is measured as the exported file is."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from edge_sr import Upscaler
from edge_sr.errors import ModelFileError
from edge_sr.model.sidecar import Sidecar, sha256_of
from training.data.pairs import to_uint8
from training.models.open import open_model
from training.models.sizes import model_scale, size_multiple


class KerasBackend:
    """Pads a frame to the size multiple by repeating its edge, and cuts the result."""

    name = "keras"
    notices: tuple[str, ...] = ()
    device = "TensorFlow"
    precision = "fp32"

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self.scale, self.multiple = model_scale(model), size_multiple(model)

    def infer(self, frame: np.ndarray) -> np.ndarray:
        rows, columns = frame.shape[1:3]
        margin = ((0, 0), (0, -rows % self.multiple), (0, -columns % self.multiple), (0, 0))
        padded = np.pad(frame, margin, mode="edge").astype(np.float32)
        result = np.asarray(self.model(padded, training=False))
        return to_uint8(result[:, : int(rows * self.scale), : int(columns * self.scale)])

    def close(self) -> None:
        """Nothing to free."""


def open_keras(path: Path) -> Upscaler:
    """A network of any frame size, luma or RGB, ready to upscale.

    Raises:
        ModelFileError: the file cannot be loaded safely, or the network is not of that kind.
    """
    model = open_model(path)
    shape = model.input_shape[1:]
    if shape not in ((None, None, 1), (None, None, 3)):
        raise ModelFileError(f"{path}: input is {shape}; expected (None, None, 1 or 3): any size")
    backend = KerasBackend(model)
    digest = sha256_of(path)
    card = Sidecar(
        name=path.stem,
        architecture=str(model.name),
        scale=str(backend.scale),
        color="luma" if shape[2] == 1 else "rgb",
        width=None,
        height=None,
        output_width=None,
        output_height=None,
        precision="fp32",
        parameters=int(model.count_params()),
        macs_720p=0,
        sha256=digest,
        made_from=path.name,
        made_from_sha256=digest,
    )
    return Upscaler(backend, card)
