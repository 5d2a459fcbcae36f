"""The export itself, in the process that imports TensorFlow: `child.export_in_child` starts it.

A Keras file that crashes or hangs TensorFlow takes nothing else with it; the process that asked
gets an ONNX file with its sidecar, or one line that says what is wrong.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import onnx

from calibration.network.graph_size import count_macs, set_size
from calibration.network.write import check_output
from convert.keras import to_onnx as from_keras
from convert.keras.channels import channels_last
from convert.keras.layers import free_size, single_precision
from convert.keras.saved_model import open_saved_model
from convert.onnx.add_frame_io import add_frame_io
from convert.probe.geometry import Geometry
from convert.probe.likeness import RangeChoice, choose_range
from convert.probe.parity import check_parity
from edge_sr.errors import EdgeSRError, ModelFileError
from edge_sr.files import parse_json, whole_file
from edge_sr.model.sidecar import Sidecar, data_digest, sha256_of, write_sidecar
from edge_sr.model.value_range import AUTO, RANGES
from training.models.open import open_model

NOTE = "note: "  # begins a line for the user on stdout; the last line is the error
OWN = ("edge_unet",)  # architectures whose range is known
TRACE = 24  # multiples of the size step that a free-size model is traced at


def export_here(
    source: Path,
    output: Path,
    *,
    size: tuple[int, int] | None = None,
    input_range: str = AUTO,
    output_range: str = AUTO,
    custom_objects: Path | None = None,
    trust: bool = False,
    force: bool = False,
) -> Sidecar:
    """`export_onnx.export` in this process, which imports TensorFlow.

    Raises:
        ModelFileError: as `export`.
    """
    check_output(output, force=force)
    if custom_objects is not None:
        print(f"{NOTE}{custom_objects} is run, as --custom-objects asks")
    if trust:
        print(f"{NOTE}--trust: code that is stored in {source.name} may run")
    if source.is_dir():
        model, changes = open_saved_model(source, trust=trust), list[str]()
    else:
        opened = open_model(source, custom_objects=custom_objects, trust=trust)
        model, changes = single_precision(opened)
        model, more = channels_last(model)
        changes += more
    probed, free = None, free_size(model) if size is None else None
    if free is not None:
        probed = _probe_free(free, model)
    if free is not None and probed is not None:
        rows, columns = model.input_shape[1:3]
        changes.append(f"its fixed input of {columns}x{rows} was made free: it takes any size")
        model = free
    for line in changes:
        print(f"{NOTE}{line}")
    channels, geometry = probed or from_keras.probe(model)
    if geometry.size and size and geometry.size != size:
        rows, columns = geometry.size
        raise ModelFileError(f"{source}: takes {columns}x{rows} only; leave --size out")
    ranges = _ranges(model, channels, geometry, input_range, output_range)
    geometry = replace(geometry, size=geometry.size or size)
    if geometry.size:
        pads = geometry.padding(*geometry.size)
        traced = geometry.size[0] + sum(pads[0]), geometry.size[1] + sum(pads[1])
    else:
        traced = (TRACE * geometry.multiple, (TRACE + 1) * geometry.multiple)
    core = from_keras.to_core(model, *traced)
    if geometry.size is None:
        set_size(core, None, None)
    io: dict[str, Any] = {
        "channels": channels,
        "geometry": geometry,
        "input_range": RANGES[ranges.input],
        "output_range": RANGES[ranges.output],
    }
    wrapped = add_frame_io(core, **io)
    name, parameters = from_keras.architecture(model)
    detected: dict[str, Any] = {}
    if name not in OWN:
        kind = "luma" if channels == 1 else "RGB"
        facts = [f"Keras, {kind}", ranges.describe(), geometry.describe(), *changes]
        detected = {"conversion": {"imported": ", ".join(facts)}}
    size, record = geometry.size, _training_record(source)
    name = _trained_as(record) or name
    with whole_file(output, error=ModelFileError) as part:
        onnx.save(wrapped, part)
        check_parity(from_keras.reference(model), part, **io)
        sidecar = Sidecar(
            name=output.stem,
            architecture=name,
            scale=str(geometry.scale),
            color="luma" if channels == 1 else "rgb",
            width=size[1] if size else None,
            height=size[0] if size else None,
            output_width=_side(wrapped, 2) if size else None,
            output_height=_side(wrapped, 1) if size else None,
            precision="fp32",
            parameters=parameters,
            macs_720p=count_macs(core, *(traced if size else (720, 1280))),
            sha256=sha256_of(part),
            made_from=source.name,
            made_from_sha256=sha256_of(source / "saved_model.pb" if source.is_dir() else source),
            training=record | detected,
            data_sha256=data_digest(record),
            tools=from_keras.tools(),
        )
    write_sidecar(output, sidecar)
    return sidecar


def _ranges(
    model: Any, channels: int, geometry: Geometry, input_range: str, output_range: str
) -> RangeChoice:
    """The ranges that were given, or the ones that make a picture; 0..255 where none does.

    Edge-sr's own networks work in 0..255.
    """
    own = from_keras.architecture(model)[0] in OWN
    if own and input_range == output_range == AUTO:
        return RangeChoice("0..255", "0..255", 0.0, None)
    run = from_keras.reference(model)
    try:
        choice = choose_range(
            run,
            model.name,
            geometry,
            channels=channels,
            input_range=input_range,
            output_range=output_range,
        )
    except ModelFileError as error:
        if (input_range, output_range) != (AUTO, AUTO):
            raise
        print(f"{NOTE}warning: 0..255 is taken for the range of values: {error}")
        return RangeChoice("0..255", "0..255", 0.0, None)
    if not choice.is_picture:
        print(
            f"{NOTE}warning: with {choice.describe()} the result does not look like the enlarged "
            f"input ({choice.likeness_db:.1f} dB): is the range right, and is the network trained?"
        )
    elif (choice.input, choice.output) != (input_range, output_range):
        print(f"{NOTE}{choice.describe()}")
    return choice


def _training_record(source: Path) -> dict[str, Any]:
    """What `training.train` wrote beside the Keras file, if it did."""
    path = source.with_name(source.name + ".json")
    if not path.exists():
        return {}
    try:
        found = parse_json(path.read_text())
    except ValueError as error:
        raise ModelFileError(f"{path}: not JSON ({error}); repair or remove it") from error
    if not isinstance(found, dict):
        raise ModelFileError(f"{path}: expected a JSON object; repair or remove it")
    return found


def _probe_free(free: Any, model: Any) -> tuple[int, Geometry] | None:
    """What `to_onnx.probe` finds of a model made free; None: it is better kept at its own size.

    That is so where it is no image-to-image model at other sizes, or one of another scale. The
    scale at its own size is known where rows and columns differ and grow alike: a missing border
    would change their ratios differently.
    """
    try:
        channels, geometry = from_keras.probe(free)
    except ModelFileError:
        return None
    before, after = model.input_shape[1:3], model.output_shape[1:3]
    own = {Fraction(large, small) for large, small in zip(after, before, strict=True)}
    if before[0] != before[1] and len(own) == 1 and geometry.scale not in own:
        return None
    return channels, geometry


def _trained_as(record: dict[str, Any]) -> str:
    """The architecture of the recipe that `training.train` wrote down; "" where there is none."""
    recipe = record.get("recipe")
    return str(recipe.get("architecture", "")) if isinstance(recipe, dict) else ""


def _side(model: onnx.ModelProto, axis: int) -> int:
    return int(model.graph.output[0].type.tensor_type.shape.dim[axis].dim_value)


def main(argv: Sequence[str]) -> int:
    """The child: 0 when the file was written; 1 with one line on stdout when it was not."""
    try:
        export_here(Path(argv[0]), Path(argv[1]), **_options(argv[2]))
    except EdgeSRError as error:
        print(error)
        return 1
    return 0


def _options(text: str) -> dict[str, Any]:
    options: dict[str, Any] = json.loads(text)
    size = options["size"]
    own = options["custom_objects"]
    return options | {
        "size": tuple(size) if size else None,
        "custom_objects": Path(own) if own else None,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
