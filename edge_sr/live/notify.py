"""Messages to systemd: ready, alive, stopping."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

from edge_sr.pipeline.stats import Stats

STUCK_S = 60.0  # frames are read but none comes out: let the watchdog end it


class Notifier:
    """Sends READY, WATCHDOG and STOPPING where systemd listens; does nothing elsewhere."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        usec = environment.get("WATCHDOG_USEC", "0")
        self._every_s = int(usec) / 2e6 if usec.isdigit() else 0.0
        self._next = 0.0
        self._seen = (0, 0, time.monotonic())  # read, written, when written last changed

    def ready(self) -> None:
        """The first frame is out."""
        self._send("READY=1")

    def alive(self, stats: Stats) -> None:
        """Call often; a pipeline that reads and gives nothing out is not alive."""
        now = time.monotonic()
        read, written, since = self._seen
        if stats.written != written or stats.read == read:
            self._seen = (stats.read, stats.written, now)
            since = now
        if self._every_s and now >= self._next and now - since < STUCK_S:
            self._next = now + self._every_s
            self._send(f"WATCHDOG=1\nSTATUS={stats.current_fps:.1f} fps, {stats.written} frames")

    def stopping(self) -> None:
        """Files are being finished."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        name = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            try:
                client.connect(name)
                client.sendall(text.encode())
            except OSError:
                self._address = ""  # nobody listens: stop sending
