"""Audio and subtitles, copied packet by packet from the input of a job to its output."""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr.errors import MediaError
from edge_sr.media.libraries import load_av
from edge_sr.media.sources.file import is_cover

CARRIED_TAGS = ("language", "title", "handler_name")
NOT_CARRIED = ("encoder", "major_brand", "minor_version", "compatible_brands", "creation_time")


class StreamCopier:
    """Reads the input a second time, a little at a time, in step with the video being written.

    The packets are written as they are. Streams the output's container cannot hold, and data and
    attachment streams, are left out; `notices` has a line for each. Packets wait in memory only at
    the very end, while it is found out whether the video was cut short.
    """

    def __init__(self, path: Path, output: Any) -> None:
        """Open `path` and add its streams to `output`, an `av` container without a header yet.

        Raises:
            MediaError: the file cannot be read.
        """
        self.notices: list[str] = []
        self._path = path
        self._av = load_av()
        self._output = output
        try:
            self._input = self._av.open(str(path), metadata_errors="replace")
        except (self._av.FFmpegError, OSError, ValueError) as error:
            raise MediaError(f"{path}: cannot be read for its audio ({error})") from error
        self._streams: dict[int, Any] = {}
        self._last_dts: dict[int, int] = {}
        self._video = next((s for s in self._input.streams.video if not is_cover(s)), None)
        for stream in self._input.streams:
            if stream is not self._video:
                self._add(stream)
        kept = {k: v for k, v in self._input.metadata.items() if k not in NOT_CARRIED}
        output.metadata.update(kept)
        self._packets = self._read()
        self._held: Any = None  # the first packet that was too late last time
        self._video_end = Fraction(-1)  # seconds, the latest video frame seen so far
        self._disordered = 0

    def copy_until(self, seconds: Fraction) -> None:
        """Write every packet before `seconds` of presentation.

        Raises:
            MediaError: the input cannot be read on, or the output cannot be written.
        """
        while (packet := self._next()) is not None:
            if _time(packet) >= seconds:
                self._held = packet
                return
            self._write(packet)

    def finish(self, last: Fraction, end: Fraction) -> None:
        """Write what is left. Video cut short (by ``--max-frames``, say) cuts the rest at `end`.

        Args:
            last: presentation time of the last video frame, seconds.
            end: when that frame ends, seconds.

        Raises:
            MediaError: the input cannot be read on, or the output cannot be written.
        """
        self.copy_until(end)
        late: list[Any] = []
        while self._video_end <= last and (packet := self._next()) is not None:
            if packet.stream_index in self._streams:
                late.append(packet)
        if self._video_end <= last:
            for packet in late:
                self._write(packet)
        if self._disordered:
            self.notices.append(
                f"{self._path}: {self._disordered} audio or subtitle packets with times that go "
                "back were left out"
            )

    def close(self) -> None:
        """Give the input back; safe to call twice."""
        self._packets.close()
        self._input.close()

    def _add(self, stream: Any) -> None:
        name = f"{stream.type} stream {stream.index}"
        codec = getattr(stream.codec_context, "name", None)
        if stream.type not in ("audio", "subtitle") or codec is None:
            why = "only audio and subtitles are copied"
            self.notices.append(f"{self._path}: {name} left out; {why}")
            return
        try:
            added = self._output.add_stream_from_template(stream)
        except (self._av.FFmpegError, ValueError):
            self.notices.append(
                f"{self._path}: {name} ({codec}) left out; {self._output.format.name} cannot hold "
                "it: try a .mkv output"
            )
            return
        added.metadata.update({k: stream.metadata[k] for k in CARRIED_TAGS if k in stream.metadata})
        added.disposition = stream.disposition.value
        self._streams[stream.index] = added

    def _read(self) -> Generator[Any, None, None]:
        """Packets of the video (as a guide) and of the copied streams, in the file's order."""
        wanted = [s for s in self._input.streams if s is self._video or s.index in self._streams]
        try:
            for packet in self._input.demux(wanted):
                if packet.dts is not None or packet.pts is not None:
                    yield packet
        except self._av.FFmpegError as error:
            raise MediaError(f"{self._path}: cannot be read on ({error})") from error

    def _next(self) -> Any:
        packet, self._held = self._held, None
        if packet is None:
            packet = next(self._packets, None)
            if packet is not None and packet.stream_index not in self._streams:
                self._note_video(packet)
        return packet

    def _note_video(self, packet: Any) -> None:
        if packet.pts is not None and not packet.is_discard:
            self._video_end = max(self._video_end, packet.pts * packet.time_base)

    def _write(self, packet: Any) -> None:
        index = packet.stream_index
        if index not in self._streams:
            return
        dts = packet.dts if packet.dts is not None else packet.pts
        if dts < self._last_dts.get(index, dts):
            self._disordered += 1
            return
        self._last_dts[index] = dts
        packet.stream = self._streams[index]
        try:
            self._output.mux(packet)
        except (self._av.FFmpegError, OSError, ValueError) as error:
            raise MediaError(f"{self._path}: a packet cannot be copied ({error})") from error


def _time(packet: Any) -> Fraction:
    """When a packet is due, in seconds."""
    ticks = packet.dts if packet.dts is not None else packet.pts
    return Fraction(ticks * packet.time_base)
