"""PSNR-Y of networks on compressed video, over Lanczos.

``python -m training.evaluate_video --models NAME... --clips FOLDER --photos FOLDER``. Clips are
reduced to half their size by antialiased bicubic, coded by x264 (preset medium), and doubled.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from tqdm import tqdm

from bench.models.floors import floor_sidecar, open_floor
from bench.quality.vmaf import ffmpeg_path, vmaf
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.errors import MissingDependencyError
from edge_sr.quality import psnr
from training.data.pairs import downscale
from training.data.photos import DataError
from training.finetune import find_weights
from training.held_out import DEFAULT, read_names
from training.models import collapse
from training.models.keras_backend import KerasBackend
from training.models.open import open_model
from training.scenes.proxy_clips import (
    MEASURED,
    TOGETHER,
    ProxyClip,
    coded_lows,
    photo_clips,
    real_clips,
)

RATES = (14, 20, 26, 32, 38)
BORDER = 2
EXAMPLES = """\
examples:
  python -m training.evaluate_video --models edge-unet-s-x2 edge-unet-s-live-x2 --clips clips/
  python -m training.evaluate_video --models runs/live/best.keras --photos photos/ --clean
"""

Infer = Callable[[np.ndarray], np.ndarray]  # uint8 (1, h, w, 1) -> (1, 2h, 2w, 1)


@dataclass(frozen=True)
class Figure:
    """PSNR-Y in dB, the mean over a clip's measured frames."""

    model: str
    clip: str
    rate: int | None  # x264's; None: not coded
    psnr_db: float
    lanczos_db: float
    vmaf: float | None = None  # 0..100
    vmaf_neg: float | None = None

    @property
    def gain_db(self) -> float:
        """Over Lanczos."""
        return self.psnr_db - self.lanczos_db


def open_network(name: str) -> Infer:
    """A x2 luma network with merged branches.

    Raises:
        DataError: it is of another scale.
        ModelFileError, RecipeError: it cannot be opened.
    """
    backend = KerasBackend(collapse(open_model(find_weights(name))))
    if backend.scale != 2:
        raise DataError(f"{name} is x{backend.scale}; expected x2")
    return backend.infer


def doubled(infer: Infer, lows: list[np.ndarray]) -> list[np.ndarray]:
    """Every uint8 (h, w) frame through a network, uint8 (2h, 2w)."""
    return [infer(low[None, ..., None])[0, ..., 0] for low in lows]


def clip_psnr(made: list[np.ndarray], truth: list[np.ndarray]) -> float:
    """Mean PSNR-Y in dB, border 2, of uint8 (H, W) frames against others."""
    return float(np.mean([psnr(a, b, border=BORDER) for a, b in zip(made, truth, strict=True)]))


def measure(
    networks: dict[str, Infer],
    clips: list[ProxyClip],
    rates: Sequence[int | None],
    *,
    by_vmaf: bool = False,
) -> list[Figure]:
    """All networks on all clips at all rates; every clip is coded once for all of them.

    Args:
        by_vmaf: VMAF too, on consecutive frames; Lanczos is a row of its own then.

    Raises:
        MissingDependencyError: `by_vmaf` without the package that carries ffmpeg.
    """
    program = ffmpeg_path() if by_vmaf else None
    if by_vmaf and program is None:
        raise MissingDependencyError("imageio-ffmpeg is not installed: pip install 'edge-sr[vmaf]'")
    lanczos = open_floor(floor_sidecar("lanczos", Fraction(2))).infer
    chosen = TOGETHER if by_vmaf else MEASURED
    judged = {"lanczos": lanczos} | networks if by_vmaf else networks
    found: list[Figure] = []
    for clip in tqdm(clips, unit="clip"):
        halves = [downscale(frame[..., None], Fraction(2))[..., 0] for frame in clip.frames]
        truth = [clip.frames[index] for index in chosen]
        for rate in rates:
            lows = coded_lows(halves, rate, chosen)
            plain = clip_psnr(doubled(lanczos, lows), truth)
            for name, infer in judged.items():
                made = doubled(infer, lows)
                seen = vmaf(made, truth, program) if program else (None, None)
                own = clip_psnr(made, truth)
                found.append(Figure(name, clip.name, rate, own, plain, *seen))
    return found


