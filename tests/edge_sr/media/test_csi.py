"""CSI cameras by the real GStreamer, which Debian's OpenCV has, with a test source as the camera.

Debian's Python runs these in processes of its own; `tests/tools/install_test_hosts.sh` installs it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from clocks import HANG_S

from edge_sr.media.sources.capture import gstreamer_pipeline

ROOT = Path(__file__).parents[3]
PYTHON = "/usr/bin/python3"
WIDTH, HEIGHT, FRAMES = 128, 96, 40
PROBE = "import cv2, re; assert re.search(r'GStreamer:\\s*YES', cv2.getBuildInformation())"
CODE = f"""
import hashlib
from functools import partial
from edge_sr.errors import MediaError
from edge_sr.media.sources.camera import Camera
from edge_sr.media.sources.capture import CsiElements, open_csi
source = "videotestsrc num-buffers={FRAMES} is-live=true pattern=ball"
opener = partial(open_csi, elements=CsiElements(source, memory="", convert="identity"))
try:
    with Camera("csi://0", width={WIDTH}, height={HEIGHT}, fps=60, opener=opener) as camera:
        print(camera.given)
        for frame in camera:
            print(*(hashlib.sha256(plane.tobytes()).hexdigest() for plane in frame.planes))
except MediaError as error:
    print(error)
"""


def child(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [PYTHON, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )


@pytest.fixture(scope="module", autouse=True)
def needs_gstreamer() -> None:
    """Skip where the system's Python has no OpenCV with GStreamer."""
    if not Path(PYTHON).exists() or child(PROBE).returncode:
        pytest.skip(f"{PYTHON} has no OpenCV with GStreamer: apt-get install python3-opencv")


def source_digests(folder: Path) -> list[str]:
    """y, u and v of each picture of the test source, written by GStreamer alone."""
    path = folder / "raw"
    caps = f"video/x-raw,format=NV12,width={WIDTH},height={HEIGHT},framerate=60/1"
    command = ["gst-launch-1.0", "-q", "videotestsrc", f"num-buffers={FRAMES}", "pattern=ball"]
    subprocess.run([*command, "!", caps, "!", "filesink", f"location={path}"], check=True)
    stored, luma = path.read_bytes(), WIDTH * HEIGHT
    size = luma * 3 // 2
    assert len(stored) == FRAMES * size
    lines = []
    for at in range(0, len(stored), size):
        y, chroma = stored[at : at + luma], stored[at + luma : at + size]
        planes = (y, chroma[0::2], chroma[1::2])
        lines.append(" ".join(hashlib.sha256(plane).hexdigest() for plane in planes))
    return lines


@pytest.mark.slow
def test_frames_are_the_source_s_until_it_stops(tmp_path: Path) -> None:
    done = child(CODE)
    given, *frames, stopped = done.stdout.splitlines() or pytest.fail(done.stderr)
    assert given == f"camera csi://0: gives {WIDTH}x{HEIGHT} at 60 fps, NV12"
    assert stopped.startswith("camera csi://0: stopped giving pictures for 2 s")
    source = source_digests(tmp_path)
    found = [source.index(frame) for frame in frames]
    assert len(found) > 5
    assert found == sorted(found)
    assert done.stderr == ""


def test_without_a_jetson_s_elements_it_is_one_line() -> None:
    done = child(CODE.replace("opener=opener", "opener=open_csi"))
    assert done.stdout.startswith("camera csi://0: cannot be opened; is sensor 0 connected?")
    assert done.stdout.count("\n") == 1


def test_only_the_camera_s_elements_differ() -> None:
    assert gstreamer_pipeline(1, 1280, 720, 30) == (
        "nvarguscamerasrc sensor-id=1 ! "
        "video/x-raw(memory:NVMM),width=1280,height=720,framerate=30/1 ! "
        "nvvidconv ! video/x-raw,format=NV12 ! appsink drop=true max-buffers=1 sync=false"
    )
