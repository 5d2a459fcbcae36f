"""The video stream of an output file: which encoder, its settings, and frames in its form.

Encoders look ahead, and the frames that they hold are lost when the process is killed. A killed job
may cost `LOST_S` seconds of film: `HELD_S` of frames that the encoder and the writer hold, a
fragment of the file that is not written yet, and packets that wait for another stream.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from edge_sr.errors import MediaError, UsageError
from edge_sr.media.frame import Color, Frame

# what can be asked for -> the encoders that are tried, the device's own first
FAMILIES = {
    "h264": ("h264_nvenc", "h264_v4l2m2m", "libx264"),
    "h265": ("hevc_nvenc", "hevc_v4l2m2m", "libx265"),
}
CODECS = (*FAMILIES, "libx264", "libx265", "h264_nvenc", "hevc_nvenc")
BOARDS = "aarch64"  # where V4L2 encoders are worth a try; elsewhere that would open cameras
PRESETS = {  # x264's and x265's -> NVENC's
    "ultrafast": "p1", "superfast": "p1", "veryfast": "p2", "faster": "p3", "fast": "p4",
    "medium": "p5", "slow": "p6", "slower": "p7", "veryslow": "p7",
    "placebo": "p7",
}  # fmt: skip
LOCATIONS = ("unspecified", "left", "center", "topleft", "top", "bottomleft", "bottom")
RANGES = {None: 0, False: 1, True: 2}  # FFmpeg's AVColorRange
FALLBACK_RATE = Fraction(30)  # for the encoder's rate control where none is known

LOST_S = 2
HELD_S = Fraction("1.2")
FRAGMENT_S = Fraction("0.5")
INTERLEAVE_S = Fraction("0.2")
OUTSIDE = 3  # of the held frames: two wait in case they are the last, one ends the fragment
X265_BESIDES = 12  # frames that x265 holds beside its lookahead with 4 B-frames and 32 cores

# preset: frames of lookahead, and B-frames in a row; of x264 and x265 themselves
X264 = {
    "ultrafast": (0, 0), "superfast": (0, 3), "veryfast": (10, 3), "faster": (20, 3),
    "fast": (30, 3), "medium": (40, 3), "slow": (50, 3), "slower": (60, 3), "veryslow": (60, 8),
    "placebo": (60, 16),
}  # fmt: skip
X265 = {
    "ultrafast": (5, 3), "superfast": (10, 3), "veryfast": (15, 4), "faster": (15, 4),
    "fast": (15, 4), "medium": (20, 4), "slow": (25, 4), "slower": (40, 8), "veryslow": (40, 8),
    "placebo": (60, 8),
}  # fmt: skip


@dataclass(frozen=True)
class EncoderPlan:
    """Everything that makes two encoders of one kind write the same bytes for the same frames."""

    encoder: str  # FFmpeg's name of it
    size: tuple[int, int]  # columns and rows, both even
    time_base: Fraction
    rate: Fraction | None
    aspect: Fraction  # of one pixel
    color: Color
    crf: int  # 0 to 51
    preset: str  # one of PRESETS

    def options(self) -> dict[str, str]:
        """The encoder's own options."""
        found = {"chroma_sample_location": LOCATIONS[self.color.chroma_location]}
        if self.encoder.startswith("lib"):
            ahead = lookahead_options(self.encoder, self.preset, self.rate or FALLBACK_RATE)
            return found | {"crf": str(self.crf), "preset": self.preset} | ahead
        if self.encoder.endswith("_nvenc"):
            quality = {"rc": "vbr", "cq": str(self.crf), "b": "0"}
            return found | quality | {"preset": PRESETS[self.preset]}
        columns, rows = self.size  # V4L2 encoders know bit rates only
        bits = 0.1 * columns * rows * float(self.rate or FALLBACK_RATE)
        return found | {"b": str(round(bits * 2 ** ((23 - self.crf) / 6)))}

    def apply(self, context: Any) -> None:
        """Set an `av` codec context up, before it is opened."""
        context.width, context.height = self.size
        context.pix_fmt = "yuv420p"
        context.time_base = self.time_base
        context.framerate = self.rate or FALLBACK_RATE
        context.sample_aspect_ratio = self.aspect
        context.color_range = RANGES[self.color.full_range]
        context.colorspace = self.color.matrix
        context.color_primaries = self.color.primaries
        context.color_trc = self.color.transfer

    def add_to(self, container: Any) -> Any:
        """Add the video stream to an `av` output container."""
        stream = container.add_stream(
            self.encoder, rate=self.rate or FALLBACK_RATE, options=self.options()
        )
        self.apply(stream.codec_context)
        if self.encoder == "libx265" and container.format.name != "matroska":
            stream.codec_context.codec_tag = "hvc1"  # the one that Apple's players take
        return stream

    def fresh(self, av: Any) -> Any:
        """Another encoder, for the next frames of a stream that `add_to` has made."""
        context = av.CodecContext.create(self.encoder, "w")
        context.options = self.options()
        self.apply(context)
        context.flags |= av.codec.context.Flags.global_header
        return context


