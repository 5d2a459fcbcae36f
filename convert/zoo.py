"""The shipped models, made again from their Keras files: fp32, int8 twice, each with its figures.

``python -m convert.zoo --images Set5/ Set14/ BSD100/``
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from calibration.frames.frames import open_frames
from calibration.network.load import load_network
from calibration.quantize.int8 import quantise_network
from calibration.quantize.write_int8 import write_int8
from convert.export_onnx import export
from edge_sr import zoo
from edge_sr.children import run_module
from edge_sr.cli.common import make_parser
from edge_sr.errors import EdgeSRError, ModelFileError
from edge_sr.model.sidecar import Sidecar, load_sidecar, sha256_of, write_sidecar

PRETRAINED = Path(__file__).parents[1] / "training" / "pretrained"
MAX_LOSS_DB = 0.05  # on every picture set
BOUNDS_DB = (0.05, 0.044, 0.038, 0.032)  # on held-out calibration frames, until every set holds
EXAMPLES = """\
examples:
  python -m convert.zoo --images Set5/ Set14/ BSD100/
  python -m convert.zoo edge-unet-m-x2 --images Set5/ Set14/ BSD100/ --force

A file whose sidecar says that it was made from the one that is there is left alone.
"""


def make(
    name: str, images: Sequence[Path], *, pretrained: Path, folder: Path, force: bool = False
) -> list[str]:
    """Make what is missing or stale of one model; returns a line for each broken bound.

    Raises:
        EdgeSRError: a file cannot be read, converted, written or measured.
    """
    source, whole = pretrained / f"{name}.keras", folder / f"{name}.onnx"
    if not source.is_file():
        raise ModelFileError(f"{source}: no such file; expected trained weights")
    if force or not _fresh(whole, source):
        export(source, whole, force=True)
    measure([whole], images)
    files = {
        folder / f"{name}.int8.onnx": "fp32",  # what is around the int8 layers
        folder / f"{name}.int8.trt.onnx": "fp16",
    }
    due = [path for path in files if force or not _fresh(path, whole)]
    measure([path for path in files if path not in due], images)
    due += [path for path in files if path not in due and broken_bounds([whole, path])]
    for bound_db in BOUNDS_DB:
        if not due:
            break
        network, frames = load_network(whole), open_frames(None)
        result = quantise_network(network, frames, max_loss_db=bound_db)
        for path in due:
            write_int8(path, network, frames, result, around=files[path], max_loss_db=bound_db)
        measure(due, images)
        due = [path for path in due if broken_bounds([whole, path])]
    return broken_bounds([whole, *files])


def measure(files: Sequence[Path], images: Sequence[Path]) -> None:
    """Write PSNR-Y and SSIM-Y of every picture set, and bicubic's, into sidecars that lack them.

    `python -m bench run` measures, in a process of its own: there is one definition of quality.

    Raises:
        ModelFileError: it failed.
    """
    wanted = {f"{folder.resolve().name}_psnr_y_db" for folder in images}
    files = [path for path in files if not wanted <= set(load_sidecar(path).quality)]
    if not files:
        return
    with tempfile.TemporaryDirectory(prefix="edge-sr-zoo-") as scratch:
        rows = Path(scratch) / "rows.jsonl"
        arguments = ["run", "--output", str(rows)]
        arguments += [
            "--models",
            *map(str, files),
            f"bicubic-x{float(load_sidecar(files[0]).ratio):g}",
        ]
        arguments += [
            "--images",
            *map(str, images),
            "--size",
            "64x64",
            "--runs",
            "1",
            "--seconds",
            "0.1",
        ]
        if run_module("bench", arguments, capture_stderr=False).returncode:
            raise ModelFileError(f"{files[0]}: could not be measured; the reason is above")
        found = [json.loads(line) for line in rows.read_text().splitlines()]
    scores = {row["sha256"]: row["quality"] for row in found}
    for path in files:
        sidecar = load_sidecar(path)
        quality = dict(sidecar.quality)
        for name, score in scores[sidecar.sha256].items():
            quality[f"{name}_psnr_y_db"] = round(score["psnr_y_db"], 4)
            quality[f"{name}_ssim_y"] = round(score["ssim_y"], 4)
            quality[f"{name}_bicubic_psnr_y_db"] = round(scores[""][name]["psnr_y_db"], 4)
        write_sidecar(path, replace(sidecar, quality=quality))


def broken_bounds(files: Sequence[Path]) -> list[str]:
    """Where an int8 file loses more than 0.05 dB against the first file, a line each."""
    best = load_sidecar(files[0]).quality
    found = []
    for path in files[1:]:
        for key, value in load_sidecar(path).quality.items():
            if key.endswith("_psnr_y_db") and best[key] - value > MAX_LOSS_DB:
                found.append(f"{path.name}: {key} is {value}, fp32 has {best[key]}")
    return found


def _fresh(path: Path, source: Path) -> bool:
    """Whether ``path`` is there, whole, and made from ``source`` as it is now."""
    if not path.is_file():
        return False
    return load_sidecar(path).made_from_sha256 == sha256_of(source)


def table(folder: Path, names: Sequence[str]) -> str:
    """PSNR-Y of every file, and what int8 loses, as Markdown."""
    lines = []
    for name in names:
        cards = [load_sidecar(folder / f"{name}{end}.onnx") for end in ("", ".int8", ".int8.trt")]
        lines += [_line(card, cards[0]) for card in cards]
    return "\n".join(lines)


def _line(card: Sidecar, whole: Sidecar) -> str:
    figures = []
    for key, value in whole.quality.items():
        if key.endswith("_psnr_y_db") and not key.endswith("bicubic_psnr_y_db"):
            own = card.quality[key]
            lost = f" ({value - own:+.3f} lost)" if card is not whole else ""
            figures.append(f"{key.removesuffix('_psnr_y_db')} {own:.2f} dB{lost}")
    return f"{card.name}: {', '.join(figures)}"


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m convert.zoo",
        "Make the shipped model files from their Keras files, and measure them.",
        examples=EXAMPLES,
    )
    parser.add_argument("names", nargs="*", help="models (default: all of training/pretrained)")
    parser.add_argument(
        "--images", type=Path, nargs="+", required=True, metavar="DIR", help="picture sets"
    )
    parser.add_argument("--pretrained", type=Path, default=PRETRAINED, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=zoo.FOLDER, help="default: edge_sr/zoo")
    parser.add_argument("--force", action="store_true", help="make everything again")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when all files are made and within their bounds, 1 when not; 2: wrong usage."""
    args = build_parser().parse_args(argv)
    names = args.names or sorted(path.stem for path in args.pretrained.glob("*.keras"))
    failed = []
    for name in names:
        print(f"{name} ...", file=sys.stderr)
        try:
            broken = make(
                name,
                args.images,
                pretrained=args.pretrained,
                folder=args.output,
                force=args.force,
            )
            print(table(args.output, [name]))
        except EdgeSRError as error:
            broken = [str(error)]
        for line in broken:
            print(f"zoo: {line}", file=sys.stderr)
        failed += [name] if broken else []
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
