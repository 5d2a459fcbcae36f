"""Frames through x264 and back, in memory: what a stream of that quality delivers."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from edge_sr.errors import MediaError
from edge_sr.media.frame import Frame
from edge_sr.media.libraries import load_av

PRESET = "medium"
RATE = 25  # frames a second that the encoder assumes


def code_frames(frames: Sequence[Frame], crf: int) -> tuple[Frame, ...]:
    """As many 8-bit 4:2:0 frames of the same even size, coded by x264 medium.

    One thread: the same bytes on every machine with this x264. Colour tags and times are kept.

    Args:
        crf: x264's constant rate factor, 0..51.

    Raises:
        MediaError: x264 refused the frames, or lost one.
        MissingDependencyError: PyAV is not installed.
    """
    av: Any = load_av()
    height, width = frames[0].y.shape
    buffer = io.BytesIO()
    try:
        with av.open(buffer, "w", format="mp4") as output:
            options = {"crf": str(crf), "preset": PRESET, "threads": "1"}
            stream = output.add_stream("libx264", rate=RATE, options=options)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for number, frame in enumerate(frames):
                planes = [plane.reshape(-1) for plane in (frame.y, frame.u, frame.v)]
                packed = np.concatenate(planes).reshape(-1, width)
                picture = av.VideoFrame.from_ndarray(packed, format="yuv420p")
                picture.pts, picture.time_base = number, Fraction(1, RATE)
                output.mux(stream.encode(picture))
            output.mux(stream.encode())
        buffer.seek(0)
        with av.open(buffer) as coded:
            decoded = [picture.to_ndarray() for picture in coded.decode(video=0)]
    except av.FFmpegError as error:
        raise MediaError(f"x264 at CRF {crf}: {error}") from error
    if len(decoded) != len(frames):
        raise MediaError(f"x264 at CRF {crf}: {len(decoded)} of {len(frames)} frames came back")
    return tuple(_with_planes(frame, packed) for frame, packed in zip(frames, decoded, strict=True))


def _with_planes(frame: Frame, packed: np.ndarray[Any, np.dtype[np.uint8]]) -> Frame:
    height, width = frame.y.shape
    flat = packed.reshape(-1)
    quarter = (height // 2) * (width // 2)
    y, u, v = np.split(flat, [height * width, height * width + quarter])
    half = (height // 2, width // 2)
    return replace(frame, planes=(y.reshape(height, width), u.reshape(half), v.reshape(half)))
