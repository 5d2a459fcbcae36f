"""Video files as a source of frames."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

from edge_sr.errors import MediaError
from edge_sr.media.codec.containers import frame_rate, is_raw, missing_end, reason
from edge_sr.media.codec.demuxer import Demuxer
from edge_sr.media.codec.timeline import BestEffort, Timestamps
from edge_sr.media.frame import YUV420, Frame, StreamInfo
from edge_sr.media.hdr import frame_hdr
from edge_sr.media.libraries import load_av
from edge_sr.media.mp4.boxes import read_boxes
from edge_sr.media.orientation import frame_orientation, lost_side_data
from edge_sr.media.planes import kept_format, shows_through, to_planes
from edge_sr.media.protocols import SourceBase
from edge_sr.media.siting import coded_siting
from edge_sr.media.sources.decoding import Decoding
from edge_sr.types import Size

CODED = ("h264", "hevc", "mpeg2video", "mpeg4")  # headers may be in packets, or only beside them
NO_HEADERS = (
    "the headers with the size of its pictures are not in the file: copy it from its source again, "
    "with: ffmpeg -i SOURCE -c copy -bsf:v dump_extra FILE"
)


class VideoFile(SourceBase):
    """The first video stream of a file, decoded on all cores.

    Each frame has the time the file gives it: variable frame rates stay so; see `Timeline` and
    `Timestamps` for times that are missing, jump or go back. Any pixel format comes out as 8-bit
    4:2:0 with its range and matrix kept; with `keep_depth` more than 8 bits stay so, see
    `kept_format`. The pixels are turned as the display matrix says.
    Interlaced material is passed through as whole frames: nothing is deinterlaced. The file is read
    once, so that a pipe will do; what else is in it is handed on by `beside`. Can be iterated once.

    Raises:
        MediaError: the file cannot be read, or has no video that can be decoded.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        keep_depth: bool = False,
        stream: BinaryIO | None = None,
        rate: Fraction | None = None,
        strict: bool = False,
        start: int | None = None,
    ) -> None:
        """Open the file and decode its first frame.

        Args:
            keep_depth: hand out the bits of the file; False for 8.
            stream: what is read instead of the file; then the path is its name.
            rate: frames per second of a raw stream, which has no times.
            strict: refuse a fragmented mp4 whose end is missing.
            start: time of a key frame, in the video's time base, to begin at instead.
        """
        self.path = Path(path)
        self._resized = 0  # frames of another size than the first
        self._last_size = Size(0, 0)
        self._av = load_av()
        self._missing = self._bytes = 0  # at its end, and altogether
        if stream is None:
            self._missing = _check_readable(self.path, strict=strict)
            self._bytes = self.path.stat().st_size
        self._demuxer = Demuxer(self.path, stream=stream, rate=rate)
        try:
            if start is not None:
                self._demuxer.seek(start)
            self._stream = self._demuxer.video
            self._decoding = Decoding(self._stream)
            self._reformatter = self._av.video.reformatter.VideoReformatter()
            self._decoded = self._decoding.pictures(self._demuxer.video_packets())
            self._first = next(self._decoded, None)
            if self._first is None:
                coded = self._stream.codec_context
                why = "" if coded.width or coded.name not in CODED else f"; {NO_HEADERS}"
                raise MediaError(f"{self.path}: not one frame of its video can be decoded{why}")
        except BaseException:
            self._demuxer.close()
            raise
        self._orientation = frame_orientation(self._first)
        self._lost = lost_side_data(self._first)
        # VP8 and VP9 hold it in a second stream, which FFmpeg's own decoder leaves out
        if self._stream.metadata.get("alpha_mode") == "1" or shows_through(self._first):
            self._lost.append("transparency")
        self._deep = kept_format(self._first)  # what would be kept
        self._hdr = frame_hdr(self._first)
        self._raw = is_raw(self._demuxer.container)
        self._rate = rate  # that was asked for
        self.info = self._describe(self._first, keep_depth=keep_depth)
        deep = self.info.format.bits > 8
        self._siting = coded_siting(self._stream) if deep else 0  # 8 bits: as it always was
        self._times = Timestamps(self.info.time_base, self.info.frame_rate)
        avi = self._demuxer.container.format.name == "avi"
        reorders = bool(self._stream.codec_context.has_b_frames)
        self._best = BestEffort(decoding_times=avi and reorders)

    @property
    def repaired(self) -> int:
        """Frames whose time was missing or went back."""
        return self._times.repaired

    @property
    def damaged(self) -> int:
        """Packets that could not be decoded, and frames decoded with errors."""
        return self._decoding.damaged

    @property
    def beside(self) -> Demuxer | None:
        """The packets of the other streams."""
        return self._demuxer

    @property
    def notices(self) -> list[str]:
        """What the user should know, a line each."""
        found = []
        if self._missing:
            what = f"cut off, {self._missing:,} bytes are missing at its end"
            found.append(f"{self.path}: {what}; it was read up to there")
        lost = self._lost + (self._hdr.names if self._hdr and not self.info.hdr else [])
        if lost:
            found.append(f"{self.path}: not kept: {', '.join(lost)}")
        if self.info.format != self._deep:
            found.append(
                f"{self.path}: {self._deep} is read as {self.info.format}: gradients may show steps"
            )
        if self._resized:
            size = self.info.size
            found.append(
                f"{self.path}: {self._resized} frames of other sizes were fitted to {size}"
            )
        if self.damaged:
            last = ", so that its last frames are lost" if self._decoding.cut_short else ""
            found.append(f"{self.path}: {self.damaged} damaged packets or frames{last}")
        if self._rate and not self._raw:
            found.append(f"{self.path}: has times of its own; the frame rate given is not used")
        if self._raw and not self._rate:
            rate = float(self.info.frame_rate or 25)
            found.append(f"{self.path}: a raw stream, read at {rate:g} frames a second; see --fps")
        elif self.repaired and not self._raw:
            found.append(f"{self.path}: {self.repaired} frames had no time, or one that goes back")
        return found

    def __iter__(self) -> Iterator[Frame]:
        """Frames in display order; planes may be read-only views of the decoder's memory.

        Raises:
            MediaError: the file cannot be read on.
        """
        if not self._demuxer.wanted:
            self._demuxer.drop_others()
        if self._first is not None:
            first, self._first = self._first, None
            yield self._to_frame(first)
        for frame in self._decoded:
            yield self._to_frame(frame)
        self._check_whole()

    def close(self) -> None:
        """Give the file back; frames already handed out stay valid."""
        try:
            self._decoded.close()
        except ValueError:  # another thread still decodes: the system takes the file back
            return
        self._demuxer.close()

    def _check_whole(self) -> None:
        """A file that shrank while it was read has lost frames; one that was removed has not."""
        try:
            now = self.path.stat().st_size
        except OSError:
            return
        if now < self._bytes:
            raise MediaError(
                f"{self.path}: was cut from {self._bytes:,} to {now:,} bytes while it was read; "
                "is it still being copied or recorded?"
            )

    def _describe(self, frame: Any, *, keep_depth: bool) -> StreamInfo:
        stream = self._stream
        size = Size(frame.width, frame.height)
        aspect = Fraction(stream.sample_aspect_ratio or 1)
        kept = self._deep if keep_depth else YUV420
        if self._orientation.transpose:
            size, aspect = Size(size.height, size.width), 1 / aspect
            if kept.chroma_x != kept.chroma_y:  # turned, 4:2:2 would be 4:4:0
                kept = replace(kept, chroma_x=1, chroma_y=1)
        rate = self._rate if self._raw and self._rate else frame_rate(stream)
        return StreamInfo(
            name=str(self.path),
            width=size.width,
            height=size.height,
            time_base=Fraction(stream.time_base),
            frame_rate=rate,
            frames=self._count(rate),
            live=False,
            sample_aspect_ratio=aspect,
            format=kept,
            hdr=self._hdr if kept.bits > 8 else None,
        )

    def _count(self, rate: Fraction | None) -> int | None:
        if self._stream.frames:
            return int(self._stream.frames)
        if rate and self._stream.duration:
            return int(self._stream.duration * self._stream.time_base * rate + Fraction(1, 2))
        duration = self._demuxer.container.duration
        if rate and duration:
            return round(Fraction(duration, 1_000_000) * rate)
        return None

    def _to_frame(self, decoded: Any) -> Frame:
        size = self.info.size
        width, height = size[::-1] if self._orientation.transpose else size
        self._resized += (decoded.width, decoded.height) != (width, height)
        try:
            y, u, v, color = to_planes(
                decoded,
                self._stream.codec_context,
                self._reformatter,
                width=width,
                height=height,
                kept=self.info.format,
            )
        except (self._av.FFmpegError, ValueError) as error:
            what = f"{decoded.format.name} cannot become {self.info.format}"
            raise MediaError(f"{self.path}: {what} ({reason(error)})") from error
        if self._siting:
            color = replace(color, chroma_location=self._siting)
        if not self._orientation.upright:
            siting, kept = color.chroma_location, self.info.format
            y, u, v = self._orientation.turn_yuv(y, u, v, siting, kept)
        if self._raw and (self._rate or decoded.pts is None):
            pts = self._times.next(None)  # one frame after the one before
        else:
            claimed = self._best.choose(decoded.pts, decoded.dts)
            pts = self._times.next(claimed, decoded.duration)
        cut = self._after_cut(pts, Size(decoded.width, decoded.height))
        kept = self.info.format
        return Frame((y, u, v), pts, self.info.time_base, color, kept, discontinuity=cut)

    def _after_cut(self, pts: int, size: Size) -> bool:
        """Whether the clock of the file was cut before this frame, or the size is another."""
        changed = self._last_size not in (size, (0, 0))
        self._last_size = size
        cuts, cut = self._demuxer.cuts, self._times.jumped or changed
        while cuts and pts >= cuts[0]:
            cuts.popleft()
            cut = True
        return cut


def _check_readable(path: Path, *, strict: bool) -> int:
    """Refuse what cannot be read, clearly; returns the bytes missing at the end of the file."""
    try:
        path.stat()
    except FileNotFoundError:
        raise MediaError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise MediaError(f"{path}: cannot be read ({reason(error)})") from error
    if path.is_dir():
        raise MediaError(f"{path}: is a folder; expected a video file")
    if path.is_file() and path.stat().st_size == 0:
        raise MediaError(f"{path}: is empty")
    if not os.access(path, os.R_OK):
        raise MediaError(f"{path}: may not be read; check its permissions")
    if not path.is_file():  # a pipe
        return 0
    boxes = read_boxes(path)
    missing, readable = boxes.missing, boxes.fragmented
    if not missing:
        missing, readable = missing_end(path), True
    if missing and (strict or not readable):
        keep = "keep what there is with: ffmpeg -i FILE -c copy REPAIRED.mp4"
        if readable:
            keep = "leave out --strict, and it is read up to there"
        what = f"cut off, {missing:,} bytes are missing at its end"
        raise MediaError(f"{path}: {what}; copy it again, or {keep}")
    return missing
