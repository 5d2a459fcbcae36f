"""Network streams: HTTP from a small server of our own, RTSP from a real one where GStreamer is."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import pytest
from clips import frame
from clocks import HANG_S

from edge_sr.errors import MediaError, UsageError
from edge_sr.media.address import Kind, hide_credentials, parse_address, resolve_address
from edge_sr.media.screen import to_bgr, to_jpeg, to_picture
from edge_sr.media.sources import stream
from edge_sr.media.sources.open import open_source
from edge_sr.media.sources.reconnect import Reconnecting
from edge_sr.media.sources.stream import NetworkStream

SERVER = Path(__file__).with_name("rtsp_server.py")
ROOT = Path(__file__).parents[3]
PROBE = (
    "import gi; gi.require_version('GstRtspServer', '1.0'); "
    "from gi.repository import Gst, GstRtspServer; Gst.init(None); "
    "raise SystemExit(not Gst.ElementFactory.find('x264enc'))"
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://me:secret@cam/1", "rtsp://***@cam/1"),
        ("rtsp://me:se@cr/e?t@cam:554/1", "rtsp://***@cam:554/1"),
        ("http://cam/v.mjpg?user=me&pwd=secret", "http://cam/v.mjpg?***"),
        (
            "cannot open 'rtsp://me:secret@cam/1': refused",
            "cannot open 'rtsp://***@cam/1': refused",
        ),
        ("rtsp://cam/1", "rtsp://cam/1"),
        ("is it plugged in? yes", "is it plugged in? yes"),
    ],
)
def test_credentials_are_hidden(text: str, shown: str) -> None:
    assert hide_credentials(text) == shown


def test_an_address_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAM", "rtsp://me:secret@cam/1")
    assert resolve_address("env:CAM") == "rtsp://me:secret@cam/1"
    with pytest.raises(UsageError, match="export it first"):
        resolve_address("env:NO_SUCH_VARIABLE")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("0", Kind.CAMERA),
        ("/dev/video2", Kind.CAMERA),
        ("csi://0", Kind.CSI),
        ("rtsp://x", Kind.NETWORK),
        ("RTSPS://x", Kind.NETWORK),
        ("http://x/still.jpg", Kind.NETWORK),
        ("https://x", Kind.NETWORK),
        ("test://64x48", Kind.PATTERN),
        ("-", Kind.STDIN),
        (".", Kind.FOLDER),
        ("photo.JPG", Kind.IMAGE),
        ("film.mp4", Kind.FILE),
        ("dev/video0.mp4", Kind.FILE),
    ],
)
def test_the_kind_of_an_address(text: str, kind: Kind) -> None:
    found = parse_address(text)
    assert found.kind is kind
    assert found.live == (kind in (Kind.CAMERA, Kind.CSI, Kind.NETWORK))
    assert "cam" not in repr(parse_address(f"rtsp://cam/{text}"))


def test_a_path_given_as_a_camera_is_a_device() -> None:
    assert parse_address("front", camera=True).kind is Kind.CAMERA
    assert parse_address("front", camera=True).text == str(Path("front").absolute())
    assert parse_address("test://", camera=True).kind is Kind.PATTERN


def test_an_empty_address_is_refused() -> None:
    with pytest.raises(UsageError, match='the input is ""'):
        parse_address("")


class Cameras(BaseHTTPRequestHandler):
    """``/clip``: motion JPEG at 25 a second; ``/freeze``: ten pictures, then silence."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=x")
        self.end_headers()
        for number in range(10 if self.path.startswith("/freeze") else 500):
            data = to_jpeg(to_bgr(frame(number)))
            head = f"--x\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + data + b"\r\n")
            except OSError:
                return
            time.sleep(0.04)
        self.server.silent.wait(20)  # type: ignore[attr-defined]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


@pytest.fixture
def http() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Cameras)
    server.silent = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.silent.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_slow_address_is_named_while_it_is_opened(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stream, "PATIENCE_S", 0.05)
    caplog.set_level(logging.INFO, "edge_sr")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"rtsp://me:secret@127.0.0.1:{silent.getsockname()[1]}/1"
        with pytest.raises(MediaError, match="cannot be opened"):
            NetworkStream(url, open_s=1.0)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("opening rtsp://***@127.0.0.1:")
    assert line.endswith("no answer yet; waiting up to 1 s")


