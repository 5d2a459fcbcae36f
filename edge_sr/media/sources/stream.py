"""One connection to a network stream: RTSP, HTTP MJPEG, HLS."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from edge_sr.errors import MediaError
from edge_sr.media.address import hide_credentials
from edge_sr.media.frame import Frame, StreamInfo
from edge_sr.media.libraries import load_av
from edge_sr.media.planes import to_planes
from edge_sr.media.protocols import SourceBase
from edge_sr.media.sources.sound import LiveSound

logger = logging.getLogger(__name__)
PATIENCE_S = 1.0  # that connecting takes without a message
OPEN_S = 10.0  # to connect and to learn what the stream is
FIRST_S = 15.0  # to the first picture: a key frame may be long in coming
STALL_S = 2.0  # without a picture: the stream has stalled
SEGMENTS_S = 20.0  # the same for HLS, which comes in segments of seconds
CLOSE_S = 1.0
TIME_BASE = Fraction(1, 1_000_000)
RTSP = "rtsp,rtsps,rtp,srtp,udp,tcp,tls,crypto"
HTTP = "http,https,httpproxy,tcp,tls,crypto"  # a playlist must not reach for local files


class NetworkStream(SourceBase):
    """The newest pictures of a stream; raises MediaError when it stalls, breaks or is over.

    Frames have the time of their arrival. Another size than the first is resized to it. Neither
    the name nor an error shows credentials. `live.reconnect` opens it again.
    """

    def __init__(
        self,
        url: str,
        *,
        open_s: float = OPEN_S,
        stall_s: float | None = None,
        sound: LiveSound | None = None,
    ) -> None:
        """Connect.

        Args:
            open_s: how long connecting may take.
            stall_s: no picture for so long is an error; None for two frames, at least 2 s.
            sound: takes the first audio stream.

        Raises:
            MediaError: it cannot be reached, or has no video.
            MissingDependencyError: PyAV is not installed.
        """
        self._av = load_av()
        self.name = hide_credentials(url)
        self.damaged = 0
        self._stop = threading.Event()
        self._reading = threading.Lock()
        self._container = self._open(url, open_s, stall_s or STALL_S)
        slow = stall_s or self._stall()
        if slow > (stall_s or STALL_S):  # FFmpeg was given the shorter limit
            self._container.close()
            self._container = self._open(url, open_s, slow)
        self._stall_s = slow
        self._stream = self._container.streams.video[0]
        self._read = [self._stream]
        self._heard = sound if self._container.streams.audio else None
        if self._heard is not None:
            self._read.append(self._container.streams.audio[0])
            self._heard.connect(self._read[1])
        self._stream.thread_type = "SLICE"  # decoding whole frames in parallel holds them back
        self._reformatter = self._av.video.reformatter.VideoReformatter()
        context = self._stream.codec_context
        rate = self._rate()
        self.info = StreamInfo(
            name=self.name,
            width=context.width,
            height=context.height,
            time_base=TIME_BASE,
            frame_rate=rate,
            frames=None,
            live=True,
            sample_aspect_ratio=Fraction(self._stream.sample_aspect_ratio or 1),
        )

    def __iter__(self) -> Iterator[Frame]:
        """Frames until `close`.

        Raises:
            MediaError: no picture for too long, the connection broke, or the stream ended.
        """
        start = time.perf_counter()
        with self._reading:
            for decoded in self._decode(start):
                taken = time.perf_counter()
                yield self._to_frame(decoded, taken, taken - start)

    def close(self) -> None:
        """Hang up; a read that hangs ends by its own limit, and hangs up then."""
        self._stop.set()
        if self._reading.acquire(timeout=CLOSE_S):
            try:
                self._container.close()
            finally:
                self._reading.release()

    def _open(self, url: str, open_s: float, read_s: float) -> Any:
        """Connect. The errors of FFmpeg hold the address, so that they are not chained to ours."""
        rtsp = url.lower().startswith("rtsp")
        microseconds = str(int(max(open_s, read_s) * 1e6))
        options = {"flags": "low_delay"}
        options["protocol_whitelist"] = RTSP if rtsp else HTTP
        if rtsp:
            options["fflags"] = "nobuffer"  # of HLS, that would lose what was looked at
            options |= {"rtsp_transport": "tcp", "timeout": microseconds, "max_delay": "500000"}
        else:
            options["rw_timeout"] = microseconds
        why = ""
        patience = threading.Timer(
            PATIENCE_S,
            logger.info,
            ("opening %s: no answer yet; waiting up to %g s", self.name, open_s),
        )
        patience.daemon = True
        patience.start()
        try:
            container = self._av.open(url, options=options, timeout=(open_s, read_s))
        except (self._av.FFmpegError, OSError, ValueError) as error:
            why = _why(error)
        finally:
            patience.cancel()
        if why:
            raise MediaError(f"{self.name}: cannot be opened ({why}); check address and network")
        context = container.streams.video[0].codec_context if container.streams.video else None
        if context is None or not context.width:
            container.close()
            raise MediaError(f"{self.name}: connected, but it has no video that can be decoded")
        return container

    def _stall(self) -> float:
        if "hls" in self._container.format.name:
            return SEGMENTS_S
        rate = self._container.streams.video[0].average_rate
        return max(2 / float(rate), STALL_S) if rate else STALL_S

    def _rate(self) -> Fraction | None:
        rate = self._stream.average_rate or self._stream.guessed_rate
        return Fraction(rate) if rate and 0.1 <= rate <= 1000 else None

    def _decode(self, start: float) -> Iterator[Any]:
        last, limit = start, FIRST_S
        failure = "ended"
        try:
            for packet in self._container.demux(self._read):
                if self._stop.is_set():
                    return
                if self._heard is not None and packet.stream_index != self._stream.index:
                    self._heard.add(packet, time.perf_counter())
                    continue
                try:
                    frames = packet.decode()
                except self._av.error.InvalidDataError:
                    self.damaged += 1  # pictures before the first key frame, lost packets
                    frames = []
                for frame in frames:
                    yield frame
                    last, limit = time.perf_counter(), self._stall_s
                if time.perf_counter() - last > limit:
                    failure = f"no picture for {limit:g} s"
                    break
        except (self._av.FFmpegError, OSError) as error:
            failure = f"broke off ({_why(error)})"
        if not self._stop.is_set():
            raise MediaError(f"{self.name}: {failure}")

    def _to_frame(self, decoded: Any, taken: float, since: float) -> Frame:
        y, u, v, color = to_planes(
            decoded,
            self._stream.codec_context,
            self._reformatter,
            width=self.info.width,
            height=self.info.height,
        )
        return Frame((y, u, v), int(since * 1_000_000), TIME_BASE, color, taken_s=taken)


def _why(error: BaseException) -> str:
    """What FFmpeg says, in one line and without the address."""
    text = getattr(error, "strerror", None) or type(error).__name__
    if "Immediate exit" in str(text):
        return "no answer in time"
    return hide_credentials(str(text)).partition("\n")[0]
