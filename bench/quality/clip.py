"""Quality on video: PSNR-Y and SSIM-Y of frames, and flicker between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path

import numpy as np

from bench.quality.coded import code_frames
from bench.quality.flicker import flicker, still_deviation
from bench.quality.imresize import imresize
from bench.quality.pictures import CEILING_DB
from bench.quality.ssim import ssim
from bench.quality.vmaf import ffmpeg_path, vmaf
from bench.records import ClipScore
from edge_sr import Upscaler
from edge_sr.errors import FrameError, MediaError, UsageError
from edge_sr.media.frame import Frame
from edge_sr.media.sources.file import VideoFile
from edge_sr.model.sidecar import sha256_of
from edge_sr.quality import psnr, standard_border

NOISE_SEED = 4


@dataclass(frozen=True, kw_only=True)
class Clip:
    """The first frames of an HR clip, and of its LR partner if there is one."""

    name: str
    sha256: str  # of the HR file, or of both
    high: tuple[Frame, ...]
    low: tuple[Frame, ...] | None  # None: made from the HR frames by bicubic
    crf: int | None = None  # the LR frames that are made go through x264 at this rate factor
    # (right, down): pixels that the camera moved by since the frame before; None at a cut
    motion: tuple[tuple[int, int] | None, ...] | None = None  # None: not known
    noise: float = 0.0  # standard deviation of what is added to the LR luma, levels
    calm: str = "off"  # as `Upscaler.session` takes it


def read_clip(high: Path, low: Path | None, count: int) -> Clip:
    """Read the first ``count`` frames; of a pair, both files to the end.

    Raises:
        MediaError: a file cannot be read, or the two have a different number of frames.
    """
    if low is None:
        with VideoFile(high) as source:
            frames = tuple(_copy(frame) for frame, _ in zip(source, range(count), strict=False))
        return Clip(name=high.name, sha256=sha256_of(high), high=frames, low=None)
    kept: list[tuple[Frame, Frame]] = []
    lengths = [0, 0]
    with VideoFile(high) as large, VideoFile(low) as small:
        for truth, start in zip_longest(large, small):
            lengths[0] += truth is not None
            lengths[1] += start is not None
            if truth is not None and start is not None and len(kept) < count:
                kept.append((_copy(truth), _copy(start)))
    if lengths[0] != lengths[1]:
        raise MediaError(
            f"{high.name} has {lengths[0]} frames and {low.name} {lengths[1]}; a pair has to be "
            "the same frames at two sizes"
        )
    return Clip(
        name=f"{high.name} from {low.name}",
        sha256=f"{sha256_of(high)} {sha256_of(low)}",
        high=tuple(pair[0] for pair in kept),
        low=tuple(pair[1] for pair in kept),
    )


def shrink_clip(clip: Clip, ratio: Fraction) -> Clip:
    """The clip with LR frames for a scale: its own, or made by antialiased bicubic of each plane.

    Frames that are made get noise and are coded by x264 where the clip says so.

    Raises:
        FrameError: the pair's sizes have another ratio than the model's.
        MediaError: x264 refused them.
    """
    if clip.low is not None:
        (rows, columns), (height, width) = clip.low[0].y.shape, clip.high[0].y.shape
        if (int(rows * ratio), int(columns * ratio)) != (height, width):
            raise FrameError(
                f"{clip.name}: is {columns}x{rows} and {width}x{height}; a x{float(ratio):g} model "
                f"makes {int(columns * ratio)}x{int(rows * ratio)} of it"
            )
        return clip
    step = 2 * ratio.numerator
    high = [_cut(frame, step) for frame in clip.high]
    if high[0].y.size == 0:
        raise FrameError(f"{clip.name}: its frames are smaller than {step} pixels")
    low = []
    for frame in high:
        rows, columns = (int(side / ratio) for side in frame.y.shape)
        half = ((columns + 1) // 2, (rows + 1) // 2)
        planes = (
            imresize(frame.y, columns, rows),
            imresize(frame.u, *half),
            imresize(frame.v, *half),
        )
        made_low = replace(frame, planes=planes)
        low.append(_noisy(made_low, clip.noise) if clip.noise else made_low)
    made = tuple(low) if clip.crf is None else code_frames(low, clip.crf)
    return replace(clip, high=tuple(high), low=made)


def at_rates(clip: Clip, rates: Sequence[int]) -> list[Clip]:
    """The clip once for each rate factor of x264; by itself where there is none.

    Raises:
        UsageError: it has LR frames of its own.
    """
    if not rates:
        return [clip]
    if clip.low is not None:
        raise UsageError("--crf codes LR frames made from an HR clip; give --video one file")
    return [replace(clip, name=f"{clip.name} at CRF {rate}", crf=rate) for rate in rates]


def measure_clip(upscaler: Upscaler, clip: Clip) -> ClipScore:
    """Upscale every LR frame of a clip that `shrink_clip` returned.

    VMAF is measured of coded clips, where imageio-ffmpeg is installed.

    Raises:
        FrameError, BackendError: as the model's.
        MediaError: VMAF could not be measured.
    """
    border = standard_border(float(upscaler.sidecar.ratio))
    low, truths = clip.low or (), [frame.y for frame in clip.high]
    with upscaler.session(low[0].size, calm=clip.calm) as session:
        results = [session.upscale(frame).y.copy() for frame in low]
    pairs = list(zip(results, truths, strict=True))
    psnrs = [min(psnr(made, truth, border=border), CEILING_DB) for made, truth in pairs]
    ssims = [ssim(made, truth, border=border) for made, truth in pairs]
    ffmpeg = ffmpeg_path() if clip.crf is not None else None
    scores = vmaf(results, truths, ffmpeg) if ffmpeg else (None, None)
    return ClipScore(
        name=clip.name,
        sha256=clip.sha256,
        frames=len(results),
        psnr_y_db=float(np.mean(psnrs)),
        ssim_y=float(np.mean(ssims)),
        flicker=flicker(results, truths, clip.motion, border=border),
        moved=clip.motion is not None,
        still_std=still_deviation(results, truths, cuts=_cuts(clip), border=border),
        crf=clip.crf,
        noise=clip.noise,
        calm=clip.calm,
        vmaf=scores[0],
        vmaf_neg=scores[1],
    )


def _noisy(frame: Frame, deviation: float) -> Frame:
    """The frame with noise in its luma, always the same for a ``pts``."""
    rng = np.random.default_rng([NOISE_SEED, frame.pts])
    noise = rng.normal(0, deviation, frame.y.shape)
    y = np.clip(np.rint(frame.y + noise), 0, 255).astype(np.uint8)
    return replace(frame, planes=(y, frame.u, frame.v))


def _cuts(clip: Clip) -> list[int]:
    """Numbers of the frames that follow a cut, as far as cuts are known."""
    return [] if clip.motion is None else [i for i, step in enumerate(clip.motion) if step is None]


def _copy(frame: Frame) -> Frame:
    y, u, v = frame.y.copy(), frame.u.copy(), frame.v.copy()
    return Frame((y, u, v), frame.pts, frame.time_base, frame.color)


def _cut(frame: Frame, step: int) -> Frame:
    rows, columns = (side - side % step for side in frame.y.shape)
    u, v = (plane[: rows // 2, : columns // 2] for plane in (frame.u, frame.v))
    return Frame((frame.y[:rows, :columns], u, v), frame.pts, frame.time_base, frame.color)
