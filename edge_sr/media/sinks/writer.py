"""Video files as a sink of frames."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr.errors import MediaError
from edge_sr.media.codec.chunks import CHUNK
from edge_sr.media.codec.containers import MATROSKA, NEW_CODECS, reason, why_not
from edge_sr.media.codec.demuxer import Demuxer
from edge_sr.media.codec.encoder import (
    AUTO,
    HDR_ENCODERS,
    EncoderPlan,
    check_settings,
    pick_encoder,
)
from edge_sr.media.codec.muxer import Muxer
from edge_sr.media.codec.unfinished import Unfinished, clear, partial_path
from edge_sr.media.frame import Color, Frame, StreamInfo
from edge_sr.media.libraries import load_av
from edge_sr.media.protocols import SinkBase
from edge_sr.media.sinks.output import check_output, commit, discard, part_path

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}


class VideoWriter(SinkBase):
    """Encodes frames into an mp4, mov or mkv file, with the audio and subtitles of another.

    Frames keep their time: exactly in mp4 and mov, to the nearest millisecond in mkv, which has no
    finer clock. Colour tags and pixel shape are written as they came. Frames with an odd number of
    columns or rows lose the last one, which 4:2:0 H.264 and HEVC cannot hold; `notices` says so.
    Everything is written to a hidden ``.part`` file that gets its name in `finish`; what is in it
    can be played even when the process is killed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        source: StreamInfo,
        copy_from: Demuxer | Path | None = None,
        force: bool = False,
        codec: str = AUTO,
        crf: int = 18,
        preset: str = "veryfast",
        audio: str = "copy",
        goes_on: bool = False,
    ) -> None:
        """Check that the output can be written; the file is opened at the first frame.

        Args:
            source: where the frames come from: frame rate and pixel shape are taken from it.
            copy_from: the file whose audio, subtitles, chapters and tags are copied; one that a
                `VideoFile` reads (see `Source.beside`), or a path, which is read on its own.
            force: replace an existing file.
            codec: "h264", "h265" or "av1" for the device's encoder where there is one, and libx264,
                libx265 or libsvtav1 elsewhere; or one of these by its name; "auto" for h264, and
                h265 where frames have more than 8 bits.
            crf: quality, 0 (lossless) to 51; 18 is visually transparent.
            preset: the encoder's speed, "ultrafast" to "veryslow".
            audio: "copy", or "convert" for sound that the container cannot hold: without loss where
                it has none, else to AAC; in WebM to Opus.
            goes_on: this is a part of whole chunks, and the film goes on in another.

        Raises:
            MediaError: the output cannot be written there, or its name ends in something unknown.
            UsageError: an unknown codec or preset, or a crf out of range.
        """
        self.path = Path(path)
        self._notices: list[str] = []
        self.frames = 0
        if self.path.suffix.lower() not in FORMATS:
            known = ", ".join(FORMATS)
            found = self.path.suffix or "no ending"
            raise MediaError(
                f"{self.path}: found {found}; video is written to {known}, .gif, .apng or .webp"
            )
        check_settings(codec, crf=crf, preset=preset)
        read = copy_from.path if isinstance(copy_from, Demuxer) else copy_from
        check_output(self.path, force=force, source=read)
        self._av = load_av()
        self._source = source
        self._copy_from = copy_from
        if isinstance(copy_from, Demuxer):
            copy_from.wanted = True  # from its first packet on
        self._codec, self._crf, self._preset = codec, crf, preset
        self.encoder = ""  # FFmpeg's name, once it was chosen
        self._unfinished: Unfinished | None = None
        self._muxer: Muxer | None = None
        self._size = (0, 0)
        self._time_base = source.time_base
        self._first_pts = self._last_pts = 0
        self._over = False
        self._goes_on = goes_on
        self._convert = audio == "convert"

    @property
    def plan(self) -> EncoderPlan | None:
        """How it is encoded; None before the first frame."""
        return self._muxer.plan if self._muxer else None

    @property
    def notices(self) -> Sequence[str]:
        """What could not be written as it came, one line each."""
        return self._notices

    def prepare(self, size: tuple[int, int]) -> str:
        """Choose the encoder for frames of (columns, rows); returns its name.

        Raises:
            MediaError: none works here, or the container cannot hold what it makes.
        """
        if not self.encoder:
            plan = self._make_plan(size, Color(), self._source.time_base)
            kind = FORMATS[self.path.suffix.lower()]
            codec = self._codec
            if codec == AUTO and kind == "webm":
                codec = "vp9" if plan.format.bits == 8 else "av1"
            found = pick_encoder(self._av, codec, plan)
            if why := why_not(kind, found):
                raise MediaError(f"{self.path}: {why}")
            self.encoder = found
        return self.encoder

    def go_on(self, unfinished: Unfinished) -> None:
        """Begin with the video of an earlier job; only the frames after it are written."""
        self._unfinished = unfinished

    def write(self, frame: Frame) -> None:
        """Encode one frame and copy the audio that belongs before it.

        Raises:
            MediaError: it cannot be encoded or written, has another size than the first, or does
                not come after the frame before.
        """
        if self._over:
            raise MediaError(f"{self.path}: was finished; frames can no longer be added")
        if self._muxer is None:
            self._muxer = self._open(frame)
        height, width = frame.y.shape
        if (width, height) != self._size:
            first = f"{self._size[0]}x{self._size[1]}"
            raise MediaError(f"{self.path}: frame is {width}x{height}; the first was {first}")
        pts = round(frame.pts * frame.time_base / self._time_base)
        if self.frames and pts <= self._last_pts:
            raise MediaError(f"{self.path}: frame {self.frames} has time {pts}, not after the last")
        with self._wrapped("cannot be written"):
            self._muxer.write(frame, pts)
        self._first_pts = self._first_pts if self.frames else pts
        self._last_pts = pts
        self.frames += 1

    def finish(self, *, complete: bool = True) -> str:
        """Write what the encoder still holds and the rest of the audio, and name the file.

        Args:
            complete: False names it ``NAME.partial.EXT``: a part is never taken for the whole.

        Raises:
            MediaError: that fails; nothing is left at the final name.
        """
        if self._over:
            return ""
        if self._muxer is None:
            self._over = True
            raise MediaError(f"{self.path}: not written; no frame came")
        last = self._last_pts * self._time_base
        end = last + 1 / (self._source.frame_rate or Fraction(25))
        try:
            with self._wrapped("cannot be finished"):
                self._notices += self._muxer.finish(last, end, goes_on=self._goes_on)
        except MediaError:
            self.abort()
            raise
        self._close()
        final = self.path
        if not complete:
            final = partial_path(self.path)
        commit(self.path, final)
        if complete:
            clear(self.path)
            if self._unfinished:  # a part of this very job, which is whole now
                partial_path(self.path).unlink(missing_ok=True)
        width, height = self._muxer.plan.size
        seconds = float(end - self._first_pts * self._time_base)
        return f"{final}: {width}x{height}, {seconds:.2f} s"

    def abort(self) -> str:
        """Remove what was written so far."""
        if self._over:
            return ""
        self._close()
        discard(self.path)
        if self._unfinished:
            self._unfinished.restore()
        else:
            clear(self.path)
        return f"{self.path}: not written" if self.frames else ""

    def _make_plan(self, size: tuple[int, int], color: Color, time_base: Fraction) -> EncoderPlan:
        return EncoderPlan(
            encoder=self.encoder,
            size=(size[0] & ~1, size[1] & ~1),
            time_base=time_base,
            rate=self._source.frame_rate,
            aspect=self._source.sample_aspect_ratio,
            color=color,
            crf=self._crf,
            preset=self._preset,
            format=self._source.format,
            hdr=self._source.hdr,
        )

    def _open(self, frame: Frame) -> Muxer:
        height, width = frame.y.shape
        self._size = (width, height)
        self.prepare(self._size)
        color = frame.color.resized(self._source.height, height)
        plan = self._make_plan(self._size, color, frame.time_base)
        if plan.size != self._size:
            columns, rows = plan.size
            self._notices.append(
                f"{self.path}: {width}x{height} is written as {columns}x{rows}; "
                "4:2:0 video has an even number of columns and rows"
            )
        if plan.hdr and plan.encoder not in HDR_ENCODERS:
            lost = " and ".join(plan.hdr.names)
            self._notices.append(f"{self.path}: {lost} are not written by {plan.encoder}")
        kind = FORMATS[self.path.suffix.lower()]
        if plan.aspect != 1 and kind in MATROSKA and plan.encoder in NEW_CODECS:
            shape = f"{plan.aspect.numerator}:{plan.aspect.denominator}"
            self._notices.append(
                f"{self.path}: the shape of a pixel, {shape}, is left out: {plan.encoder} has no "
                "place for it, and here this container gets none; take .mp4"
            )
        self._time_base = frame.time_base
        copy_from = self._copy_from
        if isinstance(copy_from, Path):
            copy_from = Demuxer(copy_from)
        with self._wrapped("cannot be opened"):
            muxer = Muxer(
                self._av,
                part_path(self.path),
                kind,
                plan,
                chunk=None if self._source.live else CHUNK,
                copy_from=copy_from,
                unfinished=self._unfinished,
                convert=self._convert,
            )
        if muxer.times:
            self.frames = len(muxer.times)
            self._first_pts, self._last_pts = min(muxer.times), max(muxer.times)
        return muxer

    def _close(self) -> None:
        self._over = True
        if self._muxer:
            self._muxer.close()

    @contextlib.contextmanager
    def _wrapped(self, what: str) -> Any:
        try:
            yield
        except (self._av.FFmpegError, OSError, ValueError) as error:
            raise MediaError(f"{self.path}: {what} ({reason(error)})") from error