def test_motion_jpeg_over_http(http: str) -> None:
    with NetworkStream(f"{http}/clip?token=abc") as stream:
        assert (stream.info.width, stream.info.height, stream.info.live) == (64, 48, True)
        assert "abc" not in stream.info.name
        frames = [item for item, _ in zip(stream, range(5), strict=False)]
    assert [item.y.shape for item in frames] == [(48, 64)] * 5
    assert all(item.taken_s for item in frames)


def test_hls_over_http(tmp_path: Path) -> None:
    options = {"hls_time": "1", "hls_list_size": "0"}
    playlist = tmp_path / "live.m3u8"
    with av.open(str(playlist), "w", format="hls", options=options) as output:
        video = output.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for number in range(60):
            picture = to_picture(frame(number))
            picture.pts = number
            output.mux(video.encode(picture))
        output.mux(video.encode(None))
    handler = partial(QuietFiles, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/live.m3u8"
        with NetworkStream(address) as stream:
            frames = iter(stream)
            assert next(frames).y.shape == (48, 64)
            with pytest.raises(MediaError, match="ended"):
                list(frames)
        server.shutdown()


class QuietFiles(SimpleHTTPRequestHandler):
    """Files of a folder."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


@pytest.mark.slow
def test_a_stream_that_freezes_is_noticed_and_opened_again(
    http: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    def opener() -> NetworkStream:
        return NetworkStream(f"{http}/freeze", stall_s=0.5)

    with Reconnecting(opener, waits=lambda: iter([0.0] * 9)) as source:
        found = iter(source)
        while source.reconnects < 2:
            next(found)
    assert "trying again" in caplog.messages[0]


def test_what_is_no_stream_is_one_line_without_the_password() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(MediaError) as error:
        open_source(f"rtsp://me:secret@127.0.0.1:{port}/clip")
    text = f"{error.value!r} {error.value.__cause__!r} {error.value.__context__!r}"
    assert "secret" not in text
    assert "Connection refused" in str(error.value)


def has_gstreamer() -> bool:
    python = "/usr/bin/python3"
    if shutil.which(python) is None:
        return False
    return subprocess.run([python, "-c", PROBE], capture_output=True, check=False).returncode == 0


@pytest.fixture
def rtsp() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    if not has_gstreamer():
        pytest.skip(
            "needs apt packages gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-ugly"
        )
    running: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        command = ["/usr/bin/python3", str(SERVER), *words]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        return server

    yield start
    for server in running:
        server.kill()
        server.wait()
        if server.stdout:
            server.stdout.close()


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@pytest.mark.slow
def test_rtsp_is_killed_and_comes_back(
    rtsp: Callable[..., subprocess.Popen[str]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    port = free_port()
    server = rtsp(port)
    fds, threads = len(os.listdir("/proc/self/fd")), threading.active_count()  # noqa: PTH208

    def opener() -> NetworkStream:
        return NetworkStream(f"rtsp://127.0.0.1:{port}/clip", open_s=3)

    with Reconnecting(opener, waits=lambda: iter([0.3] * 99)) as source:
        frames = iter(source)
        assert next(frames).y.shape == (90, 160)
        server.send_signal(signal.SIGKILL)
        server.wait()
        threading.Timer(0.5, rtsp, [port]).start()
        while source.reconnects < 1:
            next(frames)
    assert caplog.messages
    assert threading.active_count() <= threads
    assert len(os.listdir("/proc/self/fd")) <= fds + 2  # noqa: PTH208


@pytest.mark.slow
def test_rtsp_with_a_password_shows_it_nowhere(
    rtsp: Callable[..., subprocess.Popen[str]],
) -> None:
    port = free_port()
    rtsp(port, "viewer", "s3cr3t")
    for password, code in (("s3cr3t", 0), ("wr0ng", 1)):
        command = [sys.executable, "-m", "edge_sr.cli.main", "run", "--backend", "nearest"]
        command += ["--input", "env:CAM", "--output", "null", "--max-frames", "3"]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "CAM": f"rtsp://viewer:{password}@127.0.0.1:{port}/clip"},
            capture_output=True,
            text=True,
            check=False,
            timeout=HANG_S,
        )
        assert done.returncode == code, done.stderr
        assert password not in done.stdout + done.stderr