def check_settings(codec: str, *, crf: int, preset: str) -> None:
    """Refuse what no encoder can be asked for.

    Raises:
        UsageError: an unknown codec or preset, or a crf out of range.
    """
    if codec not in CODECS:
        raise UsageError(f"codec is {codec!r}; expected {', '.join(CODECS)}")
    if preset not in PRESETS:
        raise UsageError(f"preset is {preset!r}; expected {', '.join(PRESETS)}")
    if not 0 <= crf <= 51:
        raise UsageError(f"crf is {crf}; expected 0 (lossless) to 51")


def pick_encoder(av: Any, codec: str, plan: EncoderPlan) -> str:
    """The first encoder of a family that really encodes here; another name is taken as it is.

    Raises:
        MediaError: none does.
    """
    if codec not in FAMILIES:
        return codec
    why = ""
    for name in FAMILIES[codec]:
        if "v4l2" in name and platform.machine() != BOARDS:
            continue
        why = try_encoder(av, replace(plan, encoder=name))
        if not why:
            return name
    raise MediaError(f"{codec}: no encoder works here; the last one tried {why}")


def try_encoder(av: Any, plan: EncoderPlan) -> str:
    """Encode one black frame; returns why that cannot be done, "" if it can."""
    if plan.encoder not in av.codecs_available:
        return "is not in this FFmpeg"
    try:
        context = plan.fresh(av)
        if plan.encoder == "libx265":
            context.options = {**context.options, "x265-params": "log-level=none"}
        picture = av.VideoFrame(*plan.size, "yuv420p")
        for plane in picture.planes:
            plane.update(bytes(plane.buffer_size))
        picture.pts = 0
        packets = [*context.encode(picture), *context.encode(None)]
    except (av.FFmpegError, OSError, ValueError) as error:
        return f"cannot be used ({getattr(error, 'strerror', None) or error})"
    return "" if packets else "gave no data"


def container_options(kind: str, time_base: Fraction) -> dict[str, str]:
    """What keeps timestamps as they are, and what was written playable when the power fails.

    mp4 and mov are written in fragments of half a second, which become a plain file at the end.
    Packets do not wait long for another stream: there may be no more audio, and seldom a subtitle.
    """
    prompt = {
        "flush_packets": "1",
        "max_interleave_delta": str(round(1_000_000 * INTERLEAVE_S)),
    }
    if kind == "matroska":  # FFmpeg would move everything by the B-frames' delay
        limit = str(round(500 * FRAGMENT_S))  # counted without the B-frames that come before
        return prompt | {"avoid_negative_ts": "disabled", "cluster_time_limit": limit}
    ticks = str(time_base.denominator)
    return prompt | {
        "movflags": "+hybrid_fragmented+delay_moov",  # delayed: the times of B-frames stay exact
        "frag_duration": str(round(1_000_000 * FRAGMENT_S)),
        "video_track_timescale": ticks,
        "movie_timescale": ticks,
    }


def encoder_frame(av: Any, frame: Frame, plan: EncoderPlan, pts: int) -> Any:
    """A copy of `frame` as an `av` frame with the plan's size (cropped), tags and time base."""
    picture = av.VideoFrame(*plan.size, "yuv420p")
    for plane, pixels in zip(picture.planes, (frame.y, frame.u, frame.v), strict=True):
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        rows[: plane.height, : plane.width] = pixels[: plane.height, : plane.width]
    picture.pts = pts
    picture.time_base = plan.time_base
    picture.colorspace = plan.color.matrix
    picture.color_range = RANGES[plan.color.full_range]
    return picture


def held_frames(rate: Fraction) -> int:
    """How many frames an encoder may hold of a film of `rate` frames a second; at least 0."""
    return max(0, int(HELD_S * rate) - OUTSIDE)


def lookahead_options(encoder: str, preset: str, rate: Fraction) -> dict[str, str]:
    """FFmpeg's options that keep an encoder to `held_frames`, where the preset goes beyond.

    From 12 frames a second on; slower films lose more. Encoders in hardware are left alone: as
    they are set up here they have no lookahead and no B-frames.
    """
    frames = held_frames(rate)
    found: dict[str, str] = {}
    if encoder == "libx264":
        ahead, between = X264[preset]
        if between > frames // 4:  # the slow presets look at four groups of B-frames
            found["bf"] = str(frames // 4)
        if ahead > frames:
            found["rc-lookahead"] = str(frames)
    elif encoder == "libx265":
        ahead, between = X265[preset]
        if between > frames // 6:
            between = frames // 6
            found["bf"] = str(between)
        most = max(between + 1, frames - X265_BESIDES)  # x265 wants more than B-frames in a row
        if ahead > most:
            found["x265-params"] = f"rc-lookahead={most}"
    return found
