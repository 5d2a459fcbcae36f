"""The models that ship with edge-sr, by name."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from ..errors import ModelFileError
from ..sidecar import Sidecar, load_sidecar

FOLDER = Path(__file__).parent
DEFAULT = "edge-unet-s"


def names() -> list[str]:
    """Names of the shipped models: ``edge-unet-s-x2`` and so on."""
    return sorted(path.stem for path in FOLDER.glob("*.onnx"))


def find(model: str, ratio: Fraction = Fraction(2)) -> tuple[Path, Sidecar]:
    """The file and the checked facts of a model.

    Args:
        model: a path to an ``.onnx`` file, the name of a shipped model, or a family such as
            ``edge-unet-s``, of which the smallest scale that reaches ``ratio`` is taken, or the
            largest there is.

    Raises:
        ModelFileError: no such model or file, or its sidecar does not fit.
    """
    path = Path(model)
    if path.suffix == ".onnx":
        return path, load_sidecar(path)
    if model in names():
        path = FOLDER / f"{model}.onnx"
        return path, load_sidecar(path)
    family = [FOLDER / f"{name}.onnx" for name in names() if name.startswith(f"{model}-x")]
    if not family:
        raise ModelFileError(
            f"{model}: no such model; expected an .onnx file or one of {', '.join(names())}"
        )
    known = sorted(((path, load_sidecar(path)) for path in family), key=lambda pair: pair[1].ratio)
    return next((pair for pair in known if pair[1].ratio >= ratio), known[-1])
