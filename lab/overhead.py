"""What the runtime costs around the network: file -> null sink against bare ``session.run``.

``python -m lab.overhead --input CLIP`` times both on the same frames in one process, in turns,
and prints the ratio of the rates.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_sr import Upscaler, zoo
from edge_sr.backend.cpu import usable_cores
from edge_sr.backend.onnxruntime.backend import PROVIDER
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.media.sinks.null import NullSink
from edge_sr.media.sources.file import VideoFile
from edge_sr.model.onnx_file import refuse_external_data
from edge_sr.pipeline.pipeline import run_pipeline

EXAMPLES = """\
example:
  python -m lab.overhead --input demo/bigbuckbunny.mp4 --frames 60
"""


def read_luma(clip: Path, count: int) -> list[NDArray[np.uint8]]:
    """The first ``count`` luma planes of a clip as (1, H, W, 1) arrays."""
    frames: list[NDArray[np.uint8]] = []
    with VideoFile(clip) as source:
        for frame in source:
            frames.append(frame.y.copy()[None, ..., None])
            if len(frames) == count:
                break
    return frames


def bare_rate(model: Path, frames: Sequence[NDArray[np.uint8]], threads: int) -> float:
    """Frames per second of ``session.run`` alone, on uint8 (1, H, W, 1)."""
    import onnxruntime

    refuse_external_data(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(model), options, providers=[PROVIDER])
    session.run(None, {"frame": frames[0]})
    begun = time.perf_counter()
    for frame in frames:
        session.run(None, {"frame": frame})
    return len(frames) / (time.perf_counter() - begun)


def pipeline_rate(model: str, clip: Path, frames: int, threads: int) -> float:
    """Frames per second of the whole path: decode, upscale luma and chroma, null sink."""
    with Upscaler.open(model, threads=threads) as upscaler, VideoFile(clip) as source:
        upscaler.upscale(np.zeros((source.info.height, source.info.width), np.uint8))
        begun = time.perf_counter()
        run_pipeline(source, upscaler.session(source.info.size), [NullSink()], max_frames=frames)
        return frames / (time.perf_counter() - begun)


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.overhead",
        "Compare file -> null sink with bare session.run on the same frames.",
        examples=EXAMPLES,
    )
    parser.add_argument("--input", type=Path, required=True, help="a video")
    parser.add_argument("--model", default="edge-unet-s-x2")
    parser.add_argument("--frames", type=int, default=60, help="frames a round (default: 60)")
    parser.add_argument("--rounds", type=int, default=3, help="of each, in turns (default: 3)")
    return parser


@exit_codes("bench")
def main(argv: Sequence[str] | None = None) -> int:
    """Print both rates and their ratio. Returns 0 when they were measured."""
    args = build_parser().parse_args(argv)
    path, _ = zoo.find(args.model)
    frames = read_luma(args.input, args.frames)
    threads = usable_cores()
    bare, whole = [], []
    for _ in range(args.rounds):
        bare.append(bare_rate(path, frames, threads))
        whole.append(pipeline_rate(args.model, args.input, len(frames), threads))
    ratios = [pipe / alone for pipe, alone in zip(whole, bare, strict=True)]
    print(f"{len(frames)} frames, {args.rounds} rounds in turns, {threads} threads")
    print(f"bare session.run   {statistics.median(bare):7.2f} frames/s")
    print(f"file -> null sink  {statistics.median(whole):7.2f} frames/s")
    print(f"ratio (median of rounds) {statistics.median(ratios):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
