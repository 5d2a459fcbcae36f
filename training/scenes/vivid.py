"""The truth of the ``vivid`` flavour: gently sharpened, contrast restored, halos limited.

``python -m training.scenes.vivid --pool POOL`` writes it beside a pool's truth, as
``NNNN-vivid.npy``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from tqdm import tqdm

from edge_sr.cli.common import exit_codes, make_parser
from training.loop.checkpoint import whole
from training.scenes.pool import VIVID, records_of

FINE, COARSE = (0.8, 0.6), (2.5, 0.25)  # (sigma in pixels, strength)
REACH = 5  # rows and columns of the neighbourhood that bounds a halo
ROOM = 2  # levels that a result may leave its neighbourhood's range by, and
PART = 0.12  # the part of that range, on each side
EXAMPLES = """\
example:
  python -m training.scenes.vivid --pool pool/
"""


def vivid(luma: np.ndarray) -> np.ndarray:
    """Unsharp at two radii of uint8 (H, W), uint8 (H, W).

    No pixel leaves the range of the ``REACH`` x ``REACH`` pixels around it by more than ``ROOM``
    levels and ``PART`` of the range: that is the bound on ringing.
    """
    image = Image.fromarray(luma)
    levels = luma.astype(np.float32)
    made = levels.copy()
    for sigma, strength in (FINE, COARSE):
        soft = np.asarray(image.filter(ImageFilter.GaussianBlur(sigma)), np.float32)
        made += np.float32(strength) * (levels - soft)
    low, high = bounds(luma)
    return np.clip(np.rint(made), low, high).astype(np.uint8)


def bounds(luma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest level that every pixel of uint8 (H, W) may get, float32 (H, W)."""
    image = Image.fromarray(luma)
    least = np.asarray(image.filter(ImageFilter.MinFilter(REACH)), np.float32)
    most = np.asarray(image.filter(ImageFilter.MaxFilter(REACH)), np.float32)
    room = np.floor(ROOM + np.float32(PART) * (most - least))
    return np.maximum(least - room, 0), np.minimum(most + room, 255)


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m training.scenes.vivid",
        "Write a sharpened truth beside that of a pool, for recipes that have vivid = true.",
        examples=EXAMPLES,
    )
    parser.add_argument("--pool", type=Path, required=True, help="what training.make_pool wrote")
    return parser


@exit_codes("training")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when every shard has it."""
    args = build_parser().parse_args(argv)
    records = records_of(args.pool)
    for record in tqdm(records, unit="shard"):
        path = record.with_name(f"{record.stem}-{VIVID}.npy")
        if path.exists():
            continue
        high = np.load(record.with_name(f"{record.stem}-high.npy"), allow_pickle=False)
        part = path.with_suffix(".part")
        with whole(path, part), part.open("wb") as file:
            np.save(file, np.stack([vivid(frame) for frame in high]))
    print(f"{len(records)} shards in {args.pool}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
