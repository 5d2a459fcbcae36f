"""Two model files, the same frames: how far apart are their results?

``python -m convert.verify a.onnx b.onnx --frames FOLDER|VIDEO``
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from tqdm import tqdm

from calibration.frames.frames import fit, open_frames, spread
from calibration.frames.scenes import read_video
from calibration.network.compare import Bounds, Comparison, Tally
from calibration.network.frame_io import FrameIO, Image
from convert.onnx.runners import open_runner
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.errors import ModelFileError
from edge_sr.model.import_options import ImportOptions, add_import_options, import_options
from edge_sr.quality import standard_border

EXAMPLES = """\
examples:
  python -m convert.verify x2.onnx x2.int8.onnx --frames frames/ --min-psnr 45
  python -m convert.verify x2.onnx x2.fp16.onnx --frames clip.mp4 --json
  python -m convert.verify x2.fp16.onnx x2.engine
  python -m convert.verify x2.onnx x2.int8.onnx --frames lr/ --truth hr/ --max-loss-db 0.05
"""


def verify(
    first: Path,
    second: Path,
    frames: Path | None,
    *,
    truth: Path | None = None,
    count: int = 32,
    options: ImportOptions | None = None,
) -> Comparison:
    """Run two files, ONNX or engines, on the same frames.

    For a file of one size, frames are cut to their middle, or mirrored up to it.

    Args:
        frames: a folder of images or a video; None for the set that edge-sr brings.
        truth: a folder with the true results, under the names of the frames.
        count: frames taken, spread over all.
        options: of external models among the two.

    Raises:
        EdgeSRError: a file cannot be read or run, the two take or give different things, or a
            true picture is missing or of another size.
    """
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open_runner(path, options)) for path in (first, second)]
        io = files[0].io
        if (io.channels, io.scale) != (files[1].io.channels, files[1].io.scale):
            theirs = files[1].io
            raise ModelFileError(
                f"{second}: gives x{float(theirs.scale):g} {theirs.color}; {first} gives "
                f"x{float(io.scale):g} {io.color}: only alike networks can be compared"
            )
        size = next((item.io.size for item in files if item.io.size), None)
        names, images = _load(frames, io if size is None else replace(io, size=None), count)
        tally = Tally(standard_border(float(io.scale)))
        pairs = zip(names, images, strict=True)
        for name, image in tqdm(pairs, total=len(names), unit="frame", disable=None):
            frame = image if size is None else fit(image, size)
            a, b = (own.run(frame) for own in files)
            if a.shape != b.shape:
                raise ModelFileError(f"{second}: gives {b.shape} where {first} gives {a.shape}")
            tally.add(a, b)
            if truth is not None:
                tally.add_truth(a, b, truth / name)
    return tally.result()


def _load(frames: Path | None, io: FrameIO, count: int) -> tuple[list[str], list[Image]]:
    if frames is not None and frames.is_file():
        found = list(read_video(frames, io.channels, count=count))
        return [f"{place}.png" for place in range(len(found))], found
    opened = open_frames(frames)
    chosen = [opened.paths[place] for place in spread(len(opened), count)]
    opened.paths = chosen
    pairs = list(opened.read(io))
    return [name for name, _ in pairs], [image for _, image in pairs]


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m convert.verify",
        "Compare what two model files make of the same frames.",
        examples=EXAMPLES,
    )
    parser.add_argument("first", type=Path, help="the .onnx or .engine file to measure against")
    parser.add_argument("second", type=Path, help="the .onnx or .engine file to judge")
    parser.add_argument(
        "--frames", type=Path, help="a folder of images or a video (default: edge-sr's own set)"
    )
    parser.add_argument("--truth", type=Path, help="a folder of the true results, same names")
    parser.add_argument("--count", type=int, default=32, help="frames taken (default: 32)")
    parser.add_argument(
        "--min-psnr", type=float, default=40.0, help="least PSNR between the two, dB (default: 40)"
    )
    parser.add_argument("--max-difference", type=int, help="largest grey level difference allowed")
    parser.add_argument("--max-loss-db", type=float, help="largest loss of PSNR-Y; needs --truth")
    add_import_options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


@exit_codes("verify")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when every bound holds, 1 when one is broken or a file fails; 2: wrong usage."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.max_loss_db is not None and args.truth is None:
        parser.error("--max-loss-db needs --truth, the folder of true results")
    if args.count < 1:
        parser.error("--count must be 1 or more")
    bounds = Bounds(args.min_psnr, args.max_difference, args.max_loss_db)
    found = verify(
        args.first,
        args.second,
        args.frames,
        truth=args.truth,
        count=args.count,
        options=import_options(args),
    )
    broken = bounds.broken(found)
    print(_as_json(found, broken) if args.json else _as_text(found))
    for line in broken:
        print(f"verify: {args.second}: {line}", file=sys.stderr)
    print("verdict: " + ("different" if broken else "alike within the bounds"), file=sys.stderr)
    return 1 if broken else 0


def _as_json(found: Comparison, broken: list[str]) -> str:
    values = asdict(found) | {"loss_db": found.loss_db, "alike": not broken}
    return json.dumps({k: None if v == float("inf") else v for k, v in values.items()})


def _as_text(found: Comparison) -> str:
    lines = [
        f"frames               {found.frames}",
        f"largest difference   {found.max_difference} grey levels",
        f"differing values     {found.differing_share:.2%}",
        f"PSNR between them    {found.psnr_db:.2f} dB",
    ]
    if found.loss_db is not None:
        lines += [
            f"PSNR-Y of the first  {found.psnr_y_first:.3f} dB",
            f"PSNR-Y of the second {found.psnr_y_second:.3f} dB",
            f"loss                 {found.loss_db:.3f} dB",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
