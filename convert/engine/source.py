"""What the user named -> a float32 ONNX file with uint8 frames at its ends."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import onnx

from convert.command import Steps
from convert.export_onnx import export
from convert.onnx.wrap import wrap_onnx
from edge_sr import zoo
from edge_sr.errors import ModelFileError
from edge_sr.model.engine_cache import converted_path
from edge_sr.model.onnx_file import refuse_external_data
from edge_sr.model.sidecar import Sidecar, load_sidecar, sha256_of, sidecar_path


@dataclass(frozen=True)
class BuildRequest:
    """What the user asked `build_engine` for."""

    model: str  # a .keras file, an .onnx file or a shipped model's name
    precision: str | None  # None: fp16, or what the file is already
    ratio: Fraction  # picks the scale of a shipped family
    calibration: str | None  # for int8: a folder of frames, a video, OWN, or None
    value_range: str | None  # of float ends; None: 0..255 for .keras, found out for .onnx
    max_loss_db: float = 0.05
    allow_loss: bool = False


def find_source(asked: BuildRequest, steps: Steps) -> tuple[Path, Sidecar, Path | None]:
    """The file with uint8 frames at its ends, and its shipped int8 form for TensorRT, if any.

    Raises:
        ModelFileError: it is missing, damaged, or no model to begin with.
        MissingDependencyError: TensorFlow, for a Keras file, is not installed.
    """
    path = Path(asked.model)
    if path.suffix == ".keras":
        found = _exported(path, asked.value_range or "0..255", steps)
        return *found, None
    if path.suffix in (".engine", ".plan", ".trt"):
        raise ModelFileError(f"{path}: is an engine already; give the model it was built from")
    if path.suffix == ".onnx" and path.resolve().parent != zoo.FOLDER:
        found = _onnx(path, asked.value_range or "auto", steps)
        return *found, None
    name = path.name.removesuffix(".onnx") if path.suffix == ".onnx" else asked.model
    single, sidecar = zoo.find(name.partition(".int8")[0], asked.ratio)
    steps.line("source", f"{sidecar.name} (shipped): {_what(sidecar)}")
    small = single.with_name(f"{single.stem}{zoo.FOR_TENSORRT}")
    return single, sidecar, small if small.is_file() else None


def says_int8(model: str) -> bool:
    """Whether a model is int8 by its file's name."""
    return Path(model).name.removesuffix(".onnx").removesuffix(".trt").endswith(".int8")


def _exported(source: Path, value_range: str, steps: Steps) -> tuple[Path, Sidecar]:
    if not source.is_file():
        raise ModelFileError(f"{source}: no such file; expected a .keras file")
    path = _kept(source, f"export {value_range}")

    def make(output: Path) -> None:
        export(source, output, value_range=value_range, force=True)

    return path, steps.file(
        "export", path, make, lambda card: f"{source.name} -> ONNX: {_what(card)}"
    )


def _onnx(source: Path, value_range: str, steps: Steps) -> tuple[Path, Sidecar]:
    if not source.is_file():
        raise ModelFileError(f"{source}: no such file; expected an .onnx file")
    if sidecar_path(source).is_file():
        sidecar = load_sidecar(source)
        if _takes_frames(source):
            steps.line("source", f"{source.name}: {_what(sidecar)}")
            return source, sidecar
    path = _kept(source, f"ends {value_range}")

    def make(output: Path) -> None:
        wrap_onnx(source, output, value_range=value_range)

    return path, steps.file(
        "ends", path, make, lambda card: f"{source.name}: uint8 frames put around it; {_what(card)}"
    )


def _takes_frames(path: Path) -> bool:
    refuse_external_data(path)
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's DecodeError is not public
        raise ModelFileError(f"{path}: not an ONNX file") from error
    return bool(model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8)


def _kept(source: Path, how: str) -> Path:
    """Where the float32 form with our ends is kept; named as the source."""
    path = converted_path(source.stem, f"{sha256_of(source)} {how}", precision="fp32")
    return path.with_name(f"{source.stem}.onnx")


def _what(sidecar: Sidecar) -> str:
    size = f", {sidecar.width}x{sidecar.height} only" if sidecar.width else ""
    return f"{sidecar.color}, x{float(sidecar.ratio):g}, {sidecar.precision}{size}"
