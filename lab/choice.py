"""How often the automatic choice between plain and live is the better one.

``python -m lab.choice --clips FOLDER --photos FOLDER``. Clips are reduced to half their size,
written to files by each codec at each rate, and doubled by both flavours; what
`edge_sr.zoo.flavour` takes of a file is held against what was better by PSNR-Y.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from bench.quality.clip import Clip, read_clip, shrink_clip
from edge_sr import Upscaler
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.media.codec.compression import read_compression
from edge_sr.media.frame import Frame
from edge_sr.media.libraries import load_av
from edge_sr.media.sources.file import VideoFile
from edge_sr.quality import psnr
from edge_sr.zoo.flavour import fit_video
from training.held_out import DEFAULT, read_names
from training.scenes.proxy_clips import photo_clips

FRAMES = 16
MEASURED = (5, 10, 15)
LEVEL_DB = 0.1  # what a choice may lose
H26X, SINCE = (10, 14, 20, 26, 32), (10, 18, 26, 35, 45)
# codec -> encoder, its options, and rate factors from fine to coarse
CODECS: dict[str, tuple[str, dict[str, str], tuple[int, ...]]] = {
    "h264": ("libx264", {"preset": "medium"}, H26X),
    "hevc": ("libx265", {"preset": "medium", "x265-params": "log-level=error"}, H26X),
    "av1": ("libsvtav1", {"preset": "8"}, SINCE),
    "vp9": ("libvpx-vp9", {"deadline": "good", "cpu-used": "4", "b": "0"}, SINCE),
}
EXAMPLES = """\
example:
  python -m lab.choice --clips clips/ --photos photos/ --codecs h264 --json choice.json
