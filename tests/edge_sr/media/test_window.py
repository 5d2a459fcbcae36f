from __future__ import annotations

import numpy as np
import pytest
from clips import frame

from edge_sr.errors import MediaError, MissingDependencyError
from edge_sr.media.sinks import window
from edge_sr.media.sinks.window import WindowSink, check_screen


class FakeCv2:
    """The part of OpenCV that shows windows; keeps what it was given to show."""

    WINDOW_NORMAL, WND_PROP_VISIBLE, WINDOW_GUI_NORMAL = 0, 4, 16

    class error(Exception):  # noqa: N801, N818
        err = "no display"

    def __init__(self, gui: str = "QT5", keys: tuple[int, ...] = ()) -> None:
        self.gui, self.keys = gui, list(keys)
        self.shown: list[np.ndarray] = []
        self.sizes: list[tuple[int, int]] = []
        self.visible, self.destroyed, self.broken = 1.0, 0, False

    def getBuildInformation(self) -> str:  # noqa: N802
        return f"  OpenCV\n  GUI:                           {self.gui}\n  Media I/O:\n"

    def namedWindow(self, title: str, flags: int) -> None:  # noqa: N802
        if self.broken:
            raise self.error

    def resizeWindow(self, title: str, width: int, height: int) -> None:  # noqa: N802
        self.sizes.append((width, height))

    def imshow(self, title: str, pixels: np.ndarray) -> None:
        self.shown.append(pixels)

    def waitKey(self, delay: int) -> int:  # noqa: N802
        return self.keys.pop(0) if self.keys else -1

    def getWindowProperty(self, title: str, prop: int) -> float:  # noqa: N802
        return self.visible

    def destroyWindow(self, title: str) -> None:  # noqa: N802
        self.destroyed += 1


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeCv2:
    found = FakeCv2()
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(window, "load_cv2", lambda: found)
    return found


def test_frames_are_shown_as_bgr(fake: FakeCv2) -> None:
    sink = WindowSink(title="x")
    sink.write(frame(0))
    assert fake.shown[0].shape == (48, 64, 3)
    assert fake.shown[0].flags.c_contiguous
    # u is below and v, at the right, above neutral: little blue, much red
    blue, _, red = fake.shown[0][:, -1].astype(int).mean(axis=0)
    assert red > blue + 50
    assert sink.finish() == "window: 1 frames shown"
    assert fake.destroyed == 1


@pytest.mark.parametrize("key", [27, ord("q"), 0x100000 | ord("q")])
def test_q_and_escape_close_it(fake: FakeCv2, key: int) -> None:
    fake.keys = [-1, ord("a"), key]
    sink = WindowSink()
    closed = []
    for number in range(4):
        sink.write(frame(number))
        closed.append(sink.closed)
    assert closed == [False, False, True, True]
    assert len(fake.shown) == 3


def test_its_own_button_closes_it(fake: FakeCv2) -> None:
    sink = WindowSink()
    sink.write(frame(0))
    fake.visible = 0
    sink.write(frame(1))
    assert sink.closed


def test_large_pictures_get_a_window_that_fits(fake: FakeCv2) -> None:
    WindowSink().write(frame(0, 3200, 1800))
    assert fake.sizes == [(1600, 900)]


def test_a_window_system_that_refuses_is_one_line(fake: FakeCv2) -> None:
    fake.broken = True
    with pytest.raises(MediaError, match=r"cannot be shown \(no display\); leave out --show"):
        WindowSink().write(frame(0))


def test_ending_before_the_first_frame_is_fine(fake: FakeCv2) -> None:
    sink = WindowSink()
    assert sink.abort() == ""
    assert fake.destroyed == 0


def test_a_build_without_windows_says_what_to_install() -> None:
    with pytest.raises(MissingDependencyError, match=r"pip install 'edge-sr\[window\]'"):
        check_screen(FakeCv2("NONE"), "linux", {"DISPLAY": ":0"})


def test_no_screen_says_what_to_leave_out() -> None:
    with pytest.raises(MissingDependencyError, match="no screen: neither DISPLAY"):
        check_screen(FakeCv2(), "linux", {"DISPLAY": ""})
    check_screen(FakeCv2(), "linux", {"WAYLAND_DISPLAY": "wayland-0"})
    check_screen(FakeCv2(), "win32", {})
