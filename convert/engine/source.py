"""What the user named -> a float32 ONNX file with uint8 frames at its ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from convert.command import Steps, describe
from convert.export_onnx import export
from convert.onnx.frame_file import frame_file
from edge_sr import zoo
from edge_sr.errors import ModelFileError
from edge_sr.model.engine_cache import converted_path
from edge_sr.model.import_options import ImportOptions
from edge_sr.model.sidecar import Sidecar, sha256_of


@dataclass(frozen=True)
class BuildRequest:
    """What the user asked `build_engine` for."""

    model: str  # a .keras file, an .onnx file or a shipped model's name
    precision: str | None  # None: fp16, or what the file is already
    ratio: Fraction  # picks the scale of a shipped family
    calibration: str | None  # for int8: a folder of frames, a video, OWN, or None
    options: ImportOptions = field(default_factory=ImportOptions)  # of an external network
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
        found = _exported(path, asked.options, steps)
        return *found, None
    if path.suffix in (".engine", ".plan", ".trt"):
        raise ModelFileError(f"{path}: is an engine already; give the model it was built from")
    if path.suffix == ".onnx" and path.resolve().parent != zoo.FOLDER:
        found = frame_file(path, asked.options, steps)
        return *found, None
    name = path.name.removesuffix(".onnx") if path.suffix == ".onnx" else asked.model
    single, sidecar = zoo.find(name.partition(".int8")[0], asked.ratio)
    steps.line("source", f"{sidecar.name} (shipped): {describe(sidecar)}")
    small = single.with_name(f"{single.stem}{zoo.FOR_TENSORRT}")
    return single, sidecar, small if small.is_file() else None


def says_int8(model: str) -> bool:
    """Whether a model is int8 by its file's name."""
    return Path(model).name.removesuffix(".onnx").removesuffix(".trt").endswith(".int8")


def _exported(source: Path, options: ImportOptions, steps: Steps) -> tuple[Path, Sidecar]:
    if not source.is_file():
        raise ModelFileError(f"{source}: no such file; expected a .keras file")
    path = _kept(source, f"export {options.input_range} {options.output_range}")

    def make(output: Path) -> None:
        export(
            source,
            output,
            input_range=options.input_range,
            output_range=options.output_range,
            force=True,
        )

    return path, steps.file(
        "export", path, make, lambda card: f"{source.name} -> ONNX: {describe(card)}"
    )


def _kept(source: Path, how: str) -> Path:
    """Where the float32 form with our ends is kept; named as the source."""
    path = converted_path(source.stem, f"{sha256_of(source)} {how}", precision="fp32")
    return path.with_name(f"{source.stem}.onnx")
