"""Frames as a live stream for other programs: RTSP, SRT or RTMP to a server, or HLS files."""

from __future__ import annotations

import contextlib
import logging
import shutil
import subprocess
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr.errors import MediaError, UsageError
from edge_sr.media.address import hide_credentials
from edge_sr.media.codec.containers import reason
from edge_sr.media.codec.encoder import FALLBACK_RATE, RANGES
from edge_sr.media.frame import Frame, StreamInfo
from edge_sr.media.libraries import load_av
from edge_sr.media.protocols import SinkBase
from edge_sr.media.screen import to_picture
from edge_sr.media.sources.reconnect import delays
from edge_sr.media.sources.sound import RATE, Blocks, Listener, Sound

logger = logging.getLogger(__name__)
PLAYLIST = ".m3u8"
NO_PROTOCOL = "rotocol not found"
TIME_BASE = Fraction(1, 90_000)
KEY_S = 2  # between key frames: how long a player that joins waits at most
AAC_BLOCK, AAC_RATE = 1024, 128_000  # samples, bits a second
RELAY_END_S = 3.0
SRT_LATENCY_S = 0.5  # listeners hold back 0.12 s, and drop what they hold when the stream ends
MIXED_US = "300000"  # how long pictures wait for a sound that stays away
# how an address begins -> FFmpeg's container and its options
SERVERS: dict[str, tuple[str, dict[str, str]]] = {
    "rtsp://": ("rtsp", {"rtsp_transport": "tcp"}),
    "rtsps://": ("rtsp", {"rtsp_transport": "tcp"}),
    "rtmp://": ("flv", {"flvflags": "no_duration_filesize"}),
    "rtmps://": ("flv", {"flvflags": "no_duration_filesize"}),
    "srt://": ("mpegts", {}),
    "udp://": ("mpegts", {}),
}
HLS = ("hls", {"hls_time": "2", "hls_list_size": "6", "hls_flags": "delete_segments+temp_file"})
ENCODERS: tuple[tuple[str, dict[str, str]], ...] = (
    ("h264_nvenc", {"preset": "p3", "tune": "ull", "rc": "vbr", "cq": "23", "delay": "0"}),
    ("libx264", {"preset": "superfast", "tune": "zerolatency", "crf": "21"}),
)


def check_address(text: str) -> str:
    """The address, if something can be published there.

    Raises:
        UsageError: it is neither a server's nor a playlist's.
    """
    if text.startswith(tuple(SERVERS)) or text.endswith(PLAYLIST):
        return text
    known = ", ".join(SERVERS)
    shown = hide_credentials(text)
    raise UsageError(f"--publish {shown}: expected an address with {known}, or a FILE{PLAYLIST}")


