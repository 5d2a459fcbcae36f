"""The form of a model that everything else takes: ONNX of uint8 frames, with a sidecar."""

from __future__ import annotations

from pathlib import Path

import onnx

from calibration.network.write import check_output
from convert.command import Steps, describe
from convert.export_onnx import export
from convert.onnx.tidy import first_line, read_external
from convert.onnx.wrap import wrap_onnx
from edge_sr.errors import ModelFileError, UsageError
from edge_sr.model.engine_cache import converted_path
from edge_sr.model.external import SAVED_MODEL, check_model_file, is_keras
from edge_sr.model.import_options import ImportOptions
from edge_sr.model.onnx_file import refuse_external_data
from edge_sr.model.sidecar import Sidecar, load_sidecar, sha256_of, sidecar_path


def frame_file(source: Path, options: ImportOptions, steps: Steps) -> tuple[Path, Sidecar]:
    """The file itself where it takes frames; else its imported form, made once and kept.

    Args:
        source: an ONNX file, a Keras file or a SavedModel folder.

    Raises:
        EdgeSRError: it is missing or damaged, or as `make_frame_file`.
    """
    check_model_file(source)
    if not is_keras(source) and sidecar_path(source).is_file() and takes_frames(source):
        sidecar = load_sidecar(source)
        steps.line("source", f"{source.name}: {describe(sidecar)}")
        return source, sidecar
    path = cached_path(source, options)
    card = steps.file(
        "import",
        path,
        lambda output: make_frame_file(source, output, options, force=True),
        lambda card: f"{source.name}: {imported(card)}",
    )
    return path, card


def make_frame_file(
    source: Path, output: Path, options: ImportOptions, *, force: bool = False
) -> Sidecar:
    """Write a model of another kind as a model file of edge-sr, or nothing.

    Args:
        source: an ONNX file, a Keras file or a SavedModel folder.

    Raises:
        UsageError: options of the other kind were given.
        EdgeSRError: as `wrap_onnx` and `export`.
    """
    check_model_file(source)
    keras = is_keras(source)
    if wrong := options.for_onnx if keras else options.for_keras:
        what = "ONNX" if keras else "Keras"
        raise UsageError(f"{source}: {', '.join(wrong)} is for {what} models; leave it out")
    check_output(output, force=force)
    if not keras:
        return wrap_onnx(source, output, options)[0]
    return export(
        source,
        output,
        input_range=options.input_range,
        output_range=options.output_range,
        custom_objects=Path(options.custom_objects) if options.custom_objects else None,
        trust=options.trust,
        force=force,
    )


def imported(sidecar: Sidecar) -> str:
    """What was detected of the model that a file was made from, in one line."""
    return str(sidecar.training.get("conversion", {}).get("imported") or describe(sidecar))


def cached_path(source: Path, options: ImportOptions) -> Path:
    """Where the wrapped form of an external model is, or will be, kept."""
    digests = " ".join(sha256_of(path) for path in _parts(source, options))
    how = f"{digests} imported {options.key}"
    path = converted_path(source.stem, how, precision="fp32")
    return path.with_name(f"{source.stem}.onnx")


def _parts(source: Path, options: ImportOptions) -> list[Path]:
    """The files that decide what a model computes."""
    own = Path(options.custom_objects) if options.custom_objects else None
    if own is not None and not own.is_file():
        raise ModelFileError(f"{own}: no such file; expected a .py file with the model's layers")
    code = [] if own is None else [own]
    if source.is_dir():
        return [source / SAVED_MODEL, *sorted((source / "variables").glob("*")), *code]
    return [source, *code, *([] if is_keras(source) else read_external(source)[1])]


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
