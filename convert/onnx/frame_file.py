"""The form of an ONNX file that everything else takes: uint8 frames in and out, with a sidecar."""

from __future__ import annotations

from pathlib import Path

import onnx

from convert.command import Steps, describe
from convert.onnx.tidy import first_line, read_external
from convert.onnx.wrap import wrap_onnx
from edge_sr.errors import ModelFileError
from edge_sr.model.engine_cache import converted_path
from edge_sr.model.import_options import ImportOptions
from edge_sr.model.onnx_file import refuse_external_data
from edge_sr.model.sidecar import Sidecar, load_sidecar, sha256_of, sidecar_path


def frame_file(source: Path, options: ImportOptions, steps: Steps) -> tuple[Path, Sidecar]:
    """The file itself where it takes frames; else its wrapped form, made once and kept.

    Raises:
        EdgeSRError: it is missing or damaged, or as `wrap_onnx`.
    """
    if not source.is_file():
        raise ModelFileError(f"{source}: no such file; expected an .onnx file")
    if sidecar_path(source).is_file() and takes_frames(source):
        sidecar = load_sidecar(source)
        steps.line("source", f"{source.name}: {describe(sidecar)}")
        return source, sidecar
    path = cached_path(source, options)
    card = steps.file(
        "import",
        path,
        lambda output: wrap_onnx(source, output, options),
        lambda card: f"{source.name}: {imported(card)}",
    )
    return path, card


def imported(sidecar: Sidecar) -> str:
    """What was detected of the external model that a file was made from, in one line."""
    return str(sidecar.training.get("conversion", {}).get("imported", ""))


def cached_path(source: Path, options: ImportOptions) -> Path:
    """Where the wrapped form of an external model is, or will be, kept."""
    _, beside = read_external(source)
    digests = " ".join(sha256_of(path) for path in (source, *beside))
    how = f"{digests} imported {options.key}"
    path = converted_path(source.stem, how, precision="fp32")
    return path.with_name(f"{source.stem}.onnx")


def takes_frames(path: Path) -> bool:
    """Whether an ONNX file has a uint8 input.

    Raises:
        ModelFileError: it is no ONNX file.
    """
    refuse_external_data(path)
    try:
        model = onnx.load(path, load_external_data=False)
        return bool(model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8)
    except Exception as error:  # protobuf's DecodeError is not public
        raise ModelFileError(f"{path}: not an ONNX file ({first_line(error)})") from error
