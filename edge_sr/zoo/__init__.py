"""The models that ship with edge-sr, by name."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from edge_sr.errors import ModelFileError, UsageError, did_you_mean
from edge_sr.model.external import advice_on, frame_model, is_keras
from edge_sr.model.sidecar import PRECISIONS, Sidecar, load_sidecar

FOLDER = Path(__file__).parent
DEFAULT = "edge-unet-s"
AUTO = "auto"  # the default family, in the flavour that fits the input where one is known
FOR_TENSORRT = ".int8.trt.onnx"  # the same int8 network as TensorRT fuses it: half around int8


def names(precision: str = "fp32") -> list[str]:
    """Names of the shipped files: ``edge-unet-s-x2``, or ``edge-unet-s-x2.int8`` for int8."""
    files = [path for path in FOLDER.glob("*.onnx") if not path.name.endswith(FOR_TENSORRT)]
    stems = [path.stem for path in files]
    return sorted(stem for stem in stems if _precision_of(stem) == precision)


def families() -> list[str]:
    """Names of shipped models without their scale, such as ``edge-unet-s``."""
    return sorted({name.rpartition("-x")[0] for name in names()})


def flavour_of(name: str) -> str:
    """ "live" for ``edge-unet-s-live-x2``, "vivid" likewise, and "plain" for every other name."""
    last = name.rpartition("-x")[0].rpartition("-")[2]
    return last if last in ("live", "vivid") else "plain"


def find(
    model: str, ratio: Fraction = Fraction(2), *, precision: str = "fp32"
) -> tuple[Path, Sidecar]:
    """The file and the checked facts of a model.

    Args:
        model: a path to an ``.onnx`` or ``.engine`` file (an ``.onnx`` file without a sidecar is
            imported, see `edge_sr.model.external`), the name of a shipped model, or a family
            such as ``edge-unet-s``, of which the smallest scale that reaches ``ratio`` is taken,
            or the largest there is; "auto" is ``DEFAULT``.
        precision: which file of a shipped model; a name that ends in one, as
            ``edge-unet-s-x2.int8``, and a file say it themselves.

    Raises:
        ModelFileError: no such model or file, none of this precision, or its sidecar does not fit.
        UsageError: no such precision.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"precision is {precision!r}; expected {', '.join(PRECISIONS)}")
    path = Path(model)
    if path.suffix in (".onnx", ".engine") or is_keras(path):
        path = frame_model(path)
        return path, load_sidecar(path)
    if advice := advice_on(path):
        raise ModelFileError(f"{path}: {advice}")
    if _precision_of(model) != "fp32":
        model, precision = Path(model).stem, _precision_of(model)
    name = _pick(model, ratio)
    path = FOLDER / _file_name(name, precision)
    if not path.is_file():
        raise ModelFileError(
            f"{name}: no {precision} file is shipped; make one: python -m convert.precision "
            f"--model {FOLDER / _file_name(name, 'fp32')} --to {precision} --output "
            f"{_file_name(name, precision)}"
        )
    return path, load_sidecar(path)


def tensorrt_file(name: str) -> tuple[Path, Sidecar]:
    """The int8 file of a shipped model that TensorRT's builder takes.

    ONNX Runtime's, which `find` gives, has uint8 activations: TensorRT refuses those.

    Raises:
        ModelFileError: none is shipped, or its sidecar does not fit.
    """
    path = FOLDER / f"{name}{FOR_TENSORRT}"
    return path, load_sidecar(path)


def _pick(model: str, ratio: Fraction) -> str:
    """The name of a shipped model, given it or its family."""
    model = DEFAULT if model == AUTO else model
    if model in names():
        return model
    family = [name for name in names() if name.startswith(f"{model}-x")]
    if not family:
        known = [*names(), *families()]
        raise ModelFileError(
            f"{model}: no such model; expected an .onnx file or one of {', '.join(names())}"
            f"{did_you_mean(model, known)}"
        )
    scales = sorted((Fraction(name.rpartition("-x")[2]), name) for name in family)
    return next((name for scale, name in scales if scale >= ratio), scales[-1][1])


def _file_name(name: str, precision: str) -> str:
    return f"{name}.onnx" if precision == "fp32" else f"{name}.{precision}.onnx"


def _precision_of(stem: str) -> str:
    suffix = Path(stem).suffix.removeprefix(".")
    return suffix if suffix in PRECISIONS else "fp32"
