"""One output container: the video that is encoded into it, and what is copied beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr.errors import MediaError
from edge_sr.media.codec.chunks import ChunkedEncoder
from edge_sr.media.codec.containers import open_output
from edge_sr.media.codec.demuxer import Demuxer
from edge_sr.media.codec.encoder import EncoderPlan, container_options, encoder_frame
from edge_sr.media.codec.unfinished import Packets
from edge_sr.media.copying.copy_streams import StreamCopier
from edge_sr.media.frame import Frame
from edge_sr.media.mp4.boxes import hide_empty_tracks
from edge_sr.media.mp4.whole_index import index_fragments

MP4 = ("mp4", "mov")
FIRST_LOOK_S = Fraction(1)  # of the input, for the first packets of its streams
LONGEST_WAIT = 64 << 20  # bytes of video that wait for the first packet of an audio stream


class Muxer:
    """A file that is being written. Errors of FFmpeg come out as they are: the caller knows why."""

    def __init__(
        self,
        av: Any,
        path: Path,
        kind: str,
        plan: EncoderPlan,
        *,
        chunk: int | None,
        copy_from: Demuxer | None,
        unfinished: Packets | None,
        convert: bool = False,
    ) -> None:
        """Open the container, and fill it with what an earlier job has.

        Args:
            kind: FFmpeg's name of the container.
            chunk: as for `ChunkedEncoder`; None for a recording that may be endless.
            copy_from: the file whose audio and subtitles are copied.
            convert: whether sound that the container cannot hold is converted.
        """
        self._av, self.plan = av, plan
        self._path, self._kind = path, kind
        self.times: list[int] = []  # of the frames of an earlier job, in the plan's time base
        self._endless = kind in MP4 and chunk is None and copy_from is None
        options = container_options(kind, plan.time_base, endless=self._endless)
        self._container = open_output(path, kind, options)
        self._stream = plan.add_to(self._container)
        self._copier: StreamCopier | None = None
        if copy_from is not None:
            self._copier = StreamCopier(
                copy_from, self._container, kind, plan.rate, convert=convert
            )
            self._copier.read_until(FIRST_LOOK_S)
        self._started = False
        self._waiting: list[Any] = []  # video packets before the header is written
        if self._copier is None or self._copier.ready:
            self._start()
        self._video = ChunkedEncoder(av, self._stream, plan, chunk=chunk)
        if unfinished:
            self._take_over(unfinished)

    def write(self, frame: Frame, pts: int) -> None:
        """Encode one frame, and copy the audio that belongs before what comes out."""
        self._mux(self._video.encode(encoder_frame(self._av, frame, self.plan, pts)))

    def finish(self, last: Fraction, end: Fraction, *, goes_on: bool = False) -> list[str]:
        """Write what is left and close the file; returns what was left out, a line each.

        Args:
            last, end: when the last frame begins and is over, seconds.
            goes_on: the film goes on in another file, which is joined to this one.
        """
        self._mux(self._video.finish(last=not goes_on))
        notices: list[str] = []
        if self._copier:
            limit = end if self._copier.read_rest(last, end) else None
            if not self._started:
                self._start(limit)
            self._copier.finish(limit)
            notices = self._copier.notices
        self._container.close()
        if self._endless:
            try:
                index_fragments(self._path)
            except MediaError as error:  # what is there can be played as it is
                notices.append(f"{error}; it stays in fragments")
        elif self._kind == "mp4":
            hide_empty_tracks(self._path)
        return notices

    def close(self) -> None:
        """Close everything, whatever state it is in; safe to call twice."""
        if self._copier:
            self._copier.close()
        with contextlib.suppress(self._av.FFmpegError, OSError, ValueError):
            self._container.close()

    def _take_over(self, unfinished: Packets) -> None:
        for packet in unfinished.packets():
            self.times.append(round(packet.pts * packet.time_base / self.plan.time_base))
            self._video.begin_after(round(packet.dts * packet.time_base / self.plan.time_base))
            packet.stream = self._stream
            self._mux([packet])

    def _start(self, before: Fraction | None = None) -> None:
        """Write the header, and the packets that waited for it."""
        if self._copier:
            self._copier.open(self._stream, before)
        self._container.start_encoding()
        self._started = True
        waiting, self._waiting = self._waiting, []
        self._mux(waiting)

    def _mux(self, packets: Iterable[Any]) -> None:
        for packet in packets:
            if self._copier:
                due = packet.dts * packet.time_base
                self._copier.read_until(due)
                if not self._started:
                    self._waiting.append(packet)
                    if self._copier.ready or self._waiting_bytes() > LONGEST_WAIT:
                        self._start()
                    continue
                self._copier.copy_until(due)
            self._container.mux(packet)

    def _waiting_bytes(self) -> int:
        return sum(packet.size for packet in self._waiting)