class Publisher(SinkBase):
    """Encodes H.264 without delay, sends it, and connects again when the server is lost.

    The sound of the source goes with them as AAC. Frames that come while there is no connection are
    lost. Put it into a `Mailbox`: connecting takes its time.
    """

    def __init__(self, address: str, *, source: StreamInfo, sound: Sound | None = None) -> None:
        """Nothing is opened before the first frame.

        Args:
            address: as for `check_address`.
            source: where the frame rate is taken from.
            sound: of the source.

        Raises:
            UsageError: nothing can be published there.
            MediaError: the folder of a playlist does not exist.
        """
        self._address, self._shown = check_address(address), hide_credentials(address)
        if self._address.endswith(PLAYLIST) and not Path(address).parent.is_dir():
            folder = Path(address).parent
            raise MediaError(f"{address}: there is no folder {folder}; create it first")
        self._av = load_av()
        self._rate = source.frame_rate or FALLBACK_RATE
        self._container: Any = None
        self._stream: Any = None
        self._sound = sound
        self._heard: Listener | None = None
        self._track: Any = None  # the `av` stream of the sound
        self._blocks: Blocks | None = None
        self._relayed = False  # SRT, which PyAV's FFmpeg lacks, goes through the ffmpeg command
        self._relay: subprocess.Popen[bytes] | None = None
        self._size = (0, 0)
        self._waits: Iterator[float] = delays()
        self._next_s = 0.0  # of the next attempt, on the clock of time.monotonic
        self._start = Fraction(0)
        self._last_pts = -1
        self._message = ""
        self.frames = 0

    @property
    def message(self) -> str:
        """Whether it is connected."""
        return self._message

    def write(self, frame: Frame) -> None:
        """Send one frame, or try to connect.

        Raises:
            MediaError: this FFmpeg cannot speak the protocol, or has no H.264 encoder.
        """
        if self._container is None and time.monotonic() < self._next_s:
            return
        try:
            if self._container is None or frame.size != self._size:
                self._open(frame)
            self._send(frame)
        except (self._av.FFmpegError, OSError, ValueError) as error:
            self._close()
            if NO_PROTOCOL in str(error):
                if self._address.startswith("srt://") and not self._relayed:
                    self._relayed = True
                    return
                raise MediaError(
                    f"{self._shown}: this FFmpeg was built without that protocol; "
                    "publish by rtsp:// or rtmp://"
                ) from error
            delay = next(self._waits)
            self._next_s = time.monotonic() + delay
            self._message = f"{self._shown}: {reason(error)}; trying again in {delay:g} s"

    def finish(self, *, complete: bool = True) -> str:  # noqa: ARG002 - a stream has no whole
        """End the stream. Returns a line with the count."""
        if self._container is not None:
            with contextlib.suppress(self._av.FFmpegError, OSError, ValueError):
                self._container.mux(self._stream.encode(None))
                if self._track is not None:
                    self._container.mux(self._track.encode(None))
        self._close()
        return f"{self._shown}: {self.frames} frames published"

    def abort(self) -> str:
        """Close the connection."""
        self._close()
        return ""

    def _open(self, frame: Frame) -> None:
        self._close()
        kind, options = next(
            (SERVERS[name] for name in SERVERS if self._address.startswith(name)), HLS
        )
        options = {**options, "max_interleave_delta": MIXED_US}
        container = self._open_container(kind, options)
        try:
            self._stream = self._add_stream(container, frame)
            self._track = self._blocks = None
            if self._sound is not None and frame.taken_s is not None:
                self._track = container.add_stream("aac", rate=RATE, layout="stereo")
                self._track.codec_context.bit_rate = AAC_RATE
                self._blocks = Blocks(AAC_BLOCK, frame.taken_s)
                self._heard = self._sound.listen()
            container.start_encoding()
        except BaseException:
            with contextlib.suppress(self._av.FFmpegError, OSError, ValueError):
                container.close()
            raise
        self._container, self._size = container, frame.size
        self._start, self._last_pts = frame.pts * frame.time_base, -1
        self._waits = delays()
        heard = " with sound" if self._track is not None else ""
        self._message = f"{self._shown}: publishing {frame.size} as H.264{heard}"

    def _open_container(self, kind: str, options: dict[str, str]) -> Any:
        if not self._relayed:
            return self._av.open(self._address, "w", format=kind, container_options=options)
        self._relay = _srt_relay(self._address, self._shown)
        return self._av.open(self._relay.stdin, "w", format=kind, container_options=options)

    def _add_stream(self, container: Any, frame: Frame) -> Any:
        av = self._av
        columns, rows = frame.size.width & ~1, frame.size.height & ~1
        for name, options in ENCODERS:
            if name not in av.codecs_available:
                continue
            probe = av.CodecContext.create(name, "w")
            probe.width, probe.height, probe.pix_fmt = columns, rows, "yuv420p"
            probe.time_base, probe.options = TIME_BASE, options
            try:
                probe.open()
            except (av.FFmpegError, ValueError, OSError):
                continue
            stream = container.add_stream(name, rate=self._rate, options=options)
            context = stream.codec_context
            context.width, context.height, context.pix_fmt = columns, rows, "yuv420p"
            context.time_base = TIME_BASE
            context.gop_size, context.max_b_frames = round(KEY_S * self._rate), 0
            context.color_range = RANGES[frame.color.full_range or False]
            context.colorspace = frame.color.effective_matrix(rows)
            context.color_primaries = frame.color.primaries
            context.color_trc = frame.color.transfer
            return stream
        raise MediaError(f"{self._shown}: no H.264 encoder works here")

    def _send(self, frame: Frame) -> None:
        self._send_sound(frame)
        picture = to_picture(frame)
        pts = round((frame.pts * frame.time_base - self._start) / TIME_BASE)
        self._last_pts = picture.pts = max(pts, self._last_pts + 1)
        picture.time_base = TIME_BASE
        self._container.mux(self._stream.encode(picture))
        self.frames += 1

    def _send_sound(self, frame: Frame) -> None:
        """The sound up to a frame."""
        if self._heard is None or self._blocks is None or frame.taken_s is None:
            return
        for piece in self._heard.take(frame.taken_s):
            for number, block in self._blocks.add(piece):
                heard = self._av.AudioFrame.from_ndarray(
                    block.reshape(1, -1), format="s16", layout="stereo"
                )
                heard.sample_rate, heard.pts, heard.time_base = RATE, number, Fraction(1, RATE)
                self._container.mux(self._track.encode(heard))

    def _close(self) -> None:
        if self._heard is not None:
            self._heard.close()
            self._heard = None
        container, self._container = self._container, None
        if container is not None:
            with contextlib.suppress(self._av.FFmpegError, OSError, ValueError):
                container.close()
        if self._relay is not None:
            _end(self._relay)
            self._relay = None


def _srt_relay(address: str, shown: str) -> subprocess.Popen[bytes]:
    """The ffmpeg command, which Debian builds with SRT: MPEG-TS from its standard input.

    Raises:
        MediaError: there is none, or a password would be seen in the list of processes.
    """
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise MediaError(
            f"{shown}: PyAV's FFmpeg lacks SRT, and there is no ffmpeg command to send it: "
            "apt-get install ffmpeg, or publish by rtsp:// or rtmp://"
        )
    if "passphrase" in address:
        raise MediaError(
            f"{shown}: PyAV's FFmpeg lacks SRT, and the ffmpeg command would show the passphrase "
            "to every user of this machine: publish by rtsps:// or rtmps://"
        )
    # as bytes: looked at as MPEG-TS, five seconds would be held back, then sent all at once
    words = ["-nostdin", "-loglevel", "quiet", "-f", "data", "-raw_packet_size", "1316"]
    command = [ffmpeg, *words, "-i", "pipe:0", "-map", "0", "-c", "copy", "-f", "data", address]
    return subprocess.Popen(command, stdin=subprocess.PIPE)


def _end(relay: subprocess.Popen[bytes]) -> None:
    """Let it send what it has, and its listener take it; then end it."""
    if relay.poll() is None:
        time.sleep(SRT_LATENCY_S)
    with contextlib.suppress(OSError):
        if relay.stdin is not None:
            relay.stdin.close()
    try:
        relay.wait(RELAY_END_S)
    except subprocess.TimeoutExpired:
        relay.kill()
        relay.wait()
