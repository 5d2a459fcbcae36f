from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from clocks import HANG_S

from edge_sr.errors import MediaError
from edge_sr.media.frame import Frame
from edge_sr.media.sources.camera import Camera
from edge_sr.media.sources.capture import Device, Opened, diagnose, parse_device


class FakeCapture:
    """Gives the pictures it was made with, then what `after` says: False, an error, or a hang."""

    def __init__(self, pictures: list[np.ndarray], after: object = False, rate: float = 30) -> None:
        self.pictures, self.after, self.rate = list(pictures), after, rate
        self.released = threading.Event()
        self.exhausted = threading.Event()
        self.asked: tuple[object, ...] = ()

    def __call__(self, *asked: object) -> Opened:
        self.asked = asked
        return Opened(self, "BGR")

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def read(self) -> tuple[bool, np.ndarray | None]:
        time.sleep(0.01)
        if self.pictures:
            return True, self.pictures.pop(0)
        self.exhausted.set()
        if isinstance(self.after, Exception):
            raise self.after
        if self.after == "hang":
            self.released.wait(HANG_S)
        return False, None

    def get(self, prop: int) -> float:
        return self.rate

    def release(self) -> None:
        self.released.set()


def flat(blue: int, green: int, red: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), (blue, green, red), np.uint8)


def test_frames_are_601_limited_with_rising_times() -> None:
    fake = FakeCapture([flat(30, 200, 90)] * 5)
    with Camera(0, opener=fake, stall_s=0.3) as camera:
        frames: list[Frame] = []
        with pytest.raises(MediaError, match=r"camera 0: stopped giving pictures for 0\.3 s"):
            frames.extend(camera)
    luma = 0.299 * 90 + 0.587 * 200 + 0.114 * 30
    assert frames
    for frame in frames:
        assert frame.y.shape == (48, 64)
        assert frame.u.shape == frame.v.shape == (24, 32)
        assert abs(float(frame.y.mean()) - (16 + luma * 219 / 255)) <= 1
        assert abs(float(frame.u.mean()) - (128 + (30 - luma) / 1.772 * 224 / 255)) <= 1
        assert abs(float(frame.v.mean()) - (128 + (90 - luma) / 1.402 * 224 / 255)) <= 1
        assert (frame.color.matrix, frame.color.full_range) == (6, False)
    times = [frame.pts * frame.time_base for frame in frames]
    assert times[0] == 0
    assert all(a < b < 2 for a, b in itertools.pairwise(times))


def test_info_says_what_came_not_what_was_asked() -> None:
    fake = FakeCapture([flat(0, 0, 0, 641, 361)], rate=29.97)
    with Camera("2", width=1280, height=720, fps=60, opener=fake) as camera:
        info = camera.info
    assert fake.asked == (2, 1280, 720, 60)
    assert (info.width, info.height, info.live, info.frames) == (640, 360, True, None)
    assert abs(float(info.frame_rate or 0) - 29.97) < 0.001
    assert info.name == "camera 2"
    assert fake.released.is_set()


@pytest.mark.parametrize("rate", [0, -1, float("nan"), 1e6])
def test_a_driver_that_does_not_know_its_rate_is_believed_nothing(rate: float) -> None:
    with Camera(0, opener=FakeCapture([flat(0, 0, 0)], rate=rate)) as camera:
        assert camera.info.frame_rate is None


def test_grey_cameras_have_neutral_chroma() -> None:
    fake = FakeCapture([np.full((48, 64), 90, np.uint8)])
    with Camera(0, opener=fake) as camera:
        frame = next(iter(camera))
    assert np.unique(frame.u).tolist() == np.unique(frame.v).tolist() == [128]


def test_a_camera_without_pictures_is_an_error() -> None:
    fake = FakeCapture([])
    with pytest.raises(MediaError, match=r"camera 0: gives no picture for 0\.2 s; check"):
        Camera(0, opener=fake, stall_s=0.2)
    assert fake.released.is_set()


def test_a_camera_that_hangs_is_an_error() -> None:
    fake = FakeCapture([flat(0, 0, 0)], after="hang")
    camera = Camera(0, opener=fake, stall_s=0.2)
    frames = iter(camera)
    next(frames)
    with pytest.raises(MediaError, match="stopped giving pictures"):
        next(frames)
    camera.close()  # the driver hangs until it is released below
    fake.released.set()


def test_a_driver_s_own_error_is_reported() -> None:
    fake = FakeCapture([flat(0, 0, 0)], after=OSError("No such device"))
    with Camera(0, opener=fake, stall_s=10 * HANG_S) as camera:
        frames = iter(camera)
        next(frames)
        with pytest.raises(MediaError, match=r"stopped giving pictures \(No such device\)"):
            next(frames)


def test_a_change_of_size_is_an_error() -> None:
    fake = FakeCapture([flat(0, 0, 0)])
    with Camera(0, opener=fake) as camera:  # which has taken the first picture
        fake.pictures.append(flat(0, 0, 0, 32, 16))
        with pytest.raises(MediaError, match="32x16; the first was"):
            list(camera)


def test_closing_ends_the_iteration_from_another_thread(
    finishes: Callable[[Callable[[], list[Frame]]], list[Frame]],
) -> None:
    fake = FakeCapture([flat(0, 0, 0)])
    camera = Camera(0, opener=fake, stall_s=10 * HANG_S)
    threading.Timer(0.2, camera.close).start()
    assert len(finishes(lambda: list(camera))) == 1


def test_only_the_newest_picture_waits() -> None:
    fake = FakeCapture([flat(value, value, value) for value in range(0, 200, 10)])
    with Camera(0, opener=fake, stall_s=5) as camera:
        frames = iter(camera)
        next(frames)
        assert fake.exhausted.wait(60)
        assert next(frames).y.max() == round(16 + 190 * 219 / 255)


@pytest.mark.parametrize(
    ("given", "device"), [(0, 0), ("0", 0), ("12", 12), ("/dev/video3", "/dev/video3")]
)
def test_devices_are_numbers_or_paths(given: int | str, device: Device) -> None:
    assert parse_device(given) == device


@pytest.mark.skipif(sys.platform != "linux", reason="device files")
def test_the_diagnosis_lists_what_is_there(tmp_path: Path) -> None:
    assert diagnose(0, tmp_path) == f"found no {tmp_path}/video*: is it plugged in?"
    (tmp_path / "video2").touch()
    assert diagnose(0, tmp_path) == f"found {tmp_path}/video2"
    assert "another program may be using it" in diagnose(2, tmp_path)
    if os.geteuid():
        (tmp_path / "video2").chmod(0)
        assert "join the group video" in diagnose(2, tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="device files")
def test_a_missing_camera_is_one_line_and_opencv_is_silent() -> None:
    code = (
        "from edge_sr.media.sources.camera import Camera\n"
        "from edge_sr.errors import MediaError\n"
        "try: Camera(97)\n"
        "except MediaError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=HANG_S
    )
    assert done.stdout.startswith("camera 97: cannot be opened; found ")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""
