"""External models, ONNX without a sidecar and Keras: imported once, by the converter's command."""

from __future__ import annotations

import functools
import logging
import subprocess
from pathlib import Path

from edge_sr.children import has_module, how_it_ended, last_line, read_answer, run_module
from edge_sr.errors import MissingDependencyError, ModelFileError, UsageError
from edge_sr.model.import_options import ImportOptions
from edge_sr.model.sidecar import sidecar_path

logger = logging.getLogger(__name__)
LIMIT_S = 900.0  # of an import; large networks are run at several sizes
DETECT = ImportOptions()
KERAS = (".keras", ".h5", ".hdf5")
PYTORCH = (".pt", ".pth", ".ckpt", ".bin", ".safetensors")
SAVED_MODEL = "saved_model.pb"
FROM_TORCH = "export the network by torch.onnx.export, and give that file"
START = 512  # bytes that are looked at
TFLITE = (
    "is a TensorFlow Lite file; give the Keras model that it was made from, or an ONNX file: "
    "python -m tf2onnx.convert --tflite FILE --output model.onnx"
)
# what a file of this kind begins with -> what it is, and what to do
MAGIC = (
    (
        b"version https://git-lfs",
        "is a Git LFS pointer, not the model itself: run git lfs pull in its repository",
    ),
    (b"<!doctype", "is a web page, not a model: download the file itself"),
    (b"<html", "is a web page, not a model: download the file itself"),
    (b"\x89HDF\r\n\x1a\n", "is an HDF5 file (old Keras); its name has to end in .h5"),
    (b"\x1f\x8b", "is a gzip archive; unpack it, and give the model in it"),
    (b"\x80\x02", f"is a pickle of PyTorch; {FROM_TORCH}"),
    (b"ftrt", "is a TensorRT engine; its name has to end in .engine"),
)


def frame_model(path: Path, options: ImportOptions = DETECT) -> Path:
    """The file itself, or its imported form in the cache where it has no sidecar.

    ``python -m convert.import_onnx`` finds layout, channels, range, scale and size rule by running
    the network; one line in the log says what was found.

    Args:
        options: what the user says of an external model.

    Raises:
        ModelFileError: it is missing, or cannot be imported; the message says why.
        MissingDependencyError: the converter is not installed.
    """
    if is_keras(path):
        check_model_file(path)
    elif not is_external(str(path)):
        return path
    facts = (path / SAVED_MODEL if path.is_dir() else path).stat()
    return _imported(path.resolve(), options, facts.st_mtime_ns, facts.st_size)


def is_external(model: str) -> bool:
    """Whether a model is a Keras file or SavedModel folder, or an ONNX file without a sidecar."""
    path = Path(model)
    if not path.exists():
        return False
    return is_keras(path) or (path.suffix == ".onnx" and not sidecar_path(path).is_file())


def model_file(model: str, options: ImportOptions) -> str:
    """What the user named, or the path of the imported form of an external model.

    Raises:
        UsageError: options were given for a model that is no external one.
        ModelFileError, MissingDependencyError: as `frame_model`.
    """
    if is_external(model):
        return str(frame_model(Path(model), options))
    path = Path(model)
    missing = (path.suffix == ".onnx" or is_keras(path)) and not path.exists()  # opening says so
    if options.arguments and not missing:
        names = ", ".join(item.partition("=")[0] for item in options.arguments)
        raise UsageError(
            f"{names}: {model} is no external model, and says this itself: leave the option out"
        )
    return model


@functools.lru_cache(maxsize=64)
def _imported(path: Path, options: ImportOptions, changed_ns: int, size: int) -> Path:
    """Import a file as it is at this time."""
    del changed_ns, size  # only to import it again after a change
    check_model_file(path)
    if is_keras(path) and not (has_module("convert") and has_module("tf2onnx")):
        raise MissingDependencyError(
            f"{path}: opening a Keras model needs the exporter: pip install 'edge-sr[convert]', or "
            "run edge-sr export on another machine and bring the .onnx file with its .json"
        )
    if not (has_module("convert") and has_module("onnx")):
        raise MissingDependencyError(
            f"{path}: has no {sidecar_path(path).name} beside it, so it is no model file of "
            "edge-sr; to import it: pip install 'edge-sr[build]'"
        )
    try:
        done = run_module(
            "convert.import_onnx", [str(path), "--json", *options.arguments], timeout_s=LIMIT_S
        )
    except subprocess.TimeoutExpired as error:
        raise ModelFileError(
            f"{path}: the import was stopped after {LIMIT_S / 60:.0f} minutes"
        ) from error
    if done.returncode:
        reason = last_line(done.stderr) or how_it_ended(done)
        raise ModelFileError(reason.removeprefix("import: "))
    answer = read_answer(done, f"the import of {path.name}", error=ModelFileError)
    logger.info("%s: %s", path.name, answer["detected"])
    return Path(str(answer["file"]))


def is_keras(path: Path) -> bool:
    """Whether a path is for the Keras exporter: a Keras file by its name, a SavedModel folder."""
    return path.suffix.lower() in KERAS or (path / SAVED_MODEL).is_file()


def check_model_file(path: Path) -> None:
    """Refuse what is no ONNX or Keras file by its first bytes or its name.

    Raises:
        ModelFileError: missing, empty, or of another kind; the message says what to do.
    """
    if not path.exists():
        raise ModelFileError(f"{path}: no such file")
    if advice := advice_on(path):
        raise ModelFileError(f"{path}: {advice}")


def advice_on(path: Path) -> str:
    """What a path is if it is no ONNX or Keras file, and what to do; "" where it may be one."""
    if is_keras(path) and path.is_dir():
        return ""
    if path.is_dir():
        return f"is a folder without {SAVED_MODEL}; expected an .onnx or .keras file"
    if path.name == SAVED_MODEL:
        return f"is a part of a SavedModel; give its folder, {path.parent}"
    try:
        with path.open("rb") as file:
            start = file.read(START)
    except OSError:
        start = None
    return _by_content(path, start) or _by_name(path)


def _by_content(path: Path, start: bytes | None) -> str:
    if start is None:
        return ""
    if not start:
        return "is empty; copy or download it again"
    suffix = path.suffix.lower()
    for magic, advice in MAGIC:
        if start.lower().startswith(magic.lower()) and not (
            magic.startswith(b"\x89HDF") and suffix in KERAS
        ):
            return advice
    if start[4:8] == b"TFL3":
        return TFLITE
    if start[8:10] == b'{"' and b'"dtype"' in start:
        return f"holds weights alone (safetensors); {FROM_TORCH}"
    if start.startswith(b"PK\x03\x04") and suffix != ".keras":
        if suffix in PYTORCH or b"data.pkl" in start:
            return f"holds PyTorch weights; {FROM_TORCH}"
        return (
            "is a zip archive; give the model in it: an .onnx file, or a SavedModel's folder; "
            "a Keras file's name has to end in .keras"
        )
    return ""


def _by_name(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix == ".tflite":
        return TFLITE
    if suffix in PYTORCH:
        return f"holds PyTorch weights; {FROM_TORCH}"
    if suffix in (".pb", ".pbtxt"):
        return (
            "is a TensorFlow graph; give the folder of a SavedModel, or a Keras file "
            "(model.save('name.keras'))"
        )
    if suffix in (".onnx", *KERAS):
        return ""
    return "is no model of edge-sr; expected an .onnx file" if path.is_file() else ""
