"""External models: an ONNX file without a sidecar is imported, once, by the converter's command."""

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
    if not is_external(str(path)):
        return path
    facts = path.stat()
    return _imported(path.resolve(), options, facts.st_mtime_ns, facts.st_size)


def is_external(model: str) -> bool:
    """Whether a model's name is the path of an ONNX file that no sidecar describes."""
    path = Path(model)
    return path.suffix == ".onnx" and path.is_file() and not sidecar_path(path).is_file()


def model_file(model: str, options: ImportOptions) -> str:
    """What the user named, or the path of the imported form of an external ONNX file.

    Raises:
        UsageError: options were given for a model that is no external one.
        ModelFileError, MissingDependencyError: as `frame_model`.
    """
    if is_external(model):
        return str(frame_model(Path(model), options))
    path = Path(model)
    missing = path.suffix == ".onnx" and not path.is_file()  # opening it says so
    if options.arguments and not missing:
        names = ", ".join(item.partition("=")[0] for item in options.arguments)
        raise UsageError(
            f"{names}: {model} is no external ONNX file, and says this itself: leave the option out"
        )
    return model


@functools.lru_cache(maxsize=64)
def _imported(path: Path, options: ImportOptions, changed_ns: int, size: int) -> Path:
    """Import a file as it is at this time."""
    del changed_ns, size  # only to import it again after a change
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
