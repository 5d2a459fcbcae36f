"""Real players, without a screen, on what a run sends: mpv."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from claps import write_claps
from test_network import free_port
from test_rtsp_server import needs_server, serving

pytestmark = pytest.mark.slow
LIMIT_S = 120
MPV = ["mpv", "--no-config", "--vo=null", "--ao=null", "--frames=30", "--rtsp-transport=tcp"]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_claps(tmp_path_factory.mktemp("players") / "claps.mkv", 150)


def play(command: list[str]) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"needs {command[0]}: apt-get install {command[0]}")
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@needs_server
def test_mpv_plays_rtsp_with_its_sound(film: Path) -> None:
    with serving(str(film), "--rtsp", "0") as address:
        printed = play([*MPV, address])
        assert "VO: [null] 128x96" in printed
        assert "AO: [null] 48000Hz stereo" in printed


@needs_server
def test_mpv_plays_what_comes_by_udp(film: Path) -> None:
    port = free_port()
    udp = f"udp://127.0.0.1:{port}?pkt_size=1316"
    with serving(str(film), "--rtsp", "0", "--publish", udp):
        assert "AO: [null]" in play([*MPV, f"udp://127.0.0.1:{port}"])
