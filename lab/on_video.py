"""PSNR-Y on what video is made of: 8-bit 4:2:0 frames in, 8-bit 4:2:0 frames out.

Published figures of RGB networks are of 8-bit RGB in and out: three roundings that average out, and
colour at full resolution. A film's frame has neither. Here every picture's low side becomes such a
frame. ``python -m lab.on_video --images Set5 Set14 BSD100 --rivals bench/peers.toml``
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from bench.measure.device import device_state
from bench.models.adapters import choose_rivals
from bench.models.contenders import Contender, find_contenders, open_contender
from bench.quality.images import ImageSet, list_images, read_set
from bench.quality.pictures import Image, Pair, make_pair
from edge_sr import Upscaler, zoo
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.media.color import rgb_to_yuv
from edge_sr.media.frame import Color, Frame
from edge_sr.quality import psnr
from lab.tables.section import show_or_replace
from lab.tables.target_list import add_target_options, read_targets

COLOR = Color(matrix=6, full_range=False, chroma_location=1)  # BT.601, as PSNR-Y; MPEG-2's siting
EXAMPLES = """\
examples:
  python -m lab.on_video --images Set5 --rivals bench/peers.toml
  python -m lab.on_video --images Set5 Set14 BSD100 --rivals peers.toml --write lab/models.md
"""

Way = Callable[[Upscaler, Pair], Image]


def frame_of(pair: Pair) -> Frame:
    """The picture's low side as a film has it: luma as it is measured, chroma at half the size."""
    _, u, v = rgb_to_yuv(pair.low, COLOR)
    return Frame((pair.low_y, u, v), pts=0, time_base=Fraction(1), color=COLOR)


def whole_frame(upscaler: Upscaler, pair: Pair) -> Image:
    """Luma (H, W) of the upscaled frame: an RGB network gets it converted to 8-bit RGB."""
    return upscaler.upscale_frame(frame_of(pair)).y


def luma_as_grey(upscaler: Upscaler, pair: Pair) -> Image:
    """Luma (H, W) that an RGB network makes of the luma plane three times: no conversion."""
    grey = np.repeat(pair.low_y[..., None], 3, axis=2)
    made = upscaler.backend.infer(grey[None])[0]
    return np.asarray(np.rint(made.mean(axis=-1)), np.uint8)


def ways_of(item: Contender) -> dict[str, Way]:
    """How its network can be fed with video, by the name of the table's line."""
    if item.sidecar.color == "luma":
        return {item.name: whole_frame}
    return {
        f"{item.name}, the frame as 8-bit RGB": whole_frame,
        f"{item.name}, its luma as grey": luma_as_grey,
    }


def measure_set(upscaler: Upscaler, way: Way, images: ImageSet) -> float:
    """Mean PSNR-Y in dB, of 8-bit luma against the truth's, which is not rounded.

    Raises:
        EdgeSRError: a picture is too small, or the network fails.
    """
    figures = []
    for name, picture in images.pictures:
        pair = make_pair(name, picture, upscaler.sidecar.ratio)
        figures.append(psnr(way(upscaler, pair), pair.high_y, border=pair.border))
    return float(np.mean(figures))


def compare(args: argparse.Namespace, folder: Path) -> str:
    """The table, with the line above it, in Markdown.

    Raises:
        EdgeSRError: a model, rival or picture set cannot be used.
    """
    targets = [item for item in read_targets(args.targets) if item.rival]
    models = [item.model for item in targets if item.model in zoo.names()]
    wanted = {str(item.rival) for item in targets}
    rivals = choose_rivals(args.rivals, wanted)
    sets = [read_set(path.resolve().name, list_images(path), grey="rgb") for path in args.images]
    found = find_contenders(models, rivals, backends=["auto"], precisions=[], folder=folder)
    heads = ["x2, an 8-bit 4:2:0 frame in and out", *(images.name for images in sets)]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * len(sets)]
    for item in found:
        print(f"bench: {item.name} on {', '.join(heads[1:])}", file=sys.stderr)
        with open_contender(item, args.threads) as upscaler:
            for label, way in ways_of(item).items():
                cells = [f"{measure_set(upscaler, way, images):.2f}" for images in sets]
                lines.append(f"| {' | '.join([label, *cells])} |")
    note = (
        f"Measured {device_state().utc} by `python -m lab.on_video`, ONNX Runtime fp32. "
        "PSNR-Y in dB of 8-bit luma, the mean over a set's pictures; grey files taken for RGB."
    )
    return note + "\n\n" + "\n".join(lines)


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.on_video",
        "Measure the shipped networks and their rivals on video's 8-bit 4:2:0 frames, in Markdown.",
        examples=EXAMPLES,
    )
    add_target_options(parser)
    return parser


@exit_codes("bench")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when everything was measured."""
    args = build_parser().parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="edge-sr-bench-") as folder:
        text = compare(args, Path(folder))
    show_or_replace(text, args.write, "on-video")
    return 0


if __name__ == "__main__":
    sys.exit(main())
