"""`convert.build_engine` behind its command line: from the options to the engine's report."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from convert.command import Size, Steps
from convert.engine.build import Engine, get_engine
from convert.engine.census import in_words
from convert.engine.flavours import check_capabilities, choose_flavour
from convert.engine.options import BuildOptions
from convert.engine.platforms import about_jetson
from convert.engine.prepare import BuildRequest, prepare
from convert.engine.run_child import Int8RefusedError
from convert.engine.spec import EngineSpec, tile_spec
from edge_sr.cuda import driver
from edge_sr.errors import ModelFileError
from edge_sr.files import whole_file
from edge_sr.model.engine_facts import Machine, facts_of, seal, tiles_path
from edge_sr.model.import_options import import_options
from edge_sr.model.sidecar import sidecar_path, write_sidecar
from edge_sr.pipeline.target import Target, output_size

DEFAULT_SIZE = (720, 1280)
RTX_INT8 = (
    "note: NVIDIA documents int8 of TensorRT-RTX for matrix products only, not for convolutions; "
    "measure it before you prefer it to fp16"
)


def build(args: argparse.Namespace) -> None:
    """Do what the command line asks for: prepare the ONNX file, build, try, report.

    Raises:
        EdgeSRError: the model, an option or the machine does not fit, or the build fails.
    """
    steps = Steps()
    options = _options(args)
    if args.output is not None:
        _check_output(args.output, tiles=args.tiles, force=args.force)
    machine, module_file = choose_flavour(args.flavour)
    options.check(machine)
    check_capabilities(machine, options.compute_capabilities)
    for line in about_jetson(machine.flavour, machine.version, module_file):
        steps.note(line)
    asked = BuildRequest(
        model=args.model,
        precision=args.precision,
        ratio=_ratio(_size(args), args.target),
        calibration=args.calibration,
        options=import_options(args),
        max_loss_db=args.max_loss_db,
        allow_loss=args.allow_loss,
        minutes=args.minutes,
    )
    spec = _spec(args, asked, machine, steps)
    if machine.flavour == "tensorrt-rtx" and spec.sidecar.precision == "int8":
        steps.note(RTX_INT8)
    tiles = tile_spec(spec) if args.tiles else None  # refused before anything takes long
    try:
        engine = get_engine(spec, notify=steps.note)
    except Int8RefusedError as error:
        steps.note(f"{error}; building fp16 in its place")
        half = _spec(args, replace(asked, precision="fp16"), machine, steps)
        tiles = tile_spec(half) if args.tiles else None
        engine = get_engine(half, notify=steps.note)
    describe_engine(engine, steps)
    shown = put_copy(engine, args.output) if args.output else engine.path
    built = [(engine, shown)]
    if tiles:
        of_tiles = get_engine(tiles, notify=steps.note, beside=engine.path)
        describe_engine(of_tiles, steps)
        copy = put_copy(of_tiles, tiles_path(args.output)) if args.output else of_tiles.path
        built.append((of_tiles, copy))
    elif args.output and tiles_path(args.output).exists():
        left = tiles_path(args.output)
        steps.note(f"{left}: is of an earlier build; build it again with --tiles, or remove it")
    report_files(built, steps, as_json=args.json)


def _size(args: argparse.Namespace) -> Size | None:
    return None if args.sizes else args.size or DEFAULT_SIZE


def _spec(
    args: argparse.Namespace, asked: BuildRequest, machine: Machine, steps: Steps
) -> EngineSpec:
    """Prepare the file that TensorRT reads, and say what is to be built of it."""
    size = _size(args)
    path, sidecar, frames = prepare(asked, steps)
    if size and args.size is None and sidecar.width and sidecar.height:
        size = sidecar.height, sidecar.width  # the one that it takes
    return EngineSpec(
        onnx=path,
        sidecar=sidecar,
        machine=machine,
        size=size,
        sizes=args.sizes,
        target=_target(size, args.target, sidecar.output_size),
        bits=args.bits,
        options=_options(args),
        frames=frames,
        log=args.verbose,
    )


def _options(args: argparse.Namespace) -> BuildOptions:
    return BuildOptions(
        workspace_mib=args.workspace,
        optimization_level=args.level,
        version_compatible=args.version_compatible,
        hardware=args.hardware_compatible,
        compute_capabilities=args.compute_capability,
        dla=args.dla,
    )


def _ratio(size: Size | None, target: Target | None) -> Fraction:
    """The scale that a family of shipped models is to reach."""
    if size is None or target is None:
        return Fraction(2)
    wanted = output_size(size[1], size[0], scale=None, target=target)
    if wanted is None:
        return Fraction(2)
    return max(Fraction(wanted[0], size[1]), Fraction(wanted[1], size[0]))


def _target(size: Size | None, target: Target | None, native: object) -> Size | None:
    """(rows, columns) to resize the result to; None where the model gives it by itself."""
    if size is None or target is None:
        return None
    wanted = output_size(size[1], size[0], scale=None, target=target)
    if wanted is None or (callable(native) and native(size[1], size[0]) == wanted):
        return None
    return wanted[1], wanted[0]


def _check_output(output: Path, *, tiles: bool, force: bool) -> None:
    if output.suffix != ".engine":
        raise ModelFileError(f"{output}: expected a name that ends in .engine")
    if not output.parent.is_dir():
        raise ModelFileError(f"{output.parent}: no such folder; make it first")
    for path in (output, tiles_path(output))[: 1 + tiles]:
        if path.exists() and not force:
            raise ModelFileError(f"{path}: exists; use --force to replace it")


NOT_READ = "counted before building: the inspector needs the GPU"


def describe_engine(engine: Engine, steps: Steps) -> None:
    """Say what it is: sizes, layers, and how it was tried."""
    card, facts = engine.sidecar, engine.facts
    if facts.sizes:
        low, _, high = (f"{columns}x{rows}" for rows, columns in facts.sizes.values())
        shape = f"{low} to {high}"
    else:
        shape = f"{card.width}x{card.height} -> {card.output_width}x{card.output_height}"
        if facts.batch > 1:
            shape = f"tiles of {shape}, up to {facts.batch} at once"
    took = None if engine.reused else facts.build_seconds
    steps.line("engine", f"{facts.built}: {shape}{' (reused)' * engine.reused}", took)
    counted = "read back from the engine" if facts.census_source == "inspector" else NOT_READ
    steps.line("layers", f"{in_words(facts.census)}; {counted}")
    if isinstance(facts.verified, str):
        steps.line("tried", facts.verified)
    else:
        found = facts.verified
        steps.line(
            "tried",
            f"on {found['gpu']}: {found['psnr_db']:.1f} dB from ONNX Runtime over "
            f"{found['frames']} frames, at most {found['max_difference']} grey levels",
        )


def put_copy(engine: Engine, output: Path) -> Path:
    """Copy engine and sidecar out of the cache, whole or not at all.

    Raises:
        ModelFileError: they cannot be written.
    """
    with whole_file(output, error=ModelFileError) as part:
        shutil.copyfile(engine.path, part)
    card = replace(engine.sidecar, name=output.stem)
    write_sidecar(output, seal(card, facts_of(engine.sidecar)))
    return output


def report_files(built: Sequence[tuple[Engine, Path]], steps: Steps, *, as_json: bool) -> None:
    """Print which files they are, or their facts as JSON, and say how to use them.

    Args:
        built: the engine of whole frames and its file; then that of tiles, if there is one.
    """
    if as_json:
        facts = [_json(engine, path) for engine, path in built]
        print(json.dumps(facts[0] | ({"tiles": facts[1]} if len(facts) > 1 else {})))
        return
    for engine, path in built:
        print(f"{path}: {engine.sidecar.precision}, {path.stat().st_size / 2**20:.1f} MiB")
    for engine, path in built:
        if path != engine.path:
            steps.note(f"its facts: {sidecar_path(path)}; the two travel together")
    here, path = driver.find_gpu()[0] is not None, built[0][1]
    model = path if here else path.name
    command = f"edge-sr run --model {model} --backend tensorrt --input VIDEO --output OUT.mp4"
    what = "it and its .json" if len(built) == 1 else "both engines and their .json"
    take = "" if here else f"copy {what} to the machine with the GPU; there: "
    steps.note(f"next: {take}{command}")


def _json(engine: Engine, path: Path) -> dict[str, object]:
    facts = {"file": str(path), "reused": engine.reused, "precision": engine.sidecar.precision}
    return facts | {"engine": engine.facts.to_dict()}
