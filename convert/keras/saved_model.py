"""A SavedModel folder as the exporter needs a model: its serving signature as a function."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from edge_sr.errors import ModelFileError

SIGNATURE = "serving_default"


class SavedNetwork:
    """The serving function of a SavedModel, with the few names of a Keras model that are used."""

    layers: tuple[Any, ...] = ()

    def __init__(self, path: Path) -> None:
        """Open a folder; TensorFlow can run what is stored in it.

        Raises:
            ModelFileError: it cannot be read, or is no function from one picture to one picture.
        """
        self.name = path.name
        try:
            self._loaded = tf.saved_model.load(str(path))
            function = self._loaded.signatures[SIGNATURE]
        except Exception as error:  # TensorFlow raises what it likes
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise ModelFileError(f"{path}: TensorFlow cannot open it ({reason})") from error
        inputs = function.structured_input_signature[1]
        outputs = function.structured_outputs
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelFileError(
                f"{path}: {SIGNATURE} has {len(inputs)} inputs and {len(outputs)} outputs; "
                "expected one of each"
            )
        self._input, self._output = next(iter(inputs)), next(iter(outputs))
        self._function, self._kind = function, inputs[self._input].dtype
        self.input_shape = tuple(inputs[self._input].shape)

    def __call__(self, frames: Any, *, training: bool = False) -> Any:
        """(N, H, W, C) to (N, H', W', C'), both float32."""
        del training  # a serving signature is for inference
        frames = tf.cast(tf.convert_to_tensor(frames), self._kind)
        return tf.cast(self._function(**{self._input: frames})[self._output], tf.float32)

    def count_params(self) -> int:
        """How many numbers its variables hold."""
        return sum(int(tf.size(item)) for item in self._function.variables)


def open_saved_model(path: Path, *, trust: bool) -> SavedNetwork:
    """Open a SavedModel folder.

    Raises:
        ModelFileError: ``trust`` is not given, or it cannot be opened.
    """
    if not (path / "saved_model.pb").is_file():
        raise ModelFileError(f"{path}: is a folder without saved_model.pb; expected a .keras file")
    if not trust:
        raise ModelFileError(
            f"{path}: a SavedModel can run code when it is opened: if you trust where it comes "
            "from, give edge-sr export --trust; or save it with model.save('name.keras') in Keras 3"
        )
    return SavedNetwork(path)
