"""The video stream of an output file: which encoder, its settings, and frames in its form."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from edge_sr.errors import MediaError, UsageError
from edge_sr.media.codec.containers import MATROSKA
from edge_sr.media.codec.lookahead import FRAGMENT_S, INTERLEAVE_S, lookahead_options
from edge_sr.media.frame import YUV420, Color, Frame, PixelFormat
from edge_sr.media.hdr import Hdr
from edge_sr.media.planes import av_name, av_picture

# what can be asked for -> the encoders that are tried, the device's own first
FAMILIES = {
    "h264": ("h264_nvenc", "h264_v4l2m2m", "libx264"),
    "h265": ("hevc_nvenc", "hevc_v4l2m2m", "libx265"),
    "av1": ("av1_nvenc", "libsvtav1"),
    "vp9": ("libvpx-vp9",),
}
AUTO = "auto"  # H.264 for 8 bits, HEVC for more; VP9 in WebM
CODECS = (
    AUTO, *FAMILIES,
    "libx264", "libx265", "libsvtav1", "libvpx-vp9", "h264_nvenc", "hevc_nvenc", "av1_nvenc",
)  # fmt: skip
BOARDS = "aarch64"  # where V4L2 encoders are worth a try; elsewhere that would open cameras
PRESETS = {  # x264's and x265's -> NVENC's
    "ultrafast": "p1", "superfast": "p1", "veryfast": "p2", "faster": "p3", "fast": "p4",
    "medium": "p5", "slow": "p6", "slower": "p7", "veryslow": "p7",
    "placebo": "p7",
}  # fmt: skip
SVT_PRESETS = {  # x264's -> SVT-AV1's, whose faster ones are for calls and show artefacts here
    "ultrafast": "9", "superfast": "9", "veryfast": "8", "faster": "8", "fast": "7",
    "medium": "6", "slow": "5", "slower": "4", "veryslow": "3", "placebo": "2",
}  # fmt: skip
VP9_SPEEDS = {  # x264's presets -> libvpx's
    "ultrafast": "8", "superfast": "6", "veryfast": "5", "faster": "5", "fast": "4",
    "medium": "3", "slow": "2", "slower": "1", "veryslow": "0", "placebo": "0",
}  # fmt: skip
LIVE_SPEED = 5  # beyond, libvpx works as for calls
PARAMETERS = {"libx265": "x265-params", "libsvtav1": "svtav1-params"}
HDR_ENCODERS = tuple(PARAMETERS)  # that take mastering data: in their parameters
AV1_QUALITY = Fraction(63, 51)  # steps of AV1's and VP9's quality for one of ours
MAIN10 = PixelFormat(bits=10)  # 4:2:0: all that NVENC takes of more than 8 bits, as P010
LOCATIONS = ("unspecified", "left", "center", "topleft", "top", "bottomleft", "bottom")
RANGES = {None: 0, False: 1, True: 2}  # FFmpeg's AVColorRange
OTHERWISE = "take another --codec (h265, in .mp4, .mov or .mkv, holds every depth), or --bits 8"
ENDLESS = "+default_base_moof+skip_trailer"  # FFmpeg keeps no index of it in memory
FALLBACK_RATE = Fraction(30)  # for the encoder's rate control where none is known


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
    format: PixelFormat = YUV420
    hdr: Hdr | None = None

    @property
    def pixels(self) -> str:
        """FFmpeg's name of the pixel format that the encoder is given."""
        if self.encoder.endswith("_nvenc") and self.format == MAIN10:
            return "p010le"
        return av_name(self.format)

    def options(self) -> dict[str, str]:
        """The encoder's own options."""
        found = {"chroma_sample_location": LOCATIONS[self.color.chroma_location]}
        if self.encoder.startswith("lib"):
            return found | self._library_options()
        if self.encoder.endswith("_nvenc"):
            quality = {"rc": "vbr", "cq": str(self.crf), "b": "0"}
            return found | quality | {"preset": PRESETS[self.preset]}
        columns, rows = self.size  # V4L2 encoders know bit rates only
        bits = 0.1 * columns * rows * float(self.rate or FALLBACK_RATE)
        return found | {"b": str(round(bits * 2 ** ((23 - self.crf) / 6)))}

    def _library_options(self) -> dict[str, str]:
        if self.encoder == "libvpx-vp9":
            return self._vp9_options()
        found = {"crf": str(self.crf), "preset": self.preset}
        found |= lookahead_options(self.encoder, self.preset, self.rate or FALLBACK_RATE)
        params: list[str] = []
        if self.encoder == "libx265":
            params = ["log-level=error", *(self.hdr.x265_options() if self.hdr else [])]
        elif self.encoder == "libsvtav1":
            found |= {"crf": str(round(self.crf * AV1_QUALITY)), "preset": SVT_PRESETS[self.preset]}
            params = self.hdr.svt_options() if self.hdr else []
        if params:
            name = PARAMETERS[self.encoder]
            found[name] = ":".join(filter(None, [found.get(name, ""), *params]))
        return found

    def _vp9_options(self) -> dict[str, str]:
        speed = VP9_SPEEDS[self.preset]
        ahead = lookahead_options(self.encoder, self.preset, self.rate or FALLBACK_RATE)
        return ahead | {
            "crf": str(round(self.crf * AV1_QUALITY)),
            "b": "0",  # as good as crf says, whatever it takes
            "cpu-used": speed,
            "deadline": "realtime" if int(speed) > LIVE_SPEED else "good",
            "row-mt": "1",
        }

    def apply(self, context: Any) -> None:
        """Set an `av` codec context up, before it is opened."""
        context.width, context.height = self.size
        context.pix_fmt = self.pixels
        context.time_base = self.time_base
        context.framerate = self.rate or FALLBACK_RATE
        context.sample_aspect_ratio = self.aspect
        context.color_range = RANGES[self.color.full_range]
        context.colorspace = self.color.matrix
        context.color_primaries = self.color.primaries
        context.color_trc = self.color.transfer

    def add_to(self, container: Any) -> Any:
        """Add the video stream to an `av` output container."""
        self._silence()
        stream = container.add_stream(
            self.encoder, rate=self.rate or FALLBACK_RATE, options=self.options()
        )
        self.apply(stream.codec_context)
        if self.encoder == "libx265" and container.format.name != "matroska":
            stream.codec_context.codec_tag = "hvc1"  # the one that Apple's players take
        return stream

    def fresh(self, av: Any) -> Any:
        """Another encoder, for the next frames of a stream that `add_to` has made."""
        self._silence()
        context = av.CodecContext.create(self.encoder, "w")
        context.options = self.options()
        self.apply(context)
        context.flags |= av.codec.context.Flags.global_header
        return context

    def _silence(self) -> None:
        if self.encoder == "libsvtav1":  # it prints its settings; this is its only switch
            os.environ.setdefault("SVT_LOG", "1")


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

    "auto" is H.264 for 8-bit frames and HEVC for those of more bits.

    Raises:
        MediaError: none does.
    """
    if codec == AUTO:
        codec = "h264" if plan.format.bits == 8 else "h265"
    if codec not in FAMILIES:
        why = _refusal(av, replace(plan, encoder=codec))
        if why:
            raise MediaError(f"{codec}: {why}; {OTHERWISE}")
        return codec
    why = ""
    for name in FAMILIES[codec]:
        if "v4l2" in name and platform.machine() != BOARDS:
            continue
        why = try_encoder(av, replace(plan, encoder=name))
        if not why:
            return name
    advice = "" if plan.format == YUV420 else f"; {OTHERWISE}"
    tried = f"the last one tried for {plan.size[0]}x{plan.size[1]} {why}"
    raise MediaError(f"{codec}: no encoder works here; {tried}{advice}")


def _refusal(av: Any, plan: EncoderPlan) -> str:
    """Why an encoder cannot be given frames of the plan's format; "" if it may take them."""
    if plan.format == YUV420 or plan.encoder not in av.codecs_available:
        return ""
    known = av.Codec(plan.encoder, "w").video_formats or ()
    if plan.pixels in [item.name for item in known]:
        return ""
    return f"takes no {plan.format}"


