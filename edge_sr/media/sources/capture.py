"""Opening a camera with OpenCV, without its chatter, and saying plainly why that failed."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import MediaError
from edge_sr.media.libraries import load_cv2

Device = int | str  # a number, or a path such as /dev/video0
FORMATS = ("MJPG", "YUYV", "NV12")  # MJPG first: USB 2 carries 720p at 30 fps only compressed


class Capture(Protocol):
    """The part of cv2.VideoCapture that is used; tests bring their own."""

    def isOpened(self) -> bool:  # noqa: N802
        """Whether there is a device behind it."""
        ...

    def read(self) -> tuple[bool, NDArray[np.uint8] | None]:
        """(whether there is one, the next frame: uint8 (H, W, 3) BGR, or raw bytes)."""
        ...

    def get(self, prop: int, /) -> float:
        """A property, by its number in cv2."""
        ...

    def release(self) -> None:
        """Give the device back."""
        ...


def parse_device(device: int | str | os.PathLike[str]) -> Device:
    """ "0" and 0 are the first camera; anything else is the path of a device."""
    text = os.fspath(device) if not isinstance(device, int) else str(device)
    return int(text) if text.isascii() and text.isdigit() else text


def device_name(device: Device) -> str:
    """For messages: 0 -> "camera 0"."""
    return f"camera {device}"


def open_capture(
    device: Device, width: int, height: int, fps: float, *, pixels: str = FORMATS[0]
) -> Capture:
    """Open a camera and ask it for a size, a rate and a format; it may decide otherwise.

    Args:
        pixels: one of FORMATS.

    Raises:
        MediaError: it cannot be opened; says which cameras there are.
        MissingDependencyError: OpenCV is not installed.
    """
    cv2 = load_cv2()
    with quiet(cv2):
        backend = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
        capture: Any = cv2.VideoCapture(device, backend)
        if not capture.isOpened():
            capture.release()
            raise MediaError(f"{device_name(device)}: cannot be opened; {diagnose(device)}")
        # the order matters to some drivers
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*pixels))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        capture.set(cv2.CAP_PROP_FPS, fps)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return capture  # type: ignore[no-any-return]


def format_name(code: float) -> str:
    """A FOURCC as OpenCV tells it: 1196444237.0 -> "MJPG"; "" where it is none."""
    letters = bytes(int(code) >> shift & 255 for shift in (0, 8, 16, 24)) if code >= 0 else b""
    return letters.decode() if letters.isalnum() else ""


def diagnose(device: Device, folder: Path = Path("/dev")) -> str:
    """Why a camera may not open, in a few words: the cameras there are, or who may use this one."""
    if sys.platform != "linux":
        return "is it plugged in, and may this program use it?"
    nodes = sorted(folder.glob("video*"))
    wanted = folder / f"video{device}" if isinstance(device, int) else Path(device)
    if not wanted.exists():
        found = ", ".join(str(node) for node in nodes)
        return f"found {found}" if found else f"found no {folder}/video*: is it plugged in?"
    if not os.access(wanted, os.R_OK | os.W_OK):
        return f"{wanted} may not be used: join the group video (sudo usermod -aG video $USER)"
    return f"{wanted} exists: another program may be using it, or it is not a camera"


@contextlib.contextmanager
def quiet(cv2: Any) -> Iterator[None]:
    """Keep OpenCV from printing its own lines about a failure that we report."""
    try:
        logging = cv2.utils.logging
    except AttributeError:  # a build without it
        yield
        return
    before = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT if hasattr(logging, "LOG_LEVEL_SILENT") else 0)
    try:
        yield
    finally:
        logging.setLogLevel(before)
