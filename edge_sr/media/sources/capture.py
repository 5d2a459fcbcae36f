"""Opening cameras with OpenCV, without its own messages, and with a clear reason on failure."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from edge_sr.errors import MediaError, MissingDependencyError, UsageError
from edge_sr.media.libraries import load_cv2
from edge_sr.media.sources.pictures import BGR, JPEG, NV12, YUYV, Picture
from edge_sr.types import Size

Device = int | str  # a number, or a path such as /dev/video0
CSI = re.compile(r"csi://(\d+)", re.ASCII)  # a Jetson's cameras, through GStreamer
_lock = threading.Lock()
_levels: list[int] = []  # OpenCV's before `quiet`, once for each that is in it
FORMATS = (JPEG, YUYV, NV12)  # MJPG first: USB 2 carries 720p at 30 fps only compressed


class Capture(Protocol):
    """The part of cv2.VideoCapture that is used; tests bring their own."""

    def isOpened(self) -> bool:  # noqa: N802
        """Whether there is a device behind it."""
        ...

    def read(self) -> tuple[bool, Picture | None]:
        """(whether there is one, the next picture, uint8 in the layout that it was opened with)."""
        ...

    def get(self, prop: int, /) -> float:
        """A property, by its number in cv2."""
        ...

    def release(self) -> None:
        """Give the device back."""
        ...


class Opened(NamedTuple):
    """An open camera and how its pictures are laid out."""

    capture: Capture
    layout: str  # one of `pictures.converter`
    size: Size | None = None  # where a picture may come as bytes in a row


def parse_device(device: int | str | os.PathLike[str]) -> Device:
    """ "0" and 0 are the first camera; anything else is the path of a device."""
    text = os.fspath(device) if not isinstance(device, int) else str(device)
    return int(text) if text.isascii() and text.isdigit() else text


def device_name(device: Device) -> str:
    """For messages: 0 -> "camera 0"."""
    return f"camera {device}"


def open_capture(
    device: Device, width: int, height: int, fps: float, *, pixels: str = FORMATS[0]
) -> Opened:
    """Open a camera and ask it for a size, a rate and a format; it may decide otherwise.

    On Linux, pictures in one of FORMATS come as the driver writes them. Others, and those of other
    systems, are BGR.

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
        found = format_name(capture.get(cv2.CAP_PROP_FOURCC))
        raw = backend == cv2.CAP_V4L2 and found in FORMATS
        if raw and capture.set(cv2.CAP_PROP_CONVERT_RGB, 0):
            sides = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
            return Opened(capture, found, Size(*(round(capture.get(side)) for side in sides)))
    return Opened(capture, BGR)


def sensor_id(address: str) -> int:
    """ "csi://0" -> 0.

    Raises:
        UsageError: another form.
    """
    match = CSI.fullmatch(address)
    if not match:
        raise UsageError(f"{address}: not understood; expected csi://N with a sensor number")
    return int(match[1])


@dataclass(frozen=True)
class CsiElements:
    """The part of a GStreamer pipeline that only a Jetson has; tests have another source."""

    source: str = "nvarguscamerasrc sensor-id={sensor}"
    memory: str = "(memory:NVMM)"
    convert: str = "nvvidconv"


JETSON = CsiElements()


def gstreamer_pipeline(
    sensor: int, width: int, height: int, fps: float, elements: CsiElements = JETSON
) -> str:
    """What GStreamer runs: the newest picture as NV12, as the sensor's processor makes it."""
    size = f"width={width},height={height},framerate={round(fps)}/1"
    return (
        f"{elements.source.format(sensor=sensor)} ! video/x-raw{elements.memory},{size} ! "
        f"{elements.convert} ! video/x-raw,format=NV12 ! "
        "appsink drop=true max-buffers=1 sync=false"
    )


def open_csi(
    device: Device, width: int, height: int, fps: float, elements: CsiElements = JETSON
) -> Opened:
    """Open a CSI camera; takes the place of `open_capture`.

    Raises:
        MissingDependencyError: this OpenCV was built without GStreamer, as PyPI's are.
        MediaError: the camera cannot be opened.
    """
    cv2 = load_cv2()
    sensor = sensor_id(str(device))
    if not re.search(r"GStreamer:\s*YES", cv2.getBuildInformation()):
        raise MissingDependencyError(
            f"{device}: this OpenCV has no GStreamer; a Jetson's own has it: pip uninstall "
            "opencv-python opencv-python-headless, then sudo apt-get install python3-opencv"
        )
    with quiet(cv2):
        pipeline = gstreamer_pipeline(sensor, width, height, fps, elements)
        capture: Any = cv2.VideoCapture(pipeline, cv2.CAP_GSTREAMER)
        if not capture.isOpened():
            capture.release()
            raise MediaError(
                f"camera {device}: cannot be opened; is sensor {sensor} connected? if another "
                "program was killed while it used it: sudo systemctl restart nvargus-daemon"
            )
    return Opened(capture, NV12)


def format_name(code: float) -> str:
    """A FOURCC as OpenCV reports it: 1196444237.0 -> "MJPG"; "" where it is none."""
    letters = bytes(int(code) >> shift & 255 for shift in (0, 8, 16, 24)) if code >= 0 else b""
    return letters.decode() if letters.isalnum() else ""


def diagnose(device: Device, folder: Path = Path("/dev")) -> str:
    """Why a camera may not open: the cameras there are, or who may use this one."""
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
    """Keep OpenCV from printing its own lines about a failure that we report.

    Several threads may be in it at a time: the level, which is the process's, is as before when the
    last one leaves.
    """
    logging = cv2 if hasattr(cv2, "setLogLevel") else getattr(cv2.utils, "logging", None)  # 4.x, 5
    if logging is None:  # a build without it
        yield
        return
    with _lock:
        if not _levels:
            _levels.append(logging.getLogLevel())
            logging.setLogLevel(0)  # LOG_LEVEL_SILENT
        else:
            _levels.append(_levels[0])
    try:
        yield
    finally:
        with _lock:
            before = _levels.pop()
            if not _levels:
                logging.setLogLevel(before)
