"""One stream beside the video, on its way from the input file to the output file."""

from __future__ import annotations

import contextlib
import io
from fractions import Fraction
from typing import Any

from edge_sr.media.codec.containers import MATROSKA, is_cover
from edge_sr.media.codec.encoder import container_options
from edge_sr.media.copying.subtitles import (
    HEADER,
    TEXT_CODECS,
    TEXT_FORMS,
    subtitle_payload,
    subtitle_text,
)
from edge_sr.media.copying.tags import other_tags, stream_tags
from edge_sr.media.libraries import load_av

NAMES = {"matroska": ".mkv", "mov": ".mov", "mp4": ".mp4", "webm": ".webm"}
NO_TAG = "\0\0\0\0"  # the muxer then chooses the container's own
# codecs that need a WAVE header, which mov and mp4 do not keep: nothing can read them there
OF_WAVE = ("wmalossless", "wmapro", "wmav1", "wmav2", "wmavoice", "xma1", "xma2")
COVER_TYPES = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}


class Carrier:
    """Copies packets as they are, through the bitstream filter that the container needs."""

    def __init__(self, stream: Any, kind: str) -> None:
        """Choose how; nothing is added to an output yet.

        Args:
            stream: of an `av` input container.
            kind: FFmpeg's name of the output container.
        """
        self._av = load_av()
        self.stream, self._kind = stream, kind
        self.codec = codec_name(stream)
        self.name = f"{stream.type} stream {stream.index}"
        self._target: Any = None
        self._filter: Any = None

    @property
    def open(self) -> bool:
        """Whether it is part of the output."""
        return self._target is not None

    @property
    def tick(self) -> Fraction:
        """The time base of the output's stream, seconds."""
        return Fraction(self._target.time_base)

    @property
    def needs_packet(self) -> bool:
        """Whether the container's header can only be written with the first packet at hand.

        mp4 writes what it knows of an audio stream from its first packet, and a track without any
        can make it fail.
        """
        return self.stream.type == "audio" and (self._kind not in MATROSKA or self._is_adts)

    @property
    def _is_adts(self) -> bool:
        """AAC with a header in each packet, which only streams hold."""
        return self.codec == "aac" and not self.stream.codec_context.extradata

    def add_to(self, output: Any, first: Any | None) -> None:
        """Add the stream to an `av` output container without a header yet.

        Args:
            first: its first packet, if there is one already.
        """
        self._target = add_copy(output, self.stream)
        if self._is_adts and first is not None:
            self._filter = self._make_filter("aac_adtstoasc")
            copied = self._av.Packet(bytes(first))  # filters take packets away
            for packet in self._make_filter("aac_adtstoasc").filter(copied):
                if packet.has_sidedata("new_extradata"):
                    found = bytes(packet.get_sidedata("new_extradata"))
                    self._target.codec_context.extradata = found
        describe(self._target, self.stream, self._kind)

    def convert(self, packet: Any) -> list[Any]:
        """The packets to write for one that was read."""
        packets = self._filter.filter(packet) if self._filter else [packet]
        if self._kind in MATROSKA:
            packets = [self._plain(made) for made in packets]
        for made in packets:
            made.stream = self._target
        return packets

    def flush(self) -> list[Any]:
        """The packets that are held back, at the end."""
        return []

    def try_packet(self, first: Any) -> str:
        """Write the first packet to a container of its own; returns why that fails, or ""."""
        options = container_options(self._kind, Fraction(1, 1000))
        copied = self._av.Packet(bytes(first))
        copied.pts, copied.dts, copied.duration = first.pts, first.dts, first.duration
        copied.time_base, copied.is_keyframe = first.time_base, first.is_keyframe
        try:
            with self._av.open(
                io.BytesIO(), "w", format=self._kind, container_options=options
            ) as scratch:
                self.add_to(scratch, first)
                scratch.start_encoding()
                scratch.mux(self.convert(copied))
        except (self._av.FFmpegError, ValueError, OSError):
            return _refusal(self._kind, self.stream)
        finally:
            self._target = self._filter = None
        return ""

    def _plain(self, packet: Any) -> Any:
        """The packet without a header of the codec beside it.

        FFmpeg's writer of Matroska puts such a header over others that are in the file already.
        """
        if not packet.has_sidedata("new_extradata"):
            return packet
        made = self._av.Packet(bytes(packet))
        made.pts, made.dts, made.duration = packet.pts, packet.dts, packet.duration
        made.time_base, made.is_keyframe = packet.time_base, packet.is_keyframe
        return made

    def _make_filter(self, name: str) -> Any:
        return self._av.bitstream.BitStreamFilterContext(name, self.stream)


