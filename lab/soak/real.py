"""Copy the films of a folder and read its pictures, whoever made them, and print what is lost.

``python -m lab.soak.real DIR``; exit code 1: something was lost without a message, or an error was
not ours.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from edge_sr.cli.common import make_parser
from edge_sr.errors import EdgeSRError
from edge_sr.media.address import Kind, is_media, parse_address
from edge_sr.media.animation.read import Animation
from edge_sr.media.stills.files import read_image, write_image
from edge_sr.media.stills.formats import is_animation
from lab.soak.corpus import copy_film, read_facts

EXAMPLES = """\
examples:
  python -m lab.soak.real /usr/share
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser(
        "python -m lab.soak.real",
        "Copy the films of a folder and read its pictures, and print what is lost.",
        examples=EXAMPLES,
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Try all files; returns the exit code."""
    return try_real(build_parser().parse_args(argv).folder)


def try_real(folder: Path) -> int:
    """Copy every film and read every picture of a folder; prints what is wrong with any."""
    results: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            kind = parse_address(str(path)).kind
            if kind is Kind.FILE and not is_media(path):
                continue
            result = _try_one(path, kind, Path(scratch))
            results[result if result in ("kept", "said", "refused") else "fault"] += 1
            if result not in ("kept", "said", "refused"):
                print(f"{path}: {result}", flush=True)
    print(", ".join(f"{number} {name}" for name, number in results.items()), file=sys.stderr)
    return 1 if results["fault"] else 0


def _try_one(path: Path, kind: Kind, scratch: Path) -> str:
    try:
        if kind is Kind.IMAGE:
            write_image(scratch / "o.png", read_image(path).pixels, force=True)
            return "kept"
        if is_animation(path):
            with Animation(path) as animation:
                read = sum(1 for _ in animation)
            return "kept" if read == animation.count else "said"
        truth = read_facts(path)
        target = scratch / "o.mkv"
        notices = copy_film(path, target)
        if truth is None:
            return "said" if notices else "kept"
        made = read_facts(target)
        found = "**unreadable**" if made is None else _lost(truth, made, notices)
        return found or ("said" if notices else "kept")
    except EdgeSRError:
        return "refused"
    except Exception as error:  # noqa: BLE001 - what is looked for
        return f"**{type(error).__name__}: {error}**"


def _lost(truth: tuple[list[float], int], made: tuple[list[float], int], notices: list[str]) -> str:
    """What is missing of a real film without a message; "" for nothing."""
    said = " ".join(notices)
    if len(made[0]) < len(truth[0]) and "damaged" not in said:
        return f"**{len(made[0])} of {len(truth[0])} frames**"
    if made[1] < truth[1] - 1 and "left out" not in said:
        return f"**{made[1]} of {truth[1]} packets of sound**"
    return ""


if __name__ == "__main__":
    sys.exit(main())
