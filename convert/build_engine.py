"""One command from a Keras file, a shipped model or an ONNX file to a TensorRT engine.

``python -m convert.build_engine --model edge-unet-s-x2 --precision fp16 --size 1280x720``
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sr.engine_facts import facts_of, seal
from edge_sr.errors import EdgeSRError, ModelFileError, UsageError
from edge_sr.machine import find_gpu
from edge_sr.sidecar import sidecar_path, write_sidecar
from edge_sr.target import Target, output_size

from .engine_parser import build_parser
from .options import BuildOptions
from .sizes import Size
from .steps import Steps

if TYPE_CHECKING:
    from .engine import Engine

DEFAULT_SIZE = (720, 1280)
RTX_INT8 = (
    "note: NVIDIA documents int8 of TensorRT-RTX for matrix products only, not for convolutions; "
    "measure it before you prefer it to fp16"
)
NOT_READ = "counted before building: the inspector needs the GPU"


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the engine is there, 1 when it is not; wrong usage exits with 2."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if not (args.model or args.list_cache or args.prune):
        parser.error("nothing to build: give --model, or --list-cache or --prune")
    if args.size and args.sizes:
        parser.error("--size and --sizes were both given; an engine has one or the other")
    if args.sizes and args.target:
        parser.error("--target needs one --size; with --sizes the result keeps the model's scale")
    try:
        if args.prune or args.list_cache:
            from .cache_commands import list_cache, prune

            print(prune(everything=args.prune == "all") if args.prune else list_cache())
            return 0
        _build(args)
    except UsageError as error:
        print(f"build_engine: {error}", file=sys.stderr)
        return 2
    except EdgeSRError as error:
        print(f"build_engine: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("build_engine: interrupted; nothing was kept of the engine", file=sys.stderr)
        return 130
    return 0


def _build(args: argparse.Namespace) -> None:
    from .engine import get_engine
    from .engine_card import Request
    from .flavour import choose_flavour
    from .platforms import about_jetson
    from .prepare import prepare
    from .source import Wish

    steps = Steps()
    options = _options(args)
    if args.output is not None:
        _check_output(args.output, force=args.force)
    machine, module_file = choose_flavour(args.flavour)
    options.check(machine)
    for line in about_jetson(machine.flavour, machine.version, module_file):
        steps.note(line)
    size = None if args.sizes else args.size or DEFAULT_SIZE
    wish = Wish(
        model=args.model,
        precision=args.precision,
        ratio=_ratio(size, args.target),
        calibration=args.calibration,
        value_range=args.range,
        max_loss_db=args.max_loss_db,
        allow_loss=args.allow_loss,
    )
    path, sidecar, frames = prepare(wish, steps)
    if size and args.size is None and sidecar.width and sidecar.height:
        size = sidecar.height, sidecar.width  # the one that it takes
    request = Request(
        onnx=path,
        sidecar=sidecar,
        machine=machine,
        size=size,
        sizes=args.sizes,
        target=_target(size, args.target, sidecar.output_size),
        options=options,
        frames=frames,
        log=args.verbose,
    )
    if machine.flavour == "tensorrt-rtx" and sidecar.precision == "int8":
        steps.note(RTX_INT8)
    engine = get_engine(request, tell=steps.note)
    _tell(engine, steps)
    shown = _put(engine, args.output) if args.output else engine.path
    _finish(args, engine, shown, steps)


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


def _check_output(output: Path, *, force: bool) -> None:
    if output.suffix != ".engine":
        raise ModelFileError(f"{output}: expected a name that ends in .engine")
    if not output.parent.is_dir():
        raise ModelFileError(f"{output.parent}: no such folder; make it first")
    if output.exists() and not force:
        raise ModelFileError(f"{output}: exists; use --force to replace it")


def _tell(engine: Engine, steps: Steps) -> None:
    from .census import tell

    card, facts = engine.sidecar, engine.facts
    if facts.sizes:
        low, _, high = (f"{columns}x{rows}" for rows, columns in facts.sizes.values())
        shape = f"{low} to {high}"
    else:
        shape = f"{card.width}x{card.height} -> {card.output_width}x{card.output_height}"
    took = None if engine.reused else facts.build_seconds
    steps.line("engine", f"{facts.built}: {shape}{' (reused)' * engine.reused}", took)
    counted = "read back from the engine" if facts.census_source == "inspector" else NOT_READ
    steps.line("layers", f"{tell(facts.census)}; {counted}")
    if isinstance(facts.verified, str):
        steps.line("tried", facts.verified)
    else:
        found = facts.verified
        steps.line(
            "tried",
            f"on {found['gpu']}: {found['psnr_db']:.1f} dB from ONNX Runtime over "
            f"{found['frames']} frames, at most {found['max_difference']} grey levels",
        )


def _put(engine: Engine, output: Path) -> Path:
    """Copy engine and sidecar out of the cache, whole or not at all."""
    part = output.with_name(output.name + ".part")
    try:
        shutil.copyfile(engine.path, part)
        card = replace(engine.sidecar, name=output.stem)
        part.replace(output)
        write_sidecar(output, seal(card, facts_of(engine.sidecar)))
    except OSError as error:
        raise ModelFileError(f"{output}: cannot be written ({error.strerror or error})") from error
    finally:
        part.unlink(missing_ok=True)
    return output


def _finish(args: argparse.Namespace, engine: Engine, path: Path, steps: Steps) -> None:
    card = engine.sidecar
    if args.json:
        facts = {"file": str(path), "reused": engine.reused, "precision": card.precision}
        print(json.dumps(facts | {"engine": engine.facts.to_dict()}))
        return
    mib = path.stat().st_size / 2**20
    print(f"{path}: {card.precision}, {mib:.1f} MiB")
    if path != engine.path:
        steps.note(f"its facts: {sidecar_path(path)}; the two travel together")
    here = find_gpu()[0] is not None
    model = path if here else path.name
    command = f"edge-sr run --model {model} --backend tensorrt --input VIDEO --output OUT.mp4"
    take = "" if here else "copy it and its .json to the machine with the GPU; there: "
    steps.note(f"next: {take}{command}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # cleaning up
    sys.exit(main())