def by_viewers(figures: Sequence[Figure], rates: Sequence[int | None]) -> str:
    """Markdown: mean VMAF of every network at every rate, VMAF-NEG in brackets."""
    lines = [
        "| VMAF (NEG) | " + " | ".join(map(_title, rates)) + " |",
        "|---|" + "---:|" * len(rates),
    ]
    for model in dict.fromkeys(item.model for item in figures):
        cells = []
        for rate in rates:
            own = [x for x in figures if x.model == model and x.rate == rate]
            means = [
                np.mean([value or 0.0 for value in values])
                for values in ([x.vmaf for x in own], [x.vmaf_neg for x in own])
            ]
            cells.append(f"{means[0]:.1f} ({means[1]:.1f})")
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _title(rate: int | None) -> str:
    return "not coded" if rate is None else f"CRF {rate}"


def gains(figures: Sequence[Figure], rates: Sequence[int | None]) -> str:
    """Markdown: mean gain over Lanczos of every network at every rate, least gain in brackets."""
    lines = [
        "| gain over Lanczos, dB (least of any clip) | " + " | ".join(map(_title, rates)) + " |",
        "|---|" + "---:|" * len(rates),
    ]
    for model in dict.fromkeys(item.model for item in figures):
        cells = []
        for rate in rates:
            own = [x.gain_db for x in figures if x.model == model and x.rate == rate]
            cells.append(f"{np.mean(own):+.2f} ({min(own):+.2f})")
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def each_clip(figures: Sequence[Figure], rates: Sequence[int | None]) -> str:
    """Markdown: Lanczos' PSNR-Y and every network's gain for every clip at every rate."""
    models = list(dict.fromkeys(item.model for item in figures))
    lines = [
        "| clip | | Lanczos | " + " | ".join(models) + " |",
        "|---|---|" + "---:|" * (1 + len(models)),
    ]
    for clip in dict.fromkeys(item.clip for item in figures):
        for rate in rates:
            row = {x.model: x for x in figures if x.clip == clip and x.rate == rate}
            floor = next(iter(row.values())).lanczos_db
            cells = " | ".join(f"{row[model].gain_db:+.2f}" for model in models)
            lines.append(f"| {clip} | {_title(rate)} | {floor:.2f} | {cells} |")
    return "\n".join(lines)


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m training.evaluate_video",
        "Print networks' PSNR-Y (dB) over Lanczos on compressed video, in Markdown.",
        examples=EXAMPLES,
    )
    parser.add_argument("--models", nargs="+", required=True, help=".keras files or shipped names")
    parser.add_argument("--clips", type=Path, help="a folder of .mp4 files, taken for the truth")
    parser.add_argument("--photos", type=Path, nargs="+", help="folders with held-out photographs")
    parser.add_argument("--list", type=Path, default=DEFAULT, help="names of held-out pictures")
    parser.add_argument("--crops", type=int, default=8, help="moving crops of them (default 8)")
    parser.add_argument("--crf", type=int, nargs="+", default=list(RATES), help="x264's rates")
    parser.add_argument("--clean", action="store_true", help="also without a codec")
    parser.add_argument("--each", action="store_true", help="also every clip's figures")
    parser.add_argument("--vmaf", action="store_true", help="VMAF too, on eight frames in a row")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    return parser


@exit_codes("evaluation")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when all clips were measured, 1 when one could not be."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.clips is None and args.photos is None:
        parser.error("expected --clips or --photos, or both")
    clips = real_clips(args.clips) if args.clips else []
    if args.photos:
        clips += photo_clips(args.photos, read_names(args.list), args.crops)
    rates: list[int | None] = [*([None] if args.clean else []), *args.crf]
    networks = {_name(name): open_network(name) for name in args.models}
    figures = measure(networks, clips, rates, by_vmaf=args.vmaf)
    if args.each:
        print(each_clip(figures, rates) + "\n")
    print(gains(figures, rates))
    if args.vmaf:
        print("\n" + by_viewers(figures, rates))
    print(
        f"\n{len(clips)} clips, half size by antialiased bicubic, x264 medium, "
        f"{len(TOGETHER if args.vmaf else MEASURED)} frames of each; PSNR-Y of 8-bit luma, "
        f"border {BORDER}."
    )
    if args.json:
        rows = [vars(item) | {"gain_db": item.gain_db} for item in figures]
        args.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


def _name(given: str) -> str:
    """A shipped name as it is; of a run's file the run's folder."""
    path = Path(given)
    return path.parent.name if path.stem == "best" else path.stem if path.suffix else given


if __name__ == "__main__":
    sys.exit(main())
