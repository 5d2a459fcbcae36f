"""The result as an RTSP stream that players and recorders fetch here: ``--rtsp``."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import select
import socket
import subprocess
import sys
from pathlib import Path

from edge_sr.children import child_environment
from edge_sr.errors import MediaError, MissingDependencyError
from edge_sr.media.frame import StreamInfo
from edge_sr.media.sinks.publisher import Publisher
from edge_sr.media.sources.sound import Sound

HOST = Path(__file__).with_name("rtsp_host.py")
START = "import runpy, sys; runpy.run_path(sys.argv[1])['main'](*sys.argv[2:])"
PROBE = (
    "import gi; gi.require_version('GstRtspServer', '1.0'); "
    "from gi.repository import Gst, GstRtspServer; Gst.init(None); raise SystemExit(not all(map("
    "Gst.ElementFactory.find, ('udpsrc', 'tsdemux', 'h264parse', 'rtph264pay', 'aacparse'))))"
)
PROBE_S, START_S, END_S = 30.0, 15.0, 3.0
TOKEN = "EDGE_SR_TOKEN"  # noqa: S105 - the name of the variable that holds one
MISSING = (
    "--rtsp needs GStreamer's RTSP server: apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 "
    "gstreamer1.0-plugins-good gstreamer1.0-plugins-bad; or --publish to a server such as mediamtx"
)


def find_python() -> str | None:
    """A Python that can run the server: this one, or the system's; None without GStreamer's."""
    for python in dict.fromkeys((sys.executable, "/usr/bin/python3")):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            command = [python, "-I", "-c", PROBE]
            if subprocess.run(command, capture_output=True, timeout=PROBE_S, check=False,
                              env=child_environment()).returncode == 0:  # fmt: skip
                return python
    return None


class RtspServer(Publisher):
    """Publishes to a process of its own, from which any number of clients read.

    It serves on loopback; on other addresses for the user "viewer" with a token as the password:
    the one in the environment variable EDGE_SR_TOKEN, or a new one.
    """

    def __init__(
        self, host: str, port: int, *, source: StreamInfo, sound: Sound | None = None
    ) -> None:
        """Start the server.

        Args:
            host: an address of this machine.
            port: 0 for any that is free.
            source: where the frame rate is taken from.
            sound: of the source.

        Raises:
            MissingDependencyError: GStreamer's RTSP server is not installed.
            MediaError: the address cannot be listened on.
        """
        python = find_python()
        if python is None:
            raise MissingDependencyError(MISSING)
        _check_free(host, port)
        token = ""
        if not ipaddress.ip_address(host).is_loopback:
            token = os.environ.get(TOKEN) or secrets.token_urlsafe(18)
        udp_port = _free_udp_port()
        kind = "picture" if sound is None else "sound"
        self._child = subprocess.Popen(
            [python, "-I", "-c", START, str(HOST), host, str(port), str(udp_port), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**child_environment(), TOKEN: token},
        )
        try:
            super().__init__(
                f"udp://127.0.0.1:{udp_port}?pkt_size=1316", source=source, sound=sound
            )
            bound = self._bound_port()
        except BaseException:
            self._end()
            raise
        where = f"[{host}]:{bound}" if ":" in host else f"{host}:{bound}"
        self.url = f"rtsp://{where}/live"
        self._shown = self.url
        self._secret_url = self.url.replace("//", f"//viewer:{token}@") if token else self.url

    @property
    def message(self) -> str:
        """Where it can be read, once it can; with the password that is needed."""
        return f"RTSP: {self._secret_url}" if self.frames else ""

    def finish(self, *, complete: bool = True) -> str:
        """End the stream and the server."""
        line = super().finish(complete=complete)
        self._end()
        return line

    def abort(self) -> str:
        """End the server."""
        super().abort()
        self._end()
        return ""

    def _bound_port(self) -> int:
        pipe = self._child.stdout
        ready = pipe and select.select([pipe], [], [], START_S)[0]
        line = pipe.readline() if pipe and ready else b""
        if not line.strip().isdigit():
            raise MediaError("--rtsp: GStreamer's RTSP server does not start; choose another port")
        return int(line)

    def _end(self) -> None:
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(END_S)
            return
        self._child.kill()
        self._child.wait()


def _check_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise MediaError(
                f"--rtsp: cannot listen on {host}:{port} ({error.strerror}); choose another port"
            ) from error


def _free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
