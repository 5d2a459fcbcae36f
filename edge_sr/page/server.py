"""The page's server, in a thread of its own, as a sink of the pipeline."""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
import threading
import time

from edge_sr.errors import MediaError, MissingDependencyError
from edge_sr.live.control import RunControl
from edge_sr.page.app import build_app
from edge_sr.page.streams import Hub
from edge_sr.pipeline.shot import Shot, ShotSink

START_S = 10.0
CLOSE_S = 2.0
MAX_CONNECTIONS = 64  # at once; more are answered with 503
MAX_MESSAGE = 4096  # bytes of what a browser says
TOKEN = "EDGE_SR_TOKEN"  # noqa: S105 - the name of the variable that holds one


class PageServer(ShotSink):
    """Serves the browser page while the run goes on; a slow browser slows nothing but itself."""

    def __init__(self, control: RunControl, *, host: str, port: int) -> None:
        """Listen, and start to serve.

        Args:
            host: an address of this machine. Other than loopback, every request needs a token:
                the one in the environment variable EDGE_SR_TOKEN, or a new one.
            port: 0 for any that is free.

        Raises:
            MissingDependencyError: starlette or uvicorn is not installed.
            MediaError: the address cannot be listened on.
        """
        try:
            import prometheus_client  # noqa: F401 - its metrics and the app are made below
            import starlette.applications  # noqa: F401
            import uvicorn
            import websockets  # noqa: F401 - uvicorn's, for the pictures
        except ImportError as error:
            raise MissingDependencyError(
                f"{error.name} is needed for --serve: pip install 'edge-sr[serve]'"
            ) from error
        local = ipaddress.ip_address(host).is_loopback
        self.token = None if local else os.environ.get(TOKEN) or secrets.token_urlsafe(18)
        self._hub = Hub(control.stats.screen)
        self._socket = _listen(host, port)
        shown = _shown_address(host)
        port = self._socket.getsockname()[1]
        where = f"[{shown}]:{port}" if ":" in shown else f"{shown}:{port}"
        self.url = f"http://{where}/" + (f"?token={self.token}" if self.token else "")
        config = uvicorn.Config(
            build_app(self._hub, control, token=self.token),
            log_level="error",
            access_log=False,  # addresses with tokens stay out of logs
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=5,
            ws="websockets-sansio",
            ws_max_size=MAX_MESSAGE,
            ws_per_message_deflate=False,  # pictures are compressed already
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="edge-sr page", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + START_S
        while not self._server.started and self._thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)

    def show(self, shot: Shot) -> None:
        """Publish one frame."""
        self._hub.publish(shot)

    def finish(self, *, complete: bool = True) -> str:  # noqa: ARG002 - it keeps nothing
        """End every stream."""
        self.close()
        return ""

    def abort(self) -> str:
        """End every stream."""
        self.close()
        return ""

    def close(self) -> None:
        """Stop serving; safe to call twice."""
        self._hub.end()
        self._server.should_exit = True
        self._thread.join(CLOSE_S)
        self._socket.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen(64)
    except OSError as error:
        found.close()
        raise MediaError(
            f"page: cannot listen on {host}:{port} ({error.strerror}); choose another --serve"
        ) from error
    return found


def _shown_address(host: str) -> str:
    """What a person can type: the machine's own address where the page listens on all."""
    if not ipaddress.ip_address(host).is_unspecified:
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; asks which way it would go
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
