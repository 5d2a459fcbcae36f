"""What real drivers do, by doubles: no camera can be plugged in where these tests run."""

from __future__ import annotations

import errno
import itertools
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import make_clip
from test_camera import FakeCapture, flat

from edge_sr.errors import MediaError
from edge_sr.media.sources import capture
from edge_sr.media.sources.camera import Camera
from edge_sr.media.sources.capture import Opened, format_name
from edge_sr.media.sources.open import open_source
from edge_sr.media.sources.reconnect import Reconnecting


def test_a_cable_pulled_in_mid_stream_is_survived(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    gone = OSError(errno.ENODEV, "No such device")
    cameras = [FakeCapture([flat(0, 0, level)] * 4, after=gone) for level in (50, 200)]
    todo = list(cameras)

    def opener() -> Camera:
        return Camera(0, opener=todo.pop(0), stall_s=0.5)

    with Reconnecting(opener, waits=lambda: iter([0.0] * 9)) as source:
        frames = iter(source)
        seen = [next(frames).pts]
        while not source.reconnects:
            seen.append(next(frames).pts)
    assert seen == sorted(set(seen))
    assert "No such device" in caplog.messages[0]
    assert all(camera.released.is_set() for camera in cameras)


def test_black_first_pictures_are_pictures() -> None:
    pictures = [flat(0, 0, 0)] * 2 + [flat(200, 200, 200)] * 30
    with Camera(0, opener=FakeCapture(pictures), stall_s=0.3) as camera:
        levels = [int(frame.y.mean()) for frame, _ in zip(camera, range(4), strict=False)]
    assert 16 in levels or max(levels) > 100


def test_short_pictures_are_left_out() -> None:
    short = [np.empty((0, 0, 3), np.uint8), flat(1, 2, 3)]
    with Camera(0, opener=FakeCapture(short, after="hang"), stall_s=0.3) as camera:
        assert (camera.info.width, camera.info.height) == (64, 48)


def test_a_file_through_opencv_as_a_device(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.avi", codec="mjpeg", pix_fmt="yuvj420p", pts=range(40))

    def opener(device: object, *_wanted: object) -> Opened:
        return Opened(cv2.VideoCapture(str(device)), "BGR")

    with Camera(clip, opener=opener, stall_s=0.5, width=64, height=48, fps=25) as camera:
        assert camera.given == f"camera {clip}: gives 64x48 at 25 fps, MJPG"
        found = [frame.y.shape for frame in itertools.islice(camera, 1)]
        with pytest.raises(MediaError, match="stopped giving pictures"):
            list(camera)
    assert found == [(48, 64)]


def test_what_the_driver_gives_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[object] = []

    class Device(FakeCapture):
        """The part of cv2.VideoCapture that `open_capture` needs."""

        def set(self, prop: int, value: float) -> bool:
            asked.append((prop, value))
            return False  # also to CONVERT_RGB: pictures stay BGR

        def get(self, prop: int) -> float:
            yuyv = float(cv2.VideoWriter.fourcc(*"YUYV"))
            return {cv2.CAP_PROP_FOURCC: yuyv, cv2.CAP_PROP_FPS: 15.0}[prop]

    library = capture.load_cv2()
    fake = Device([flat(9, 9, 9)] * 50)
    monkeypatch.setattr(library, "VideoCapture", lambda *_opened: fake)
    caplog.set_level(logging.INFO)
    with open_source("0", size=(1280, 720), pixels="NV12", max_reconnect=0):
        pass
    nv12 = library.VideoWriter.fourcc(*"NV12")
    assert (library.CAP_PROP_FOURCC, nv12) in asked
    assert caplog.messages == [
        "camera 0: gives 64x48 at 15 fps, YUYV (asked for 1280x720 at 30 fps)"
    ]


@pytest.mark.parametrize(("code", "name"), [(1196444237.0, "MJPG"), (0.0, ""), (-1.0, "")])
def test_format_names(code: float, name: str) -> None:
    assert format_name(code) == name
