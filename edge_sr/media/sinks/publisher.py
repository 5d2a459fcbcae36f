"""Frames as a live stream for other programs: RTSP, SRT or RTMP to a server, or HLS files."""

from __future__ import annotations

import contextlib
import logging
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

logger = logging.getLogger(__name__)
PLAYLIST = ".m3u8"
TIME_BASE = Fraction(1, 90_000)
KEY_S = 2  # between key frames: how long a player that joins waits at most
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

    There is no sound. Frames that come while there is no connection are lost. Put it into a
    `Mailbox`: connecting takes its time.
    """

    def __init__(self, address: str, *, source: StreamInfo) -> None:
        """Nothing is opened before the first frame.

        Args:
            address: as for `check_address`.
            source: where the frame rate is taken from.

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
            if "rotocol not found" in str(error):
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
        container = self._av.open(self._address, "w", format=kind, container_options=options)
        try:
            self._stream = self._add_stream(container, frame)
            container.start_encoding()
        except BaseException:
            with contextlib.suppress(self._av.FFmpegError, OSError, ValueError):
                container.close()
            raise
        self._container, self._size = container, frame.size
        self._start, self._last_pts = frame.pts * frame.time_base, -1
        self._waits = delays()
        self._message = f"{self._shown}: publishing {frame.size} as H.264"

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
        picture = to_picture(frame)
        pts = round((frame.pts * frame.time_base - self._start) / TIME_BASE)
        self._last_pts = picture.pts = max(pts, self._last_pts + 1)
        picture.time_base = TIME_BASE
        self._container.mux(self._stream.encode(picture))
        self.frames += 1

    def _close(self) -> None:
        container, self._container = self._container, None
        if container is not None:
            with contextlib.suppress(self._av.FFmpegError, OSError, ValueError):
                container.close()
