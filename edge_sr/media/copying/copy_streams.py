"""Everything but the video, copied from the input of a job to its output."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from edge_sr.errors import MediaError
from edge_sr.media.codec.containers import MATROSKA, late_streams, reason
from edge_sr.media.codec.demuxer import Demuxer
from edge_sr.media.copying.audio import AudioConverter, can_convert
from edge_sr.media.copying.carry import NAMES, Carrier, describe, plan_carrier
from edge_sr.media.copying.tags import film_tags, is_timecode, lost_of_stream, lost_tags
from edge_sr.media.libraries import load_av

OVERLAP_S = Fraction(1, 2)  # by so much, audio may go back where recordings were joined


class StreamCopier:
    """Writes audio, subtitles, covers, attachments, chapters and tags in step with the video.

    Packets are written as they are where the container allows it; `notices` has a line for each
    stream that is left out.
    """

    def __init__(
        self,
        source: Demuxer,
        output: Any,
        kind: str,
        rate: Fraction | None,
        *,
        convert: bool = False,
    ) -> None:
        """Choose what is copied; streams are added to the output by `open`.

        Args:
            output: an `av` container without a header yet.
            kind: FFmpeg's name of it.
            rate: frames per second of its video.
            convert: whether sound that the container cannot hold is converted.
        """
        self._convert = convert
        self.notices: list[str] = []
        self._av = load_av()
        self._source, self._output, self._kind = source, output, kind
        self._carriers: dict[int, Carrier] = {}
        self._last_dts: dict[int, Fraction] = {}
        self._disordered = 0
        for stream in source.others:
            if _is_known_otherwise(stream, source):
                continue
            found = plan_carrier(stream, kind)
            if isinstance(found, Carrier):
                self._carriers[stream.index] = found
            else:
                codec = "" if stream.codec_context is None else f" ({stream.codec_context.name})"
                self._refuse(stream, f"{stream.type} stream {stream.index}{codec}", found)
        self._copy_tags(kind, rate)

    @property
    def ready(self) -> bool:
        """Whether the output's header can be written."""
        waiting = [c for i, c in self._carriers.items() if c.needs_packet and not self._first(i)]
        return not waiting or self._source.ended

    def open(self, video: Any, before: Fraction | None = None) -> None:
        """Add the streams to the output; those that need a packet and have none are left out.

        Args:
            video: the output's video stream, which gets the title and language of the input's.
            before: the end of the output, seconds, if that is known.
        """
        role = video.disposition.value
        describe(video, self._source.video, self._kind)
        self._name_tags(self._source.video)
        video.disposition = role
        for index, carrier in list(self._carriers.items()):
            first = self._first(index, before)
            if carrier.needs_packet and first is None:
                self._leave_out(
                    f"{carrier.name} ({carrier.codec})", "it has no packet up to the end"
                )
                del self._carriers[index]
                continue
            if first is not None and (why := carrier.try_packet(first)):
                del self._carriers[index]
                self._refuse(carrier.stream, f"{carrier.name} ({carrier.codec})", why)
                if index not in self._carriers:
                    continue
            self._carriers[index].add_to(self._output, first)
            self._name_tags(carrier.stream)

    def read_until(self, seconds: Fraction) -> None:
        """Read on to `seconds`, where no decoder does it.

        Raises:
            MediaError: the input cannot be read on.
        """
        if not self._source.driven:
            self._source.read_until(seconds)

    def copy_until(self, seconds: Fraction) -> None:
        """Write every packet before `seconds`.

        Raises:
            MediaError: the output cannot be written.
        """
        for packet in self._source.take(seconds):
            self._write(packet)

    def read_rest(self, last: Fraction, end: Fraction) -> bool:
        """Read what is left, as far as it is needed. Returns whether the video was cut short.

        Args:
            last: presentation time of the last video frame, seconds.
            end: when that frame is over, seconds.

        Raises:
            MediaError: the input cannot be read on.
        """
        self._source.read_all(end)
        while not self._source.ended and self._source.video_end <= last:
            self._source.read()
        return self._source.video_end > last

    def finish(self, end: Fraction | None) -> None:
        """Write what is left, up to `end` seconds; None for all.

        Raises:
            MediaError: the output cannot be written.
        """
        for packet in self._source.take(end):
            self._write(packet)
        for carrier in self._carriers.values():
            for packet in carrier.flush() if carrier.open else ():
                self._output.mux(packet)
        for name in late_streams(self._source.container):
            self._leave_out(name, "it begins too late in the file")
        if self._disordered:
            self.notices.append(
                f"{self._source.path}: {self._disordered} audio or subtitle packets with times "
                "that go back were left out"
            )

    def close(self) -> None:
        """Give the input back, unless a decoder reads it; safe to call twice."""
        if not self._source.driven:
            self._source.close()

    def _first(self, index: int, before: Fraction | None = None) -> Any | None:
        return self._source.first(index, before)

    def _refuse(self, stream: Any, what: str, why: str) -> None:
        """Convert a stream that the container cannot hold, or name it."""
        if not can_convert(stream) or not self._convert:
            more = ", or --audio convert" if can_convert(stream) else ""
            self._leave_out(what, why + more)
            return
        converter = AudioConverter(stream, self._kind)
        if failed := converter.try_packet(None):
            self._leave_out(what, failed)
            return
        self.notices.append(f"{self._source.path}: {converter.notice}")
        self._carriers[stream.index] = converter

    def _leave_out(self, what: str, why: str) -> None:
        self.notices.append(f"{self._source.path}: {what} left out; {why}")

    def _name_tags(self, stream: Any) -> None:
        """Name the language, roles and tags of a stream that the container has no place for."""
        lost = [] if stream.type == "attachment" else lost_of_stream(stream, self._kind)
        if lost:
            what = f"{', '.join(lost)} of {stream.type} stream {stream.index}"
            self._leave_out(what, f"{NAMES[self._kind]} cannot hold that")

    def _copy_tags(self, kind: str, rate: Fraction | None) -> None:
        container = self._source.container
        kept = film_tags(container, self._source.video)
        for name, value in list(kept.items()):  # Matroska writes names in capitals
            fits = kind in MATROSKA or is_timecode(value, rate)
            if name.lower() == "timecode" and not fits:
                del kept[name]
                self._leave_out(f"time code {value}", "it does not fit the frame rate")
        if lost := lost_tags(kind, kept):
            self._leave_out(f"tags {', '.join(lost)}", f"{NAMES[kind]} cannot hold them")
        self._output.metadata.update(kept)
        if chapters := container.chapters():
            self._output.set_chapters([self._moved(chapter) for chapter in chapters])

    def _moved(self, chapter: dict[str, Any]) -> dict[str, Any]:
        """A chapter on the clock that the packets are on."""
        ticks = round(self._source.start_offset / chapter["time_base"])
        return chapter | {k: chapter[k] + ticks for k in ("start", "end")}

    def _write(self, packet: Any) -> None:
        index = packet.stream_index
        carrier = self._carriers.get(index)
        if carrier is None or not carrier.open:
            return
        if not self._in_order(packet):
            self._disordered += 1
            return
        if self._kind in MATROSKA and packet.is_discard and _end(packet) < 0:
            return  # cut off by an edit list, which Matroska does not have
        try:
            for made in carrier.convert(packet):
                self._output.mux(made)
        except (  # what a muxer says of packets of a kind that it does not take
            self._av.error.ArgumentError,
            self._av.error.InvalidDataError,
            self._av.error.PatchWelcomeError,
        ) as error:
            at = float(self._last_dts[index])
            what = f"{carrier.name} ({carrier.codec}), from {at:.2f} s on,"
            self._leave_out(what, f"the container cannot hold its packets ({reason(error)})")
            del self._carriers[index]
        except (self._av.FFmpegError, OSError, ValueError) as error:
            raise MediaError(
                f"{self._source.path}: a packet cannot be copied ({reason(error)})"
            ) from error

    def _in_order(self, packet: Any) -> bool:
        """Whether a packet comes after the one before. A little overlap is moved behind it."""
        index, sound = packet.stream_index, packet.stream.type == "audio"
        ticks = packet.dts if packet.dts is not None else packet.pts
        at, last = ticks * packet.time_base, self._last_dts.get(index)
        # in mp4 and mov each packet has a time of its own, in ticks of the output
        apart = self._carriers[index].tick if sound and self._kind not in MATROSKA else 0
        if last is not None and at < last + apart:
            if last - at > OVERLAP_S or not sound:
                return False
            late = int((last + apart - at) / packet.time_base) + 1
            packet.dts = ticks + late
            packet.pts = packet.dts if packet.pts is None else max(packet.pts, packet.dts)
            at = packet.dts * packet.time_base
        self._last_dts[index] = at
        return True


def _end(packet: Any) -> Fraction:
    """When a packet is over, seconds."""
    begin = packet.pts if packet.pts is not None else packet.dts
    return Fraction((begin + (packet.duration or 0)) * packet.time_base)


def _is_known_otherwise(stream: Any, source: Demuxer) -> bool:
    """Whether a stream of mov or mp4 holds what FFmpeg reads as a tag or as chapters."""
    if stream.type != "data":
        return False
    if any(name.lower() == "timecode" for name in stream.metadata):
        return True
    titles = len(source.container.chapters())
    return titles > 0 and stream.frames == titles
