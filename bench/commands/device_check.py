"""`python -m bench device-check`: whether edge-sr works on this GPU, and how fast.

Whoever has a GPU that we have not can run it and attach the two files it writes to an issue.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from bench.measure.device import device_facts, device_state
from bench.measure.gpu import SETTINGS, agree, endure, sample_frames, time_frames
from edge_sr import zoo
from edge_sr.cli.common import add_command
from edge_sr.cli.options import add_device, at_least_one, frame_size
from edge_sr.errors import EdgeSRError, ModelFileError
from edge_sr.model.engine_facts import facts_of
from edge_sr.model.resolver import gpu_machine, note, resolve
from edge_sr.model.sidecar import Sidecar, load_sidecar

EXAMPLES = """\
examples:
  python -m bench device-check
  python -m bench device-check --models edge-unet-s-x2 edge-unet-m-x2 --size 1920x1080
  python -m bench device-check --engines mine.engine --frames 5000
"""
NAME = "device-check"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The options of `device-check`."""
    command = add_command(
        commands,
        NAME,
        "Build engines on this GPU, compare them with ONNX Runtime, time them with and "
        "without CUDA graphs and overlap, and look for leaks in a long run.",
        summary="try the GPU: same pictures as on the CPU, speed, leaks",
        examples=EXAMPLES,
    )
    command.add_argument("--models", nargs="+", metavar="MODEL", default=["edge-unet-s-x2"])
    command.add_argument(
        "--precisions", nargs="+", choices=("fp32", "fp16", "int8"), default=["fp16", "int8"]
    )
    command.add_argument(
        "--engines", nargs="+", type=Path, default=[], metavar="FILE", help="built before, instead"
    )
    command.add_argument("--size", type=frame_size, default=(1280, 720), metavar="WxH")
    command.add_argument(
        "--frames", type=at_least_one, default=1000, metavar="N", help="of the long run (1000)"
    )
    command.add_argument(
        "--timed", type=at_least_one, default=300, metavar="N", help="frames of each timing (300)"
    )
    add_device(command)
    command.add_argument("--output", type=Path, default=Path(NAME), metavar="DIR")
    command.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Returns 0 when every check was made and passed, 1 otherwise; the files say which.

    Raises:
        BackendError, MissingDependencyError: there is no GPU, or nothing to use it with.
    """
    machine = gpu_machine()
    note(f"device-check on {machine}")
    found: dict[str, Any] = {
        "made_by": "python -m bench device-check",
        "gpu": asdict(machine),
        "machine": msgspec.to_builtins(device_facts()),
        "before": msgspec.to_builtins(device_state()),
        "size": f"{args.size[0]}x{args.size[1]}",
        "engines": [_check(args, *item) for item in _engines(args)],
        "after": msgspec.to_builtins(device_state()),
    }
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / f"{NAME}.json").write_text(json.dumps(found, indent=2) + "\n")
    (args.output / f"{NAME}.md").write_text(render(found))
    bad = [item["engine"] for item in found["engines"] if not item["good"]]
    verdict = f"failed: {', '.join(bad)}" if bad else "all checks passed"
    print(f"{args.output / NAME}.json and .md: {verdict}")
    return 1 if bad else 0


def _engines(args: argparse.Namespace) -> list[tuple[str, str, Path | None]]:
    """(what it is, precision, engine file) of each check; no file where it is to be built."""
    if args.engines:
        return [(str(path), load_sidecar(path).precision, path) for path in args.engines]
    return [(model, precision, None) for model in args.models for precision in args.precisions]


def _check(
    args: argparse.Namespace, name: str, precision: str, engine: Path | None
) -> dict[str, Any]:
    """All checks of one engine; one that fails is recorded, and the others go on."""
    found: dict[str, Any] = {"engine": name, "precision": precision, "good": False}
    try:
        begun = time.perf_counter()
        onnx, card, engine = _files(args, name, precision, engine)
        sidecar = load_sidecar(engine)
        found["ready_s"] = round(time.perf_counter() - begun, 1)
        found["facts"] = facts_of(sidecar).to_dict()
        columns, rows = sidecar.width or args.size[0], sidecar.height or args.size[1]
        given = sample_frames(columns, rows, sidecar.channels)
        note(f"{name} {precision}: comparing, timing, and running {args.frames} frames")
        agreement = agree(engine, sidecar, onnx, card, given)
        found["agreement"] = asdict(agreement) | {"good": agreement.good}
        found["timings"] = [
            asdict(
                time_frames(engine, sidecar, given, graphs=graphs, slots=slots, frames=args.timed)
            )
            for graphs, slots in SETTINGS
        ]
        endurance = endure(engine, sidecar, given, args.frames)
        found["endurance"] = asdict(endurance) | {"good": endurance.good}
        found["good"] = agreement.good and endurance.good
    except EdgeSRError as error:
        found["error"] = str(error)
        note(f"{name} {precision}: {error}")
    return found


def _files(
    args: argparse.Namespace, name: str, precision: str, engine: Path | None
) -> tuple[Path, Sidecar, Path]:
    """The ONNX file to compare with, its facts, and the engine, built where it is not cached."""
    if engine is not None:
        return (*_source_of(engine), engine)
    onnx, card = zoo.find(name)
    resolved = resolve(onnx, card, backend="tensorrt", size=args.size, precision=precision)
    if precision == "int8" and card.name in zoo.names():
        onnx, card = zoo.tensorrt_file(card.name)
    return onnx, card, resolved.path


def _source_of(engine: Path) -> tuple[Path, Sidecar]:
    """The ONNX file that an engine names as its source: beside it, or a shipped one."""
    name = load_sidecar(engine).made_from
    for path in (engine.with_name(name), zoo.FOLDER / name):
        if path.is_file():
            return path, load_sidecar(path)
    raise ModelFileError(
        f"{engine}: {name}, which it was made from, is not beside it: put it there to compare with"
    )


def render(found: dict[str, Any]) -> str:
    """The Markdown page of the findings."""
    gpu = found["gpu"]
    lines = [
        "# edge-sr device check",
        "",
        f"{gpu['gpu']} (compute capability {gpu['compute_capability']}), "
        f"{gpu['flavour']} {gpu['version']}, driver for CUDA {gpu['cuda']}"
        + (f", L4T {gpu['l4t']}" if gpu["l4t"] else ""),
        "",
        f"edge-sr {found['machine']['edge_sr']}, {found['machine'].get('board', '')}"
        f"{found['machine'].get('cpu', '')}, {found['before'].get('utc', '')}. "
        f"Frames of {found['size']} from `bench.measure.gpu`.",
    ]
    for item in found["engines"]:
        lines += ["", *_render_engine(item)]
    return "\n".join(lines) + "\n"


def _render_engine(item: dict[str, Any]) -> list[str]:
    lines = [f"## {item['engine']}, {item['precision']}: {'good' if item['good'] else 'FAILED'}"]
    if "error" in item:
        lines += ["", f"Error: {item['error']}"]
    if "agreement" in item:
        seen = item["agreement"]
        lines += [
            "",
            f"Against ONNX Runtime on the CPU, {seen['frames']} frames: PSNR "
            f"{seen['psnr_db']:.1f} dB at worst ({seen['least_db']:g} wanted), "
            f"largest difference {seen['max_difference']} grey levels.",
        ]
    if "timings" in item:
        lines += [
            "",
            "| CUDA graphs | slots | p50 ms | p99 ms | fps | GPU ms | host µs to begin |",
            "|---|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {'yes' if one['graphs'] else 'no'} | {one['slots']} | {one['p50_ms']:.3f} | "
            f"{one['p99_ms']:.3f} | {one['fps']:.1f} | {one['gpu_ms']:.3f} | "
            f"{one['submit_us']:.0f} |"
            for one in item["timings"]
        ]
        notes = {note for one in item["timings"] for note in one["notes"]}
        lines += ["", *(f"- {note}" for note in sorted(notes) if not note.startswith("GPU time"))]
    if "endurance" in item:
        seen = item["endurance"]
        lines += [
            "",
            f"{seen['frames']} frames: host memory {seen['host_growth_mib']:+.1f} MiB, GPU memory "
            f"{seen['gpu_growth_mib']:+.1f} MiB, left after closing {seen['gpu_left_mib']:+.1f} "
            f"MiB; {seen['black']} black and {seen['constant']} constant results.",
        ]
    return lines
