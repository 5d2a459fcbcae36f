"""One output container: the video that is encoded into it, and the streams copied beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr.media.codec.chunks import ChunkedEncoder
from edge_sr.media.codec.copy_streams import StreamCopier
from edge_sr.media.codec.encoder import EncoderPlan, container_options, encoder_frame
from edge_sr.media.codec.unfinished import Unfinished
from edge_sr.media.frame import Frame


class Muxer:
    """A file that is being written. Foreign errors come out as they are: the caller knows why."""

    def __init__(
        self,
        av: Any,
        path: Path,
        kind: str,
        plan: EncoderPlan,
        *,
        chunk: int | None,
        copy_from: Path | None,
        unfinished: Unfinished | None,
    ) -> None:
        """Open the container, and fill it with what an earlier job has.

        Args:
            kind: FFmpeg's name of the container.
            chunk: as for `ChunkedEncoder`.
            copy_from: the file whose audio and subtitles are copied.
        """
        self._av, self.plan = av, plan
        self.times: list[int] = []  # of the frames of an earlier job, in the plan's time base
        options = container_options(kind, plan.time_base)
        self._container = av.open(str(path), "w", format=kind, container_options=options)
        stream = plan.add_to(self._container)
        self._copier = StreamCopier(copy_from, self._container) if copy_from is not None else None
        self._container.start_encoding()
        self._video = ChunkedEncoder(av, stream, plan, chunk=chunk)
        if unfinished:
            self._take_over(unfinished, stream)

    def write(self, frame: Frame, pts: int) -> None:
        """Encode one frame, and copy the audio that belongs before what comes out."""
        self._mux(self._video.encode(encoder_frame(self._av, frame, self.plan, pts)))

    def finish(self, last: Fraction, end: Fraction) -> list[str]:
        """Write what is left and close the file; returns what was left out, a line each.

        Args:
            last, end: when the last frame begins and ends, seconds.
        """
        self._mux(self._video.finish())
        notices: list[str] = []
        if self._copier:
            self._copier.finish(last, end)
            notices = self._copier.notices
        self._container.close()
        return notices

    def close(self) -> None:
        """Close everything, whatever state it is in; safe to call twice."""
        if self._copier:
            self._copier.close()
        with contextlib.suppress(self._av.FFmpegError, OSError, ValueError):
            self._container.close()

    def _take_over(self, unfinished: Unfinished, stream: Any) -> None:
        for packet in unfinished.packets():
            self.times.append(round(packet.pts * packet.time_base / self.plan.time_base))
            packet.stream = stream
            self._mux([packet])

    def _mux(self, packets: Iterable[Any]) -> None:
        for packet in packets:
            if self._copier:
                self._copier.copy_until(packet.dts * packet.time_base)
            self._container.mux(packet)
