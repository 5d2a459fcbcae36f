"""A real RTSP server on loopback, by GStreamer: ``rtsp_server.py PORT [USER PASSWORD]``.

Runs under the system's Python, where Debian's python3-gi and gir1.2-gst-rtsp-server-1.0 live.
"""

from __future__ import annotations

import sys
from typing import Any

PIPELINE = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=160,height=90,framerate=25/1 ! "
    "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! rtph264pay name=pay0 pt=96 )"
)


def main(words: list[str]) -> None:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer

    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(words[0])
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(PIPELINE)
    factory.set_shared(True)
    if len(words) == 3:
        _protect(GstRtspServer, server, factory, *words[1:])
    server.get_mount_points().add_factory("/clip", factory)
    server.attach(None)
    print("ready", flush=True)
    GLib.MainLoop().run()


def _protect(library: Any, server: Any, factory: Any, user: str, password: str) -> None:
    """Only who knows the password may watch."""
    token = library.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth = library.RTSPAuth()
    auth.add_basic(library.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    permissions = library.RTSPPermissions()
    for right in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role("viewer", right, True)
    factory.set_permissions(permissions)


if __name__ == "__main__":
    main(sys.argv[1:])
