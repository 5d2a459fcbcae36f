"""Calibration frames from videos, folders of images or a camera: picked, lossless, accounted for.

``python -m calibration.collect clip.mp4 photos/ --output frames/``
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from calibration.frames.folder import Kept, check_folder, write_folder
from calibration.frames.pick import pick
from calibration.frames.spool import Spool, open_spool, watch_camera
from calibration.network.load import load_network
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.cli.options import size as size_option
from edge_sr.model.external import model_file
from edge_sr.model.import_options import add_import_options, import_options

EXAMPLES = """\
examples:
  python -m calibration.collect street.mp4 hall.mp4 --output frames/
  python -m calibration.collect --camera 0 --seconds 60 --output frames/
  python -m calibration.collect photos/ --model x2.onnx --count 64 --output frames/
"""


def collect(
    inputs: Sequence[Path],
    output: Path,
    *,
    camera: str | None = None,
    seconds: float = 60.0,
    count: int = 256,
    channels: int = 1,
    size: tuple[int, int] | None = None,
    seed: int = 0,
    force: bool = False,
) -> list[Kept]:
    """Choose frames of all the inputs together and write them with a manifest and a sheet.

    Args:
        inputs: videos and folders of images.
        camera: a device, watched for ``seconds``.
        channels: 1 for luma PNGs, 3 for RGB.
        size: (rows, columns) to cut the most detailed window of; None keeps whole frames.

    Raises:
        MediaError: an input cannot be read or holds nothing, or the output cannot be written.
        FrameError: frames are smaller than ``size``.
    """
    check_folder(output, force=force)
    with tempfile.TemporaryDirectory(prefix="edge-sr-collect-") as scratch:
        spools: list[Spool] = []
        for source in inputs:
            spools.append(open_spool(source, channels, first_scene=_next_scene(spools)))
        if camera is not None:
            spools.append(
                watch_camera(camera, seconds, channels, Path(scratch), _next_scene(spools))
            )
        owners = [(spool, place) for spool in spools for place in range(len(spool.looks))]
        looks = [spool.looks[place] for spool, place in owners]
        chosen = [owners[index] for index in pick(looks, count, seed)]
        frames = (
            frame
            for spool in spools
            for frame in spool.read([place for owner, place in chosen if owner is spool])
        )
        skipped = [line for spool in spools for line in spool.skipped]
        return write_folder(
            output, frames, channels=channels, size=size, seed=seed, skipped=skipped, force=force
        )


def _next_scene(spools: Sequence[Spool]) -> int:
    return max((look.scene + 1 for spool in spools for look in spool.looks), default=0)


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m calibration.collect",
        "Pick calibration frames from your own videos, images or camera.",
        examples=EXAMPLES,
    )
    parser.add_argument("inputs", type=Path, nargs="*", help="videos and folders of images")
    parser.add_argument("--camera", help="a number or a device path")
    parser.add_argument("--seconds", type=float, default=60.0, help="of camera (default: 60)")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write")
    parser.add_argument("--count", type=int, default=256, help="frames wanted (default: 256)")
    parser.add_argument("--color", choices=("luma", "rgb"), default="luma")
    parser.add_argument("--model", type=Path, help="take colour and size from this model")
    parser.add_argument(
        "--size", type=size_option, metavar="WxH", help="cut frames to this size, as 640x360"
    )
    parser.add_argument("--seed", type=int, default=0)
    add_import_options(parser)
    parser.add_argument("--force", action="store_true", help="replace an earlier collection")
    return parser


@exit_codes("collect")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when the frames were written, 1 when not; wrong usage exits with 2."""
    parser = build_parser()
    args = parser.parse_intermixed_args(argv)
    if not args.inputs and args.camera is None:
        parser.error("nothing to collect from: give videos, folders of images, or --camera")
    if args.count < 1 or args.seconds <= 0:
        parser.error("--count and --seconds must be above 0")
    size = args.size and args.size[::-1]  # rows first
    channels = 1 if args.color == "luma" else 3
    if args.model is not None:
        io = load_network(Path(model_file(str(args.model), import_options(args)))).io
        channels, size = io.channels, size or io.size
    kept = collect(
        args.inputs,
        args.output,
        camera=args.camera,
        seconds=args.seconds,
        count=args.count,
        channels=channels,
        size=size,
        seed=args.seed,
        force=args.force,
    )
    scenes = len({item.scene for item in kept})
    if len(kept) < args.count:
        print(f"only {len(kept)} frames differ enough; {args.count} wanted", file=sys.stderr)
    print(f"{args.output}: {len(kept)} frames of {scenes} scene{'s' * (scenes != 1)}")
    print(f"look at {args.output / 'contact-sheet.png'}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
