"""Whether the bench says the same twice: two runs of the same models, compared.

``python -m lab.repeat -- --models edge-unet-s-x2 bicubic``
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from bench.records import Row
from bench.rows import read_rows
from edge_sr.children import run_module
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.errors import MediaError

BOUND = 5.0  # percent that a ratio of two models' p50 may differ between the runs
EXAMPLES = """\
examples:
  python -m lab.repeat
  python -m lab.repeat -- --models edge-unet-s-x2 bicubic --size 640x360
"""


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """Two runs of one set of models."""

    p50_ms: dict[str, tuple[float, float]]  # by model and size, in the order of the first run
    same_rank: bool  # within every size
    swapped: tuple[str, ...]  # pairs that changed places, "a / b"
    worst_percent: float  # largest difference of a ratio between two models of one size
    worst_pair: str


def compare(first: Sequence[Row], second: Sequence[Row]) -> Repeat:
    """What changed between two runs.

    Raises:
        MediaError: they have not two timed models of one size in common.
    """
    times = [
        {_key(row): row.latency.p50_ms for row in rows if row.latency} for rows in (first, second)
    ]
    both = {key: (ms, times[1][key]) for key, ms in times[0].items() if key in times[1]}
    pairs = [(a, b) for a, b in combinations(both, 2) if a[1:] == b[1:]]
    if not pairs:
        raise MediaError("the two runs have no two timed models of one size in common")
    apart, swapped = {}, []
    for a, b in pairs:
        before, after = (both[a][run] / both[b][run] for run in (0, 1))
        apart[f"{a[0]} / {b[0]}"] = 100 * abs(after / before - 1)
        if (before - 1) * (after - 1) < 0:
            swapped.append(f"{a[0]} / {b[0]}")
    worst = max(apart, key=lambda name: apart[name])
    return Repeat(
        p50_ms={f"{name} at {width}x{height}": ms for (name, width, height), ms in both.items()},
        same_rank=not swapped,
        swapped=tuple(swapped),
        worst_percent=apart[worst],
        worst_pair=worst,
    )


def _key(row: Row) -> tuple[str, int, int]:
    return f"{row.name} ({row.backend})", row.width, row.height


def _measure(options: Sequence[str], output: Path) -> list[Row]:
    arguments = ["run", *options, "--output", str(output)]
    done = run_module("bench", arguments, capture_stderr=False)
    if done.returncode:
        raise MediaError(f"bench run ended with {done.returncode}; see above")
    return read_rows(output)


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.repeat",
        "Run the bench twice and say whether ranks and ratios of p50 agree.",
        examples=EXAMPLES,
    )
    parser.add_argument("options", nargs="*", help="of python -m bench run, behind --")
    return parser


@exit_codes("bench")
def main(argv: Sequence[str] | None = None) -> int:
    """0: ranks are the same and ratios within BOUND; 1: they are not, or a run failed."""
    args = build_parser().parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="edge-sr-bench-") as name:
        runs = [_measure(args.options, Path(name) / f"{n}.jsonl") for n in (1, 2)]
    found = compare(*runs)
    width = max(map(len, found.p50_ms))
    for label, (before, after) in found.p50_ms.items():
        change = 100 * (after / before - 1)
        print(f"{label:<{width}} {before:>10.2f} {after:>10.2f} ms  {change:+.1f} %")
    swapped = f"not the same: {', '.join(found.swapped)}" if found.swapped else "the same"
    print(f"ranks: {swapped}")
    print(
        f"ratios differ by up to {found.worst_percent:.1f} % ({found.worst_pair}); "
        f"{BOUND:g} % is the bound"
    )
    return 0 if found.same_rank and found.worst_percent <= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
