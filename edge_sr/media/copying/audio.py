"""Sound that a container cannot hold, converted to what it can: ``--audio convert``."""

from __future__ import annotations

from typing import Any

from edge_sr.media.copying.carry import NAMES, Carrier, codec_name, describe

# FFmpeg's names of encoders by those of containers: for sound without loss, and for other sound
ENCODERS = {
    "mp4": ("flac", "aac"),
    "mov": ("pcm", "aac"),
    "matroska": ("flac", "aac"),
    "webm": ("libopus", "libopus"),
}
LOSSLESS = ("alac", "flac", "mlp", "truehd", "tta", "wavpack")
OPUS_RATE = 48000
PCM_FRAME = 1024  # samples of a packet, where the codec has no size of its own
LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
WIDE = ("s32", "s32p", "flt", "fltp", "dbl", "dblp", "s64", "s64p")  # more than 16 bits


class AudioConverter(Carrier):
    """Decodes an audio stream and encodes it as something that the container holds."""

    def __init__(self, stream: Any, kind: str) -> None:
        """Choose the encoder.

        Args:
            stream: an audio stream of an `av` input container that has a decoder.
            kind: FFmpeg's name of the output container.
        """
        super().__init__(stream, kind)
        self.encoder = _encoder(stream, kind)
        self._resampler: Any = None

    @property
    def notice(self) -> str:
        """How the stream is converted."""
        return f"{self.name} ({self.codec}) converted to {self.encoder}"

    def add_to(self, output: Any, first: Any | None) -> None:  # noqa: ARG002 - as Carrier
        """Add a stream of the new kind."""
        source = self.stream.codec_context
        rate = OPUS_RATE if self.encoder == "libopus" else source.sample_rate
        layout = _layout(source)
        self._target = output.add_stream(self.encoder, rate=rate, layout=layout)
        context = self._target.codec_context
        context.format = _sample_format(context, wide=source.format.name in WIDE)
        describe(self._target, self.stream, self._kind)

    def convert(self, packet: Any) -> list[Any]:
        """The packets that are ready after another one; none for one that cannot be decoded."""
        try:
            frames = self.stream.codec_context.decode(packet)
        except (self._av.FFmpegError, ValueError):
            return []
        return self._encode(frames)

    def flush(self) -> list[Any]:
        """The packets that decoder, resampler and encoder still hold."""
        if self._resampler is None:
            return []
        context = self._target.codec_context
        rest = self._encode([*self.stream.codec_context.decode(None)])
        for frame in self._resampler.resample(None):
            rest += self._marked(context.encode(frame))
        return rest + self._marked(context.encode(None))

    def try_packet(self, first: Any) -> str:  # noqa: ARG002 - as Carrier
        """Whether the encoder takes such sound; returns why not, or ""."""
        source = self.stream.codec_context
        try:
            context = self._av.CodecContext.create(self.encoder, "w")
            context.sample_rate = OPUS_RATE if self.encoder == "libopus" else source.sample_rate
            context.layout = _layout(source)
            context.format = _sample_format(context, wide=source.format.name in WIDE)
            context.open()
        except (self._av.FFmpegError, ValueError, OSError):
            return f"{NAMES[self._kind]} cannot hold it, and it cannot become {self.encoder}"
        return ""

    def _encode(self, frames: list[Any]) -> list[Any]:
        context = self._target.codec_context
        if self._resampler is None and frames:
            self._resampler = self._av.AudioResampler(
                context.format.name,
                context.layout.name,
                context.sample_rate,
                frame_size=context.frame_size or PCM_FRAME,
            )
        found: list[Any] = []
        for frame in frames:
            for ready in self._resampler.resample(frame):
                found += self._marked(context.encode(ready))
        return found

    def _marked(self, packets: list[Any]) -> list[Any]:
        for packet in packets:
            packet.stream = self._target
        return packets


def can_convert(stream: Any) -> bool:
    """Whether a stream is sound that can be decoded."""
    return bool(stream.type == "audio" and stream.codec_context is not None)


def _layout(context: Any) -> str:
    """The name of a decoder's channel layout; the usual one where only their number is known."""
    name = str(context.layout.name)
    return LAYOUTS.get(context.channels, name) if name.endswith("channels") else name


def _encoder(stream: Any, kind: str) -> str:
    codec = codec_name(stream)
    exact, other = ENCODERS[kind]
    if codec not in LOSSLESS and not codec.startswith("pcm_"):
        return other
    if exact != "pcm":
        return exact
    wide = stream.codec_context.format.name in WIDE
    return "pcm_s24le" if wide else "pcm_s16le"


def _sample_format(context: Any, *, wide: bool) -> str:
    """The format in which an encoder is given its samples: 16 bits only where that is all."""
    known = [found.name for found in context.codec.audio_formats or ()]
    order = ("s32", "s32p", "fltp", "flt", "s16", "s16p")
    if not wide:
        order = ("s16", "s16p", "fltp", "flt", "s32", "s32p")
    return next((name for name in order if name in known), known[0] if known else "s16")
