"""The pictures that are kept away from every training, held-out.txt, and proxies made of them.

``python -m training.held_out --data FOLDER --output FOLDER`` writes them as PNG, a folder a group,
for `training.evaluate` and `bench`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from edge_sr.cli.common import exit_codes, make_parser
from training.data.photos import DataError, find_images

DEFAULT = Path(__file__).with_name("held-out.txt")
EXAMPLES = """\
example:
  python -m training.held_out --data photos/ --output proxies/
"""


def read_groups(path: Path = DEFAULT) -> dict[str, list[str]]:
    """File names without their endings by group, as ``[group]`` lines and names below it say.

    Raises:
        DataError: the file cannot be read, it names nothing, or a name stands before any group.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; expected a list of pictures' names") from error
    groups: dict[str, list[str]] = {}
    names: list[str] | None = None
    for line in lines:
        if line.startswith("["):
            names = groups.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            if names is None:
                raise DataError(f"{path}: {line} stands before any group; expected [group] first")
            names.append(line)
    if not any(groups.values()):
        raise DataError(f"{path}: names no picture; expected one name a line below [group]")
    return groups


def read_names(path: Path = DEFAULT) -> frozenset[str]:
    """All names of `read_groups`, which raises what this does."""
    return frozenset(name for names in read_groups(path).values() for name in names)


def divide(paths: list[Path], names: frozenset[str]) -> tuple[list[Path], list[Path]]:
    """(pictures to train on, pictures whose name is in ``names``), both in the given order."""
    inside = [path for path in paths if path.stem not in names]
    return inside, [path for path in paths if path.stem in names]


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m training.held_out",
        "Write the held-out pictures as PNG, in a folder for each group of the list.",
        examples=EXAMPLES,
    )
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="folders of photographs"
    )
    parser.add_argument("--output", type=Path, required=True, help="the groups' folder")
    parser.add_argument("--list", type=Path, default=DEFAULT, help="names of held-out pictures")
    return parser


@exit_codes("training")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when at least one picture of the list was there."""
    args = build_parser().parse_args(argv)
    groups = read_groups(args.list)
    found = divide(find_images(args.data), read_names(args.list))[1]
    if not found:
        raise DataError(f"{args.data[0]}: holds no picture of {args.list}")
    for group, names in groups.items():
        folder = args.output / group
        folder.mkdir(parents=True, exist_ok=True)
        for path in (path for path in found if path.stem in names):
            with Image.open(path) as image:
                image.save(folder / f"{path.stem}.png")
    print(f"{len(found)} pictures in {len(groups)} groups: {args.output}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
