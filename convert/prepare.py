"""From what the user named to the ONNX file that TensorRT is to build: each step kept, reused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sr import zoo
from edge_sr.engine_cache import cache_dir, converted_path
from edge_sr.errors import ModelFileError
from edge_sr.sidecar import PRECISIONS, Sidecar, load_sidecar, sha256_of, sidecar_path

from .steps import Steps

if TYPE_CHECKING:
    from calibration.frames import FrameSet

COUNT = 256  # frames collected from a video
OWN = "own"  # --calibration own: the set that edge-sr brings


@dataclass(frozen=True)
class Wish:
    """What to prepare."""

    model: str  # a .keras file, an .onnx file or a shipped model's name
    precision: str | None  # None: fp16, or what the file is already
    ratio: Fraction  # picks the scale of a shipped family
    calibration: str | None  # for int8: a folder of frames, a video, OWN, or None
    value_range: str | None  # of float ends; None: 0..255 for .keras, found out for .onnx
    max_loss_db: float = 0.05
    allow_loss: bool = False


def prepare(wish: Wish, steps: Steps) -> tuple[Path, Sidecar, Path | None]:
    """The converted file, its sidecar, and the calibration frames (None for edge-sr's own set).

    Raises:
        EdgeSRError: the source or the calibration cannot be used, or the loss is too large.
    """
    if wish.precision is not None and wish.precision not in PRECISIONS:
        raise ModelFileError(
            f"precision is {wish.precision!r}; expected {', '.join(PRECISIONS)} "
            "(--precision fp16 is the usual one)"
        )
    single, source, shipped = _source(wish, steps)
    if source.precision != "fp32":
        return _as_it_is(wish, single, source)
    precision = wish.precision or ("int8" if _says_int8(wish.model) else "fp16")
    if precision == "fp32":
        return single, source, _folder(wish, source, steps)
    if precision == "int8" and wish.calibration is None:
        return _shipped_int8(single, source, shipped, steps)
    frames = _frames(wish, source, steps)
    folder = None if frames is None or frames.is_default else frames.folder
    digest = ""
    if precision == "int8" and frames is not None:
        digest = f"{frames.sha256} {wish.max_loss_db:g} {wish.allow_loss}"
    name = _stem(single)
    path = converted_path(name, source.sha256, precision=precision, calibration_sha256=digest)
    sidecar = steps.file(precision, path, _converter(wish, precision, single, folder), _told)
    return path, sidecar, folder


def _source(wish: Wish, steps: Steps) -> tuple[Path, Sidecar, Path | None]:
    """The file with uint8 frames at its ends, and a shipped int8 form of it, if there is one."""
    path = Path(wish.model)
    if path.suffix == ".keras":
        found = _exported(path, wish.value_range or "0..255", steps)
        return *found, None
    if path.suffix in (".engine", ".plan", ".trt"):
        raise ModelFileError(f"{path}: is an engine already; give the model it was built from")
    if path.suffix == ".onnx" and path.resolve().parent != zoo.FOLDER:
        found = _onnx(path, wish.value_range or "auto", steps)
        return *found, None
    name = path.name.removesuffix(".onnx") if path.suffix == ".onnx" else wish.model
    single, sidecar = zoo.find(name.removesuffix(".int8"), wish.ratio)
    steps.line("source", f"{sidecar.name} (shipped): {_what(sidecar)}")
    small = single.with_name(f"{single.stem}.int8.onnx")
    return single, sidecar, small if small.is_file() else None


def _says_int8(model: str) -> bool:
    return Path(model).name.removesuffix(".onnx").endswith(".int8")


def _exported(source: Path, value_range: str, steps: Steps) -> tuple[Path, Sidecar]:
    if not source.is_file():
        raise ModelFileError(f"{source}: no such file; expected a .keras file")
    path = _kept(source, f"export {value_range}")

    def make(output: Path) -> None:
        from .export_onnx import export

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
        from .stranger import adopt

        adopt(source, output, value_range=value_range)

    return path, steps.file(
        "ends", path, make, lambda card: f"{source.name}: uint8 frames put around it; {_what(card)}"
    )


def _takes_frames(path: Path) -> bool:
    import onnx

    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's DecodeError is not public
        raise ModelFileError(f"{path}: not an ONNX file") from error
    return bool(model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8)


def _kept(source: Path, how: str) -> Path:
    """Where the float32 form with our ends is kept; named as the source."""
    path = converted_path(source.stem, f"{sha256_of(source)} {how}", precision="fp32")
    return path.with_name(f"{source.stem}.onnx")


def _as_it_is(wish: Wish, path: Path, sidecar: Sidecar) -> tuple[Path, Sidecar, Path | None]:
    """A file that was converted before is built as it is."""
    if wish.precision not in (None, sidecar.precision):
        raise ModelFileError(
            f"{path}: is {sidecar.precision} already and cannot become {wish.precision}; give the "
            "float32 file that it was made from"
        )
    return path, sidecar, Path(wish.calibration) if wish.calibration not in (None, OWN) else None


def _shipped_int8(
    single: Path, source: Sidecar, shipped: Path | None, steps: Steps
) -> tuple[Path, Sidecar, Path | None]:
    if shipped is None:
        raise ModelFileError(
            f"{single.name}: int8 needs calibration frames: give --calibration FOLDER or VIDEO of "
            "your own scenes, or --calibration own for the pictures that edge-sr brings"
        )
    path = converted_path(_stem(single), source.sha256, precision="int8")

    def make(output: Path) -> None:
        from .respell import respell

        respell(single, shipped, output)

    sidecar = steps.file("int8", path, make, _told)
    return path, sidecar, None


def _converter(
    wish: Wish, precision: str, single: Path, folder: Path | None
) -> Callable[[Path], object]:
    def make(output: Path) -> None:
        from .lower import to_fp16, to_int8

        if precision == "fp16":
            to_fp16(single, output, force=True)
        else:
            to_int8(
                single,
                output,
                frames=folder,
                around="fp16",
                max_loss_db=wish.max_loss_db,
                allow_loss=wish.allow_loss,
                force=True,
            )

    return make


def _folder(wish: Wish, source: Sidecar, steps: Steps) -> Path | None:
    frames = _frames(wish, source, steps)
    return None if frames is None or frames.is_default else frames.folder


def _frames(wish: Wish, source: Sidecar, steps: Steps) -> FrameSet | None:
    """The frames that were asked for; a video's are collected and kept."""
    if wish.calibration is None:
        return None
    from calibration.frames import DEFAULT, open_frames

    path = DEFAULT if wish.calibration == OWN else Path(wish.calibration)
    if not path.exists():
        raise ModelFileError(
            f"{path}: no such folder or video; --calibration takes a folder of frames, a video, "
            "or the word own"
        )
    if path.is_file():
        from calibration.collect import collect

        folder = cache_dir() / "frames" / f"{path.stem}-{sha256_of(path)[:16]}-{source.color}"
        known = folder.is_dir()
        if not known:
            folder.parent.mkdir(parents=True, exist_ok=True)
            collect([path], folder, count=COUNT, channels=source.channels)
        frames = open_frames(folder)
        steps.line("frames", f"{len(frames)} of {path.name}" + " (reused)" * known)
        return frames
    frames = open_frames(path)
    steps.line("frames", f"{len(frames)} in {path}")
    return frames


def _stem(path: Path) -> str:
    return path.name.removesuffix(".onnx").removesuffix(".fp32")


def _what(sidecar: Sidecar) -> str:
    size = f", {sidecar.width}x{sidecar.height} only" if sidecar.width else ""
    return f"{sidecar.color}, x{float(sidecar.ratio):g}, {sidecar.precision}{size}"


def _told(sidecar: Sidecar) -> str:
    """What a converted file lost."""
    conversion = sidecar.training.get("conversion", {})
    if sidecar.precision == "fp16":
        kept = len(conversion.get("kept_fp32", {}))
        left = f", {kept} nodes kept in fp32" if kept else ""
        return f"{sidecar.quality['fp16_psnr_db']:.1f} dB from fp32{left}"
    lost = sidecar.quality.get("int8_loss_db")
    told = "loss not measured" if lost is None else f"loses {lost:.3f} dB of PSNR-Y"
    out = len(conversion.get("kept_out_of_int8", {}))
    return f"{told}, {out} layers kept in fp16, calibrated on {conversion.get('frames', 'frames')}"
