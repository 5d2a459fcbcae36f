"""The RTSP server of ``--rtsp``: what other programs read from it, with its sound and password."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from claps import claps, write_claps
from clips import info
from clocks import HANG_S
from test_network import free_port

from edge_sr.cli.main import main
from edge_sr.errors import MediaError, MissingDependencyError
from edge_sr.media.sinks import rtsp_server
from edge_sr.media.sinks.rtsp_server import RtspServer, find_python

ROOT = Path(__file__).parents[3]
FFPROBE = shutil.which("ffprobe")
SYNC_S = 0.2  # pictures have the time of their arrival, which a busy machine delays
needs_server = pytest.mark.skipif(
    find_python() is None, reason="needs apt packages python3-gi gir1.2-gst-rtsp-server-1.0"
)


@contextlib.contextmanager
def serving(*words: str) -> Iterator[str]:
    """The address of a run that serves RTSP."""
    command = [sys.executable, "-m", "edge_sr.cli.main", "run", "--backend", "nearest", *words]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as job:
        try:
            assert job.stderr is not None
            yield next(filter(None, (re.search(r"RTSP: (\S+)", line) for line in job.stderr)))[1]
        finally:
            job.terminate()
            job.communicate(timeout=HANG_S)


def probe(address: str) -> subprocess.CompletedProcess[str]:
    command = [str(FFPROBE), "-loglevel", "error", "-rtsp_transport", "tcp", "-show_entries"]
    command += ["stream=codec_name,width", "-of", "csv=p=0", address]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, check=False)


@needs_server
@pytest.mark.slow
def test_players_and_another_edge_sr_see_and_hear_it(tmp_path: Path) -> None:
    film = write_claps(tmp_path / "claps.mkv", 90)
    playlist = tmp_path / "live.m3u8"
    with serving(str(film), "--rtsp", "0") as address:
        assert re.fullmatch(r"rtsp://127\.0\.0\.1:\d+/live", address)
        if FFPROBE:
            assert sorted(probe(address).stdout.split()) == ["aac", "h264,128"]
        words = ["run", address, "--backend", "nearest", "--max-frames", "150"]
        assert main([*words, "--publish", str(playlist)]) == 0
    seen, heard = claps(playlist)
    assert len(seen) >= 4
    apart = [min(abs(one - other) for other in heard) for one in seen[1:-1]]
    assert float(np.median(apart)) < SYNC_S


@needs_server
@pytest.mark.slow
@pytest.mark.skipif(FFPROBE is None, reason="needs ffprobe: apt-get install ffmpeg")
def test_on_the_network_it_asks_for_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_SR_TOKEN", "a-secret")
    with serving("test://clip", "--rtsp", f"0.0.0.0:{free_port()}") as address:
        assert "viewer:a-secret@" in address
        local = address.replace("@0.0.0.0", "@127.0.0.1")
        assert "401" in probe(local.replace("viewer:a-secret@", "")).stderr
        assert "401" in probe(local.replace("a-secret", "another")).stderr
        assert "h264" in probe(local).stdout


@needs_server
def test_a_port_that_is_taken_is_one_line() -> None:

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(MediaError, match="cannot listen on 127"):
            RtspServer("127.0.0.1", taken.getsockname()[1], source=info(64, 48))


@needs_server
def test_the_server_ends_with_the_sink() -> None:
    sink = RtspServer("127.0.0.1", 0, source=info(64, 48))
    assert sink.message == ""
    sink.abort()
    assert sink.abort() == ""


def test_without_gstreamer_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp_server, "find_python", lambda: None)
    with pytest.raises(MissingDependencyError, match="apt-get install python3-gi"):
        RtspServer("127.0.0.1", 0, source=info(64, 48))
