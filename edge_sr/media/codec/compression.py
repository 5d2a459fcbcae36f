"""How hard the pixels of a file were compressed, as far as that is known."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_sr.media.codec.containers import is_cover, open_input
from edge_sr.media.libraries import load_av, load_pillow

SAMPLED = 12  # frames that are decoded
EVERY = 4  # of which the luma is looked at
H264, MPEG2 = 1, 2  # AVVideoEncParamsType of FFmpeg's libavutil/video_enc_params.h
HEADER = struct.Struct("@IQQii")  # AVVideoEncParams: nb_blocks, offset, size of one, type, qp
DELTA_AT = 16  # of AVVideoBlockParams, after four ints of place and size

STANDARD_MEAN = 3687 / 64  # of the luma table in annex K of the JPEG standard, ITU-T T.81


@dataclass(frozen=True)
class Compression:
    """What a file says of its video or image.

    `quantiser` is on H.264's scale, 0 (lossless) to 51, where 6 more double the step size; an
    MPEG-2 or MPEG-4 step is expressed by it. None where FFmpeg's decoder does not report it.
    """

    codec: str  # FFmpeg's name, such as "h264"
    lossless: bool = False
    quantiser: float | None = None  # mean over blocks and the first frames
    bits_per_pixel: float | None = None  # mean over the first frames
    detail: float | None = None  # mean difference of neighbouring pixels of luma, 8-bit levels


def read_compression(path: Path) -> Compression | None:
    """Decode the first frames of a video file once more, and report how they were coded.

    None where the file cannot be read, or cannot be read twice (a pipe).
    """
    if not path.is_file():
        return None
    av = load_av()
    try:
        with open_input(path) as container:
            video = next((s for s in container.streams.video if not is_cover(s)), None)
            if video is None or video.codec_context is None:
                return None
            return _read(container, video)
    except (av.FFmpegError, OSError, ValueError):
        return None


def _read(container: Any, video: Any) -> Compression:
    av = load_av()
    context = video.codec_context
    context.options = {"export_side_data": "venc_params"}
    found: list[float] = []
    details: list[float] = []
    frames = size = 0
    for packet in islice(container.demux(video), 4 * SAMPLED):
        size += packet.size
        try:
            decoded = video.decode(packet)
        except av.FFmpegError:
            continue  # a damaged packet; the job itself counts those
        for frame in decoded:
            frames += 1
            if frames % EVERY == 0 and (luma := _luma(frame)) is not None:
                details.append(detail(luma))
            found += [qp for data in frame.side_data if (qp := quantiser(data)) is not None]
        if frames >= SAMPLED:
            break
    pixels = video.width * video.height * frames
    lossy = context.codec.properties & av.codec.codec.Properties.LOSSY.value
    mean = float(np.mean(found)) if found else None
    return Compression(
        codec=context.name,
        lossless=not lossy or mean == 0,
        quantiser=mean,
        bits_per_pixel=8 * size / pixels if pixels else None,
        detail=float(np.mean(details)) if details else None,
    )


def detail(luma: NDArray[np.uint8]) -> float:
    """Mean absolute difference of the neighbouring pixels of (H, W), in levels."""
    wide = luma.astype(np.int16)
    return float(np.abs(np.diff(wide, axis=0)).mean() + np.abs(np.diff(wide, axis=1)).mean()) / 2


def _luma(frame: Any) -> NDArray[np.uint8] | None:
    """The luma of a decoded planar YUV frame, uint8 (H, W); None for others, and tiny ones."""
    bits = frame.format.components[0].bits
    if not frame.format.name.startswith(("yuv", "gray")) or min(frame.width, frame.height) < 2:
        return None
    plane = frame.planes[0]
    kind = np.uint8 if bits == 8 else np.uint16
    rows = np.frombuffer(plane, kind).reshape(frame.height, -1)[:, : frame.width]
    return np.asarray(rows >> (bits - 8), np.uint8)


def quantiser(data: Any) -> float | None:
    """The mean quantiser of a frame's blocks on H.264's scale, of its side data; None for others.

    The step of H.264 is 2^((QP - 4) / 6); of MPEG-2 and MPEG-4 FFmpeg exports the step itself.
    """
    if getattr(data.type, "name", "") != "VIDEO_ENC_PARAMS":
        return None
    raw = bytes(data)
    count, start, size, kind, base = HEADER.unpack_from(raw)
    if kind not in (H264, MPEG2):
        return None
    value = float(base)
    if count:
        blocks = np.frombuffer(raw, np.uint8, count * size, start).reshape(count, size)
        value += float(blocks[:, DELTA_AT : DELTA_AT + 4].copy().view(np.int32).mean())
    if kind == MPEG2:
        return 4 + 6 * math.log2(max(value, 1))
    return max(value, 0.0)


def jpeg_quality(path: Path | BinaryIO) -> float | None:
    """The quality of a JPEG file or stream on libjpeg's scale, 1 to 100; None for other files.

    By the mean of the luma table against the standard's, which libjpeg's `jpeg_quality_scaling`
    multiplies: (200 - 2 * quality) % from quality 50 on, 5000 / quality % below.
    """
    pil = load_pillow()
    try:
        with pil.Image.open(path, formats=("JPEG",)) as image:
            table = dict(image.quantization).get(0)
    except (OSError, SyntaxError, ValueError):
        return None
    if not table:
        return None
    percent = 100 * float(np.mean(table)) / STANDARD_MEAN
    return min(100.0, 100 - percent / 2 if percent <= 100 else 5000 / percent)
