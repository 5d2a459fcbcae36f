"""``edge-sr models`` and ``edge-sr info``: the shipped models, and what one model file is."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge_sr import zoo
from edge_sr.cli.common import Row, add_command, format_table
from edge_sr.model.external import model_file
from edge_sr.model.import_options import add_import_options, import_options
from edge_sr.model.sidecar import Sidecar

MODELS_EXAMPLES = """\
examples:
  edge-sr models
  edge-sr models --json
"""
INFO_EXAMPLES = """\
examples:
  edge-sr info edge-unet-s-x2
  edge-sr info mine.onnx --json
  edge-sr info other.onnx --input-range 0..1 --output-range -1..1
"""
HEAD = ("name", "scale", "color", "precision", "parameters")
PSNR, BICUBIC = "_psnr_y_db", "_bicubic_psnr_y_db"  # ends of names in a sidecar's quality


def add_models(commands: Any) -> None:
    """Add ``edge-sr models``."""
    command = add_command(
        commands,
        "models",
        "List the models that ship with edge-sr.",
        summary="list the models that ship with edge-sr",
        examples=MODELS_EXAMPLES,
    )
    command.add_argument("--json", action="store_true", help="print one JSON array")
    command.set_defaults(command=models)


def models(args: argparse.Namespace) -> int:
    """List the models that ship with edge-sr."""
    known = [zoo.find(name)[1] for name in sorted([*zoo.names(), *zoo.names("int8")])]
    if args.json:
        print(json.dumps([asdict(sidecar) for sidecar in known], indent=2))
        return 0
    sets = list(dict.fromkeys(name for item in known for name in _psnr(item)))
    rows = []
    for item in known:
        figures = [f"{_psnr(item)[name]:.2f}" if name in _psnr(item) else "-" for name in sets]
        scale = f"x{float(item.ratio):g}"
        facts = (item.name, scale, item.color, item.precision, f"{item.parameters:,}")
        rows.append(Row((*facts, *figures)))
    print(format_table(rows, head=(*HEAD, *sets), right=(1, *range(4, len(HEAD) + len(sets)))))
    print(f"\n{', '.join(sets)}: PSNR-Y in dB on clean images")
    print("-live models are for compressed, noisy or soft video; they lose on clean images")
    return 0


def add_info(commands: Any) -> None:
    """Add ``edge-sr info``."""
    command = add_command(
        commands,
        "info",
        "Check that a model and its .json belong together, and show what they contain.",
        summary="show what a model file is, and check it",
        examples=INFO_EXAMPLES,
    )
    command.add_argument(
        "model", metavar="MODEL", help="a shipped model's name, or an .onnx, .engine or .keras file"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    add_import_options(command)
    command.set_defaults(command=info)


def info(args: argparse.Namespace) -> int:
    """Check a model and its sidecar, and show the facts."""
    path, sidecar = zoo.find(model_file(args.model, import_options(args)))
    if args.json:
        print(json.dumps({"file": str(path)} | asdict(sidecar), indent=2))
        return 0
    print(format_table(_in_words(path, sidecar)))
    return 0


def _in_words(path: Path, sidecar: Sidecar) -> list[Row]:
    """What a person asks about a model, a row each."""
    size = f"{sidecar.width}x{sidecar.height} only" if sidecar.width else "of any size"
    frames = (
        "luma; the colours are upscaled without the network" if sidecar.channels == 1 else "RGB"
    )
    work = f"{sidecar.macs_720p / 1e9:.1f} billion multiply-accumulates"
    work += f" for a {sidecar.width or 1280}x{sidecar.height or 720} frame"
    made = f"made from {sidecar.made_from}" if sidecar.made_from else "not known"
    rows = [
        ("model", f"{sidecar.name}, architecture {sidecar.architecture}"),
        ("file", f"{path}, {path.stat().st_size / 2**20:.2f} MiB; its .json belongs to it"),
        ("upscales", f"by {float(sidecar.ratio):g}, frames {size}"),
        ("reads", frames),
        ("precision", sidecar.precision),
        ("network", f"{sidecar.parameters:,} parameters, {work}"),
        *_quality(sidecar),
        ("origin", made),
    ]
    if imported := sidecar.training.get("conversion", {}).get("imported"):
        rows.append(("detected", imported))
    if sidecar.tools:
        tools = ", ".join(f"{name} {version}" for name, version in sidecar.tools.items())
        rows.append(("made with", tools))
    return [Row(row) for row in rows]


def _quality(sidecar: Sidecar) -> list[tuple[str, str]]:
    """A row for each image set, and one for what int8 loses."""
    found, rows = sidecar.quality, []
    for name, value in _psnr(sidecar).items():
        bicubic = found.get(name + BICUBIC)
        beside = f", bicubic {bicubic:.2f} dB" if bicubic is not None else ""
        rows.append((name, f"PSNR-Y {value:.2f} dB{beside}"))
    if "int8_loss_db" in found:
        rows.append(("int8", f"loses {found['int8_loss_db']:.3f} dB against fp32"))
    return rows


def _psnr(sidecar: Sidecar) -> dict[str, float]:
    """PSNR-Y in dB on each image set that it was measured on."""
    return {
        key.removesuffix(PSNR): value
        for key, value in sidecar.quality.items()
        if key.endswith(PSNR) and not key.endswith(BICUBIC)
    }