class TextCarrier(Carrier):
    """Writes text subtitles in the form that the container holds."""

    def add_to(self, output: Any, first: Any | None) -> None:  # noqa: ARG002 - as Carrier
        """Add a stream of the container's own text form."""
        self._target = output.add_stream(TEXT_FORMS[self._kind])
        self._target.codec_context.subtitle_header = HEADER
        self._target.time_base = Fraction(1, 1000)
        describe(self._target, self.stream, self._kind)

    def convert(self, packet: Any) -> list[Any]:
        """The same lines; none for a packet without text."""
        text = subtitle_text(self.codec, bytes(packet))
        if not text:
            return []
        made = self._av.Packet(subtitle_payload(TEXT_FORMS[self._kind], text))
        made.pts, made.dts, made.duration = packet.pts, packet.dts, packet.duration
        made.time_base = packet.time_base
        made.stream = self._target
        return [made]


class CoverCarrier(Carrier):
    """Keeps the picture that belongs to music or a film."""

    def __init__(self, stream: Any, kind: str) -> None:
        super().__init__(stream, kind)
        self.name = f"cover picture {stream.index}"

    @property
    def needs_packet(self) -> bool:
        """The picture itself, which Matroska writes into its header."""
        return True

    def add_to(self, output: Any, first: Any | None) -> None:
        """Add the picture; as an attachment to Matroska."""
        if self._kind == "matroska":
            name, mime = COVER_TYPES[self.codec]
            if first is not None:
                self._target = output.add_attachment(name, mime, bytes(first))
            return
        self._target = output.add_stream_from_template(self.stream)
        describe(self._target, self.stream, self._kind)

    def convert(self, packet: Any) -> list[Any]:
        """The picture; nothing where it is in the header already."""
        return [] if self._kind == "matroska" else super().convert(packet)


def plan_carrier(stream: Any, kind: str) -> Carrier | str:
    """How a stream comes into a container, or why it cannot."""
    codec = codec_name(stream)
    if stream.type == "video":
        if not is_cover(stream):
            return "only one video stream is kept"
        if codec in COVER_TYPES and kind in ("matroska", "mp4"):
            return CoverCarrier(stream, kind)
        advice = ": take .mkv or .mp4" if codec in COVER_TYPES else ""
        return f"{NAMES[kind]} cannot hold a cover picture of type {codec or 'unknown'}{advice}"
    if stream.type == "attachment":
        return Carrier(stream, kind) if kind == "matroska" else "only .mkv holds attachments"
    if stream.type not in ("audio", "subtitle"):
        return "only audio, subtitles, covers and attachments are copied"
    if _holds(kind, stream):
        return Carrier(stream, kind)
    if stream.type == "subtitle" and codec in TEXT_CODECS:
        return TextCarrier(stream, kind)
    return _refusal(kind, stream)


def _refusal(kind: str, stream: Any) -> str:
    others = [NAMES[name] for name in NAMES if name != kind and _holds(name, stream)]
    advice = f": take {' or '.join(others)}" if others else ""
    return f"{NAMES[kind]} cannot hold it{advice}"


def codec_name(stream: Any) -> str:
    """FFmpeg's name of a stream's codec; "" where it has no decoder for it."""
    return "" if stream.codec_context is None else str(stream.codec_context.name)


def describe(target: Any, stream: Any, kind: str) -> None:
    """Give a stream of an output the language, title, role and tags of one of the input.

    Args:
        kind: FFmpeg's name of the output container.
    """
    target.metadata.update(stream_tags(stream, kind))
    if kind in MATROSKA:
        target.metadata.update(other_tags(stream))
    target.disposition = stream.disposition.value


def add_copy(output: Any, stream: Any) -> Any:
    """Add a stream for packets of another container, whatever their codec.

    PyAV refuses what FFmpeg calls unusual, such as G.711 in Matroska, which FFmpeg writes; so
    another stream is added, and given the codec parameters of the right one.
    """
    av = load_av()
    try:
        return output.add_stream_from_template(stream)
    except ValueError:
        with _stand_in(stream.type) as template:
            target = output.add_stream_from_template(template)
            av.bitstream.BitStreamFilterContext("null", stream, target)
            target.codec_context.codec_tag = NO_TAG
            target.time_base = stream.time_base
            return target


def _holds(kind: str, stream: Any) -> bool:
    """Whether FFmpeg can write the header of a container that holds this stream alone."""
    if kind in ("mov", "mp4") and codec_name(stream) in OF_WAVE:
        return False
    av = load_av()
    try:
        with av.open(io.BytesIO(), "w", format=kind) as scratch:
            add_copy(scratch, stream)
            scratch.start_encoding()
    except (av.FFmpegError, ValueError, OSError):
        return False
    return True


@contextlib.contextmanager
def _stand_in(kind: str) -> Any:
    """An `av` input stream of audio or subtitles that every container takes."""
    av = load_av()
    if kind == "subtitle":
        data, form = b"1\n00:00:00,000 --> 00:00:01,000\n.\n\n", "srt"
    else:
        with io.BytesIO() as file:
            with av.open(file, "w", format="wav") as made:
                made.add_stream("pcm_s16le", rate=8000)
                made.start_encoding()
            data, form = file.getvalue(), "wav"
    with av.open(io.BytesIO(data), format=form) as found:
        yield found.streams[0]
