"""Targets: what a shipped network must reach, and how it did."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from bench.toml_file import read_toml
from edge_sr.backend.cpu import usable_cores
from edge_sr.cli.options import at_least_one
from edge_sr.errors import ModelFileError

FILE = Path(__file__).parent.with_name("targets.toml")


@dataclass(frozen=True, kw_only=True)
class Target:
    """One entry of targets.toml."""

    model: str
    psnr: tuple[float, ...]  # dB, by picture set
    stretch: tuple[float, ...] = ()
    rival: str | None = None
    ratio: float | None = None  # of median times, at most
    live: tuple[int, int, float] | None = None  # columns, rows, frames a second


def read_targets(path: Path = FILE) -> list[Target]:
    """The targets of a file.

    Raises:
        ModelFileError: it cannot be read, or an entry is not of this kind.
    """
    known = {item.name for item in fields(Target)}
    found = []
    for entry in read_toml(path).get("target", []):
        if set(entry) - known or not {"model", "psnr"} <= set(entry):
            raise ModelFileError(
                f"{path}: a target has {', '.join(entry)}; expected some of {known}"
            )
        lists = {key: tuple(value) for key, value in entry.items() if isinstance(value, list)}
        found.append(Target(**entry | lists))
    return found


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Mean PSNR-Y in dB on one set; ``as_rgb`` takes grey files for RGB."""

    luma: float
    as_rgb: float


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Times of a model and its rival, taken in turns."""

    p50_ms: float
    rival_p50_ms: float
    runs: int  # of the one with fewer
    ratio: float  # of the medians
    low: float  # of the rounds' ratios, lower quartile
    high: float
    cpu_ratio: float  # of the medians of CPU time, which a busy machine disturbs less


def verdict(values: Sequence[float], bars: Sequence[float], stretch: Sequence[float]) -> str:
    """ "stretch", "bar", or how far it is below the bar where it is farthest."""
    if stretch and all(value >= bar for value, bar in zip(values, stretch, strict=True)):
        return "stretch"
    gaps = [value - bar for value, bar in zip(values, bars, strict=True)]
    return "bar" if min(gaps) >= 0 else f"{min(gaps):.2f} dB"


def add_target_options(parser: argparse.ArgumentParser) -> None:
    """Options of the commands that measure the shipped networks beside their rivals."""
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="Set5 Set14 BSD100")
    parser.add_argument("--rivals", type=Path, required=True, metavar="FILE.toml")
    parser.add_argument("--targets", type=Path, default=FILE, metavar="FILE.toml")
    parser.add_argument("--threads", type=at_least_one, default=min(2, usable_cores()))
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="into its marks, not stdout")
