"""An external model, any published super-resolution ONNX file, given edge-sr's frame I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, compose

from calibration.network.compare import pooled_psnr
from calibration.network.graph_size import count_macs, count_parameters
from calibration.network.load import opset_of
from calibration.network.session import open_session, run
from convert.onnx.add_frame_io import add_frame_io
from convert.onnx.tidy import first_line, free_size, read_external, tidy
from convert.probe.geometry import HALF, Geometry, Run, find_geometry
from convert.probe.likeness import RangeChoice, choose_range, soft_picture
from convert.probe.parity import check_parity
from edge_sr.errors import BackendError, EdgeSRError, ModelFileError
from edge_sr.files import whole_file
from edge_sr.model.import_options import CHANNELS, LAYOUTS, ImportOptions
from edge_sr.model.sidecar import Sidecar, sha256_of, sidecar_path, write_sidecar
from edge_sr.model.value_range import AUTO, RANGES

SHARES = (HALF, Fraction(0), Fraction(1))  # of missing pixels at the start, the usual one first
SAME_DB = 45.0  # PSNR of a changed graph against the file as it was, at least
NUMPY_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
CLEARER_DB = 1.0  # by which another share must be nearer to the enlarged input


@dataclass(frozen=True)
class Detected:
    """What was found of an external model, and how it is wrapped."""

    layouts: tuple[str, str]  # of input and output
    channels: int
    ranges: RangeChoice
    geometry: Geometry
    changes: tuple[str, ...]  # that made its graph a plain float32 one of a recent opset

    def describe(self) -> str:
        """One line for the user."""
        layout = " to ".join(dict.fromkeys(self.layouts))
        kind = "luma" if self.channels == 1 else "RGB"
        parts = [f"{kind} {layout.upper()}", self.ranges.describe(), self.geometry.describe()]
        return ", ".join([*parts, *self.changes])


def wrap_onnx(
    source: Path, output: Path, options: ImportOptions | None = None
) -> tuple[Sidecar, Detected]:
    """Write an external model as a model file of edge-sr, with its sidecar.

    The result is compared with the original in ONNX Runtime at several sizes before it is kept.

    Raises:
        ModelFileError: it is no image-to-image network, something about it is not clear, or it
            cannot be converted or written.
    """
    options = options or ImportOptions()
    model, _ = read_external(source)
    if model.producer_name == "edge-sr" and model.graph.input[0].name == "frame":
        raise ModelFileError(
            f"{source}: takes uint8 frames, but {sidecar_path(source).name} is not beside it; "
            "put it there, or give the float network that the file was made from"
        )
    original = model.SerializeToString()
    changes = tidy(source, model, output_name=options.output_name)
    model, detected = _detect(source.name, model, options, changes)
    if changes:
        _check_changes(source, original, model, detected)
    core = compose.add_prefix(model, "net/")
    wrapped = add_frame_io(
        core,
        channels=detected.channels,
        geometry=detected.geometry,
        input_range=RANGES[detected.ranges.input],
        output_range=RANGES[detected.ranges.output],
        layouts=detected.layouts,
        opset=opset_of(core),
    )
    size = detected.geometry.size
    color = "luma" if detected.channels == 1 else "rgb"
    with whole_file(output, error=ModelFileError) as part:
        onnx.save(wrapped, part)
        check_parity(
            _runner(source.name, model, detected.layouts[0], detected.channels),
            part,
            channels=detected.channels,
            geometry=detected.geometry,
            input_range=RANGES[detected.ranges.input],
            output_range=RANGES[detected.ranges.output],
            original="the original",
        )
        sidecar = Sidecar(
            name=output.stem,
            architecture="unknown",
            scale=str(detected.geometry.scale),
            color=color,
            width=size[1] if size else None,
            height=size[0] if size else None,
            output_width=size and int(size[1] * detected.geometry.scale),
            output_height=size and int(size[0] * detected.geometry.scale),
            precision="fp32",
            parameters=count_parameters(model),
            macs_720p=count_macs(
                model,
                *(size or (720, 1280)),
                axes=(2, 3) if detected.layouts[0] == "nchw" else (1, 2),
            ),
            sha256=sha256_of(part),
            made_from=source.name,
            made_from_sha256=sha256_of(source),
            training={"conversion": {"imported": detected.describe()}},
            tools={"onnx": str(onnx.__version__)},
        )
    write_sidecar(output, sidecar)
    return sidecar, detected


def _detect(
    name: str, model: onnx.ModelProto, options: ImportOptions, changes: Sequence[str]
) -> tuple[onnx.ModelProto, Detected]:
    """The model, its size freed where it works at any, and what was found of it."""
    reasons: list[str] = []
    for layout, channels in _candidates(name, model, options):
        axes = (2, 3) if layout == "nchw" else (1, 2)
        dims = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
        fixed = (dims[axes[0]], dims[axes[1]])
        for free in (True, False):
            if not free and not all(fixed):
                continue
            tried = free_size(model, axes) if free else model
            try:
                size = None if free else fixed
                detected = _detect_as(name, tried, layout, channels, size, options)
            except _ShapeError as error:
                reasons.append(str(error))
                continue
            notes = [*changes, *(["its fixed size made free"] if free and all(fixed) else [])]
            return tried, replace(detected, changes=tuple(notes))
    reasons.sort(key=lambda line: "it fails at" in line)  # the others say more
    raise ModelFileError(reasons[0] if reasons else f"{name}: is no image-to-image network")


class _ShapeError(ModelFileError):
    """Taken this way, the network does not give a picture for a picture."""


def _detect_as(
    name: str,
    model: onnx.ModelProto,
    layout: str,
    channels: int,
    fixed: tuple[int, int] | None,
    options: ImportOptions,
) -> Detected:
    try:
        runner = _runner(name, model, layout, channels)
        geometries: list[Geometry] = []
        for share in SHARES:
            geometries.append(
                find_geometry(
                    runner, name, channels=channels, fixed=fixed, scale=options.scale, share=share
                )
            )
            if geometries[0].margin == geometries[0].crop == (0, 0):
                break  # no pixels are missing, nor too many
    except EdgeSRError as error:
        raise _ShapeError(str(error)) from error
    choices = [
        choose_range(
            runner,
            name,
            geometry,
            channels=channels,
            input_range=_given(model.graph.input[0], options.input_range),
            output_range=_given(model.graph.output[0], options.output_range),
        )
        for geometry in geometries
    ]
    best = 0
    for place, choice in enumerate(choices):
        if choice.likeness_db > choices[best].likeness_db + CLEARER_DB:
            best = place
    layouts = (layout, _output_layout(model, layout, channels))
    return Detected(layouts, channels, choices[best], geometries[best], ())


def _given(tensor: onnx.ValueInfoProto, asked: str) -> str:
    """The range of one side: bytes are 0..255, whatever else is found."""
    return "0..255" if tensor.type.tensor_type.elem_type == TensorProto.UINT8 else asked


def _candidates(
    name: str, model: onnx.ModelProto, options: ImportOptions
) -> Iterator[tuple[str, int]]:
    """(layout, channels) that the declared input shape allows, the usual ones first."""
    tensor = model.graph.input[0].type.tensor_type
    dims = [dim.dim_value for dim in tensor.shape.dim]
    if tensor.elem_type not in (TensorProto.FLOAT, TensorProto.UINT8):
        kind = TensorProto.DataType.Name(tensor.elem_type).lower()
        raise ModelFileError(f"{name}: its input is {kind}; expected float or uint8")
    if len(dims) not in (0, 4):
        raise ModelFileError(f"{name}: input shape is {dims}; expected 4 axes, one picture")
    dims = dims or [0] * 4
    if dims[1] > max(CHANNELS.values()) and not any(dims[2:]):
        raise ModelFileError(f"{name}: takes {dims[1]} channels; expected 1 (luma) or 3 (RGB)")
    found = False
    for layout in LAYOUTS if options.layout == AUTO else (options.layout,):
        declared = dims[1 if layout == "nchw" else 3]
        for channels in (3, 1) if options.channels is None else (options.channels,):
            if declared in (0, channels):
                found = True
                yield layout, channels
    if not found:
        raise ModelFileError(
            f"{name}: input shape is {dims}; expected (1, 1 or 3, H, W) or (1, H, W, 1 or 3)"
        )


def _runner(name: str, model: onnx.ModelProto, layout: str, channels: int) -> Run:
    """The network as a function of float32 NHWC arrays in its own values."""
    try:
        session = open_session(model)
    except BackendError as error:
        raise ModelFileError(f"{name}: {error}") from error
    takes = model.graph.input[0].type.tensor_type.elem_type

    def call(frames: np.ndarray) -> np.ndarray:
        values = frames.transpose(0, 3, 1, 2) if layout == "nchw" else frames
        if takes == TensorProto.UINT8:
            values = np.clip(np.rint(values), 0, 255).astype(np.uint8)
        found = run(session, np.ascontiguousarray(values))[0]
        if found.ndim != 4:
            raise ModelFileError(
                f"{name}: its result has shape {found.shape}; expected a picture, of 4 axes: is it "
                "a classifier, or another output? See --output-name"
            )
        planar = found.shape[1] == channels and (layout == "nchw" or found.shape[3] != channels)
        result: np.ndarray = found.transpose(0, 2, 3, 1) if planar else found
        return result.astype(np.float32)

    return call


def _output_layout(model: onnx.ModelProto, layout: str, channels: int) -> str:
    dims = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    rows, columns = dims[2:] if layout == "nchw" else dims[1:3]
    shape = [1, rows or 96, columns or 192, channels]
    blank = np.zeros(shape, np.float32)
    values = blank.transpose(0, 3, 1, 2) if layout == "nchw" else blank
    if model.graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8:
        values = values.astype(np.uint8)
    found = run(open_session(model), np.ascontiguousarray(values))[0].shape
    planar = found[1] == channels and (layout == "nchw" or found[3] != channels)
    return "nchw" if planar else "nhwc"


def _check_changes(path: Path, original: bytes, model: onnx.ModelProto, detected: Detected) -> None:
    """Compare the tidied graph with the file as it was read.

    Raises:
        ModelFileError: the results differ by more than half precision explains.
    """
    session = open_session(original)
    source = session.get_inputs()[0]
    kind = NUMPY_TYPES[source.type]
    frame = soft_picture(*(_one_size(model, detected) or (64, 96)), detected.channels)
    values = RANGES[detected.ranges.input]
    picture = frame[None].astype(np.float32) / 255 * values.levels + values.offset
    expected = _runner(path.name, model, detected.layouts[0], detected.channels)(picture)
    batch = picture.transpose(0, 3, 1, 2) if detected.layouts[0] == "nchw" else picture
    count = source.shape[0] if source.shape and isinstance(source.shape[0], int) else 1
    feed = np.repeat(batch, count, axis=0).astype(kind)
    try:
        name = model.graph.output[0].name
        found = session.run([name], {source.name: feed})[0][:1].astype(np.float32)
    except Exception as error:  # ONNX Runtime's own classes share no public base
        raise ModelFileError(f"{path}: ONNX Runtime cannot run it ({first_line(error)})") from error
    if detected.layouts[1] == "nchw":
        found = found.transpose(0, 2, 3, 1)
    given = RANGES[detected.ranges.output]
    pair = [
        np.clip(np.rint((item[0] - given.offset) / given.levels * 255), 0, 255).astype(np.uint8)
        for item in (found, expected)
    ]
    if (near_db := pooled_psnr(pair[:1], pair[1:])) < SAME_DB:
        raise ModelFileError(
            f"{path}: changed to {', '.join(detected.changes)} it gives another result "
            f"({near_db:.1f} dB, {SAME_DB:g} expected); export it again as float32, opset 17"
        )


def _one_size(model: onnx.ModelProto, detected: Detected) -> tuple[int, int] | None:
    """(rows, columns) of the network's own input, if it takes one size."""
    dims = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    rows, columns = dims[2:] if detected.layouts[0] == "nchw" else dims[1:3]
    return (rows, columns) if rows and columns else None