def try_encoder(av: Any, plan: EncoderPlan) -> str:
    """Encode one black frame; returns why that cannot be done, "" if it can."""
    if plan.encoder not in av.codecs_available:
        return "is not in this FFmpeg"
    if why := _refusal(av, plan):
        return why
    try:
        context = plan.fresh(av)
        if plan.encoder == "libx265":
            params = context.options["x265-params"].replace("log-level=error", "log-level=none")
            context.options = {**context.options, "x265-params": params}
        picture = av.VideoFrame(*plan.size, plan.pixels)
        for plane in picture.planes:
            plane.update(bytes(plane.buffer_size))
        picture.pts = 0
        packets = [*context.encode(picture), *context.encode(None)]
    except (av.FFmpegError, OSError, ValueError) as error:
        return f"cannot be used ({getattr(error, 'strerror', None) or error})"
    return "" if packets else "gave no data"


def container_options(kind: str, time_base: Fraction, *, endless: bool = False) -> dict[str, str]:
    """What keeps timestamps as they are, and what was written playable when the power fails.

    mp4 and mov are written in fragments of half a second, which become a plain file at the end: by
    FFmpeg, or where it is `endless` by `whole_index`. Packets do not wait long for another stream:
    there may be no more audio, and seldom a subtitle.
    """
    prompt = {
        "flush_packets": "1",
        "max_interleave_delta": str(round(1_000_000 * INTERLEAVE_S)),
    }
    if kind in MATROSKA:  # FFmpeg would move everything by the B-frames' delay
        limit = str(round(500 * FRAGMENT_S))  # counted without the B-frames that come before
        return prompt | {"avoid_negative_ts": "disabled", "cluster_time_limit": limit}
    ticks = str(time_base.denominator)
    kept = ENDLESS if endless else "+hybrid_fragmented"
    return prompt | {
        "movflags": f"{kept}+delay_moov",  # delayed: the times of B-frames stay exact
        "frag_duration": str(round(1_000_000 * FRAGMENT_S)),
        "video_track_timescale": ticks,
        "movie_timescale": ticks,
    }


def encoder_frame(av: Any, frame: Frame, plan: EncoderPlan, pts: int) -> Any:
    """A copy of `frame` as an `av` frame with the plan's size (cropped), tags and time base."""
    if plan.pixels == "p010le":
        picture = _p010(av, frame, plan.size)
    else:
        picture = av_picture(frame, plan.size)
    picture.pts = pts
    picture.time_base = plan.time_base
    picture.colorspace = plan.color.matrix
    picture.color_range = RANGES[plan.color.full_range]
    return picture


def _p010(av: Any, frame: Frame, size: tuple[int, int]) -> Any:
    """Luma, and u and v in turns; samples in the high bits."""
    picture = av.VideoFrame(*size, "p010le")
    shift = 16 - frame.format.bits
    luma, chroma = (
        np.frombuffer(plane, np.uint16).reshape(-1, plane.line_size // 2)
        for plane in picture.planes
    )
    columns, rows = size
    np.left_shift(frame.y[:rows, :columns], shift, out=luma[:rows, :columns])
    for at, plane in enumerate((frame.u, frame.v)):
        half = plane[: rows // 2, : columns // 2]
        np.left_shift(half, shift, out=chroma[: rows // 2, at:columns:2])
    return picture