"""


@dataclass(frozen=True)
class Figure:
    """One clip in one file. Gains are PSNR-Y in dB of live over plain."""

    clip: str
    codec: str
    rate: int
    quantiser: float | None
    bits_per_pixel: float | None
    detail: float | None
    plain_db: float
    live_db: float
    chosen: str

    @property
    def lost_db(self) -> float:
        """What the choice is behind the better one."""
        own = {"plain": self.plain_db, "live": self.live_db}[self.chosen]
        return max(self.plain_db, self.live_db) - own


def find_clips(folder: Path | None, photos: list[Path], count: int) -> list[Clip]:
    """Real clips by name, then moving crops of held-out photographs; of ``FRAMES`` frames each."""
    paths = sorted(folder.glob("*.mp4")) if folder else []
    found = [read_clip(path, None, FRAMES) for path in paths]
    if photos:
        for made in photo_clips(photos, read_names(DEFAULT), count):
            rows, columns = made.frames[0].shape
            half = np.full((rows // 2, columns // 2), 128, np.uint8)
            frames = [
                Frame((plane, half, half), number, Fraction(1, 25))
                for number, plane in enumerate(made.frames[:FRAMES])
            ]
            found.append(Clip(name=made.name, sha256="", high=tuple(frames), low=None))
    return found


def write(frames: Sequence[Frame], path: Path, codec: str, rate: int) -> None:
    """Frames to a file by an encoder at a rate factor."""
    encoder, options, _ = CODECS[codec]
    av: Any = load_av()
    height, width = frames[0].y.shape
    with av.open(str(path), "w") as output:
        stream = output.add_stream(encoder, rate=25, options={**options, "crf": str(rate)})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number, frame in enumerate(frames):
            packed = np.concatenate([plane.reshape(-1) for plane in (frame.y, frame.u, frame.v)])
            picture = av.VideoFrame.from_ndarray(packed.reshape(-1, width), format="yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(picture))
        output.mux(stream.encode())


def measure(clip: Clip, codec: str, rate: int, models: dict[str, Upscaler], folder: Path) -> Figure:
    """A clip of `shrink_clip` through one codec and both flavours."""
    path = folder / f"clip-{codec}-{rate}.{'webm' if codec == 'vp9' else 'mkv'}"
    low = [_even(frame) for frame in clip.low or ()]
    write(low, path, codec, rate)
    with VideoFile(path) as source:
        decoded = [frame.y.copy() for frame in source]
    scores = {}
    for name, model in models.items():
        values = []
        for number in MEASURED:
            made = model.upscale(decoded[number])
            truth = clip.high[number].y[: made.shape[0], : made.shape[1]]
            values.append(psnr(made, truth, border=2))
        scores[name] = float(np.mean(values))
    facts = read_compression(path)
    return Figure(
        clip=clip.name,
        codec=codec,
        rate=rate,
        quantiser=facts.quantiser if facts else None,
        bits_per_pixel=facts.bits_per_pixel if facts else None,
        detail=facts.detail if facts else None,
        plain_db=scores["plain"],
        live_db=scores["live"],
        chosen=fit_video(facts).flavour,
    )


def _even(frame: Frame) -> Frame:
    rows, columns = (side - side % 2 for side in frame.y.shape)
    u, v = (plane[: rows // 2, : columns // 2] for plane in (frame.u, frame.v))
    return Frame((frame.y[:rows, :columns], u, v), frame.pts, frame.time_base)


def table(figures: Sequence[Figure]) -> str:
    """Markdown: what was better, and what was chosen, for every clip, codec and rate."""
    lines = [
        "| clip | codec | rate | quantiser | bits a pixel | detail | live over plain, dB | chosen "
        "| lost, dB |",
        "|---|---|---:|---:|---:|---:|---:|---|---:|",
    ]
    for item in figures:
        quantiser = "-" if item.quantiser is None else f"{item.quantiser:.1f}"
        lines.append(
            f"| {item.clip} | {item.codec} | {item.rate} | {quantiser} | "
            f"{item.bits_per_pixel or 0:.3f} | {item.detail or 0:.1f} | "
            f"{item.live_db - item.plain_db:+.2f} | {item.chosen} | {item.lost_db:.2f} |"
        )
    return "\n".join(lines)


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.choice",
        "Hold the automatic choice between plain and live against what is better.",
        examples=EXAMPLES,
    )
    parser.add_argument("--clips", type=Path, help="a folder of .mp4 files, taken for the truth")
    parser.add_argument("--photos", type=Path, nargs="+", default=[], help="held-out photographs")
    parser.add_argument("--crops", type=int, default=6, help="moving crops of them (default: 6)")
    parser.add_argument("--codecs", nargs="+", choices=CODECS, default=list(CODECS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    return parser


@exit_codes("choice")
def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; 0 when everything was measured."""
    args = build_parser().parse_args(argv)
    clips = [
        shrink_clip(clip, Fraction(2)) for clip in find_clips(args.clips, args.photos, args.crops)
    ]
    names = {"plain": "edge-unet-s-x2", "live": "edge-unet-s-live-x2"}
    models = {
        flavour: Upscaler.open(name, backend="onnxruntime", precision="fp32", threads=args.threads)
        for flavour, name in names.items()
    }
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="edge-sr-choice-") as folder:
        jobs = [
            (codec, clip, rate)
            for codec in args.codecs
            for clip in clips
            for rate in CODECS[codec][2]
        ]
        for codec, clip, rate in tqdm(jobs, unit="file"):
            figures.append(measure(clip, codec, rate, models, Path(folder)))
            if args.json:
                args.json.write_text(json.dumps([asdict(item) for item in figures], indent=1))
    print(table(figures))
    wrong = [item for item in figures if item.lost_db > LEVEL_DB]
    clips_right = len(clips) - len({item.clip for item in wrong})
    print(
        f"\n{len(figures) - len(wrong)} of {len(figures)} choices are within {LEVEL_DB} dB of the "
        f"better flavour; on {clips_right} of {len(clips)} clips all of them; the worst loses "
        f"{max(item.lost_db for item in figures):.2f} dB."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
