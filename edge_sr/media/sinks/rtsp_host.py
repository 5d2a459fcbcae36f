"""The process behind ``--rtsp``: GStreamer's RTSP server for a stream that comes by UDP.

A token in EDGE_SR_TOKEN is asked for as the password of the user "viewer". It imports nothing of
edge-sr: the Python of Debian's python3-gi runs it, which may be another one.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

PATH = "/live"
USER = "viewer"
INPUT = (
    "udpsrc address=127.0.0.1 port={port} buffer-size=4000000 "
    'caps="video/mpegts,systemstream=(boolean)true,packetsize=(int)188" ! '
    "tsdemux latency=40 name=d "
    "d. ! queue ! h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96"
)
SOUND = " d. ! queue ! aacparse ! rtpmp4gpay name=pay1 pt=97"


def main(host: str, port: str, udp_port: str, kind: str) -> None:
    """Serve until standard input ends; prints the port.

    Args:
        host: address to listen on.
        port: "0" for any that is free.
        udp_port: where MPEG-TS comes on loopback.
        kind: "sound" where there is one, else "picture".
    """
    import gi  # type: ignore[import-not-found]

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer  # type: ignore[import-not-found]

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which ends this process
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address(host)
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    launch = INPUT.format(port=udp_port) + (SOUND if kind == "sound" else "")
    factory.set_launch(f"( {launch} )")
    factory.set_shared(True)
    token = os.environ.get("EDGE_SR_TOKEN", "")
    if token:
        _protect(GstRtspServer, server, factory, token)
    server.get_mount_points().add_factory(PATH, factory)
    if not server.attach(None):
        raise SystemExit("cannot listen there")
    print(server.get_bound_port(), flush=True)
    loop = GLib.MainLoop()
    GLib.io_add_watch(sys.stdin.fileno(), GLib.IO_HUP | GLib.IO_IN, lambda *_: loop.quit())
    loop.run()


def _protect(library: Any, server: Any, factory: Any, password: str) -> None:
    """Only who knows the password may watch."""
    token = library.RTSPToken()
    token.set_string("media.factory.role", USER)
    auth = library.RTSPAuth()
    auth.add_basic(library.RTSPAuth.make_basic(USER, password), token)
    server.set_auth(auth)
    permissions = library.RTSPPermissions()
    for right in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role(USER, right, True)
    factory.set_permissions(permissions)
