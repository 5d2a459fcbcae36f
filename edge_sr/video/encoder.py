"""The video stream of an output file: encoder settings, tags, and frames in the encoder's form."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from .frame import Color, Frame, StreamInfo

CODECS = ("libx264", "libx265")
LOCATIONS = ("unspecified", "left", "center", "topleft", "top", "bottomleft", "bottom")
RANGES = {None: 0, False: 1, True: 2}  # FFmpeg's AVColorRange
FALLBACK_RATE = Fraction(30)  # for the encoder's rate control where none is known


def add_video_stream(
    container: Any,
    color: Color,
    *,
    time_base: Fraction,
    source: StreamInfo,
    size: tuple[int, int],
    codec: str,
    options: dict[str, str],
) -> Any:
    """Add a video encoder to an `av` output container.

    Args:
        size: columns and rows of the encoded picture, both even.
        options: the encoder's own, such as crf and preset.
    """
    location = LOCATIONS[color.chroma_location]
    stream = container.add_stream(
        codec,
        rate=source.frame_rate or FALLBACK_RATE,
        options={**options, "chroma_sample_location": location},
    )
    context = stream.codec_context
    context.width, context.height = size
    context.pix_fmt = "yuv420p"
    context.time_base = time_base
    context.sample_aspect_ratio = source.sample_aspect_ratio
    context.color_range = RANGES[color.full_range]
    context.colorspace = color.matrix
    context.color_primaries = color.primaries
    context.color_trc = color.transfer
    if codec == "libx265" and container.format.name != "matroska":
        context.codec_tag = "hvc1"  # the one that Apple's players take
    return stream


def container_options(kind: str, time_base: Fraction, *, live: bool = False) -> dict[str, str]:
    """What keeps timestamps as they are; mp4 and mov get their index at the front, too.

    Args:
        live: what was written stays playable when the power fails: fragments, which become a
            plain mp4 when the file is finished.
    """
    if kind == "matroska":  # FFmpeg would move everything by the B-frames' delay
        return {"avoid_negative_ts": "disabled"} | ({"flush_packets": "1"} if live else {})
    ticks = str(time_base.denominator)
    times = {"video_track_timescale": ticks, "movie_timescale": ticks}
    if live:
        return {"movflags": "+hybrid_fragmented+frag_keyframe", "flush_packets": "1"} | times
    return {"movflags": "+faststart"} | times


def encoder_frame(av: Any, frame: Frame, stream: Any, pts: int) -> Any:
    """A copy of `frame` as an `av` frame with the stream's size (cropped), tags and time base."""
    context = stream.codec_context
    width, height = context.width, context.height
    picture = av.VideoFrame(width, height, "yuv420p")
    for plane, pixels in zip(picture.planes, (frame.y, frame.u, frame.v), strict=True):
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        rows[: plane.height, : plane.width] = pixels[: plane.height, : plane.width]
    picture.pts = pts
    picture.time_base = context.time_base
    picture.colorspace, picture.color_range = context.colorspace, context.color_range
    return picture
