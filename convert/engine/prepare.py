"""From what the user named to the ONNX file that TensorRT is to build: each step kept, reused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from calibration.collect import collect
from calibration.frames.frames import DEFAULT, FrameSet, open_frames
from calibration.network.fp16 import to_fp16
from calibration.quantize.write_int8 import to_int8
from convert.command import Steps, describe
from convert.onnx.frame_file import frame_file
from edge_sr import zoo
from edge_sr.errors import ModelFileError
from edge_sr.model.engine_cache import cache_dir, converted_path, locked
from edge_sr.model.external import advice_on, is_external, is_keras
from edge_sr.model.import_options import ImportOptions
from edge_sr.model.sidecar import PRECISIONS, Sidecar, load_sidecar, sha256_of

COUNT = 256  # frames collected from a video
NO_FRAMES = (
    "int8 needs calibration frames: give --calibration FOLDER or VIDEO of your own scenes, or "
    "--calibration own for the pictures that edge-sr brings"
)
OWN = "own"  # --calibration own: the set that edge-sr brings


def prepare(asked: BuildRequest, steps: Steps) -> tuple[Path, Sidecar, Path | None]:
    """The converted file, its sidecar, and the calibration frames (None for edge-sr's own set).

    Raises:
        EdgeSRError: the source or the calibration cannot be used, or the loss is too large.
    """
    if asked.precision is not None and asked.precision not in PRECISIONS:
        raise ModelFileError(
            f"precision is {asked.precision!r}; expected {', '.join(PRECISIONS)} "
            "(--precision fp16 is the usual one)"
        )
    if asked.calibration not in (None, OWN) and not Path(asked.calibration).exists():
        raise ModelFileError(
            f"{asked.calibration}: no such folder or video; --calibration takes a folder, "
            "a video, or the word own"
        )
    if asked.precision == "int8" and asked.calibration is None and is_external(asked.model):
        raise ModelFileError(f"{asked.model}: {NO_FRAMES}")
    single, source, shipped = find_source(asked, steps)
    if source.precision != "fp32":
        return _as_it_is(asked, single, source)
    precision = asked.precision or ("int8" if says_int8(asked.model) else "fp16")
    if precision == "fp32":
        return single, source, _folder(asked, source, steps)
    if precision == "int8" and asked.calibration is None:
        return _shipped_int8(single, source, shipped, steps)
    frames = _frames(asked, source, steps)
    folder = None if frames is None or frames.is_default else frames.folder
    digest = ""
    if precision == "int8" and frames is not None:
        digest = f"{frames.sha256} {asked.max_loss_db:g} {asked.allow_loss}"
    name = _stem(single)
    path = converted_path(name, source.sha256, precision=precision, calibration_sha256=digest)
    sidecar = steps.file(precision, path, _converter(asked, precision, single, folder), _summary)
    return path, sidecar, folder


def _as_it_is(
    asked: BuildRequest, path: Path, sidecar: Sidecar
) -> tuple[Path, Sidecar, Path | None]:
    """A file that was converted before is built as it is."""
    if asked.precision not in (None, sidecar.precision):
        raise ModelFileError(
            f"{path}: is {sidecar.precision} already and cannot become {asked.precision}; give the "
            "float32 file that it was made from"
        )
    conversion = sidecar.training.get("conversion", {})
    if sidecar.precision == "int8" and conversion.get("around") == "fp32":
        raise ModelFileError(
            f"{path}: is int8 for ONNX Runtime on a CPU, which TensorRT does not take; give the "
            "float32 file with --precision int8, or convert it: python -m convert.precision "
            "--to int8 --around fp16"
        )
    return (
        path,
        sidecar,
        Path(asked.calibration) if asked.calibration not in (None, OWN) else None,
    )


def _shipped_int8(
    single: Path, source: Sidecar, shipped: Path | None, steps: Steps
) -> tuple[Path, Sidecar, Path | None]:
    if shipped is None:
        raise ModelFileError(f"{single.name}: {NO_FRAMES}")
    sidecar = load_sidecar(shipped)
    if sidecar.made_from_sha256 != source.sha256:
        raise ModelFileError(
            f"{shipped}: was made from {sidecar.made_from_sha256[:12]}; {single} is "
            f"{source.sha256[:12]}: make it again with python -m convert.zoo"
        )
    steps.line("int8", f"{sidecar.name} (shipped): {_summary(sidecar)}")
    return shipped, sidecar, None


def _converter(
    asked: BuildRequest, precision: str, single: Path, folder: Path | None
) -> Callable[[Path], object]:
    def make(output: Path) -> None:
        if precision == "fp16":
            to_fp16(single, output, minutes=asked.minutes, force=True)
        else:
            to_int8(
                single,
                output,
                frames=folder,
                around="fp16",
                max_loss_db=asked.max_loss_db,
                allow_loss=asked.allow_loss,
                minutes=asked.minutes,
                force=True,
            )

    return make


def _folder(asked: BuildRequest, source: Sidecar, steps: Steps) -> Path | None:
    frames = _frames(asked, source, steps)
    return None if frames is None or frames.is_default else frames.folder


def _frames(asked: BuildRequest, source: Sidecar, steps: Steps) -> FrameSet | None:
    """The frames that were asked for; a video's are collected and kept."""
    if asked.calibration is None:
        return None
    path = DEFAULT if asked.calibration == OWN else Path(asked.calibration)
    if path.is_file():
        folder = cache_dir() / "frames" / f"{path.stem}-{sha256_of(path)[:16]}-{source.color}"
        known = folder.is_dir()
        if not known:
            with locked(folder, notify=steps.note):
                if not folder.is_dir():
                    collect([path], folder, count=COUNT, channels=source.channels)
        frames = open_frames(folder)
        steps.line("frames", f"{len(frames)} of {path.name}" + " (reused)" * known)
        return frames
    frames = open_frames(path)
    steps.line("frames", f"{len(frames)} in {path}")
    return frames


def _stem(path: Path) -> str:
    return path.name.removesuffix(".onnx").removesuffix(".fp32")


def _summary(sidecar: Sidecar) -> str:
    """What a converted file lost."""
    conversion = sidecar.training.get("conversion", {})
    if sidecar.precision == "fp16":
        kept = len(conversion.get("kept_fp32", {}))
        left = f", {kept} nodes kept in fp32" if kept else ""
        return f"{sidecar.quality['fp16_psnr_db']:.1f} dB from fp32{left}"
    lost = sidecar.quality.get("int8_loss_db")
    loss = "loss not measured" if lost is None else f"loses {lost:.3f} dB of PSNR-Y"
    out = len(conversion.get("kept_out_of_int8", {}))
    frames = "your frames" if conversion.get("frames") == "the user's" else "edge-sr's own set"
    return f"{loss}, {out} layers kept in fp16, calibrated on {frames}"


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
    minutes: float | None = None  # that a search for fp16 or int8 may take; None: no bound


def find_source(asked: BuildRequest, steps: Steps) -> tuple[Path, Sidecar, Path | None]:
    """The file with uint8 input and output, and its shipped int8 form for TensorRT, if any.

    Raises:
        ModelFileError: it is missing, damaged, or no model to begin with.
        MissingDependencyError: TensorFlow, for a Keras file, is not installed.
    """
    path = Path(asked.model)
    if path.suffix in (".engine", ".plan", ".trt"):
        raise ModelFileError(f"{path}: is an engine already; give the model it was built from")
    own = path.suffix == ".onnx" and path.resolve().parent == zoo.FOLDER
    if not own and (path.suffix == ".onnx" or is_keras(path)):
        found = frame_file(path, asked.options, steps)
        return *found, None
    if not own and (advice := advice_on(path)):
        raise ModelFileError(f"{path}: {advice}")
    name = path.name.removesuffix(".onnx") if own else asked.model
    single, sidecar = zoo.find(name.partition(".int8")[0], asked.ratio)
    steps.line("source", f"{sidecar.name} (shipped): {describe(sidecar)}")
    small = single.with_name(f"{single.stem}{zoo.FOR_TENSORRT}")
    return single, sidecar, small if small.is_file() else None


def says_int8(model: str) -> bool:
    """Whether a model is int8 by its file's name."""
    return Path(model).name.removesuffix(".onnx").removesuffix(".trt").endswith(".int8")
