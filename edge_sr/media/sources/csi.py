"""A Jetson's CSI cameras: ``csi://0`` through GStreamer."""

from __future__ import annotations

import re
from typing import Any

from edge_sr.errors import MediaError, MissingDependencyError, UsageError
from edge_sr.media.libraries import load_cv2
from edge_sr.media.sources.capture import Capture, Device, quiet

URL = re.compile(r"csi://(\d+)", re.ASCII)


def sensor_id(address: str) -> int:
    """ "csi://0" -> 0.

    Raises:
        UsageError: another form.
    """
    match = URL.fullmatch(address)
    if not match:
        raise UsageError(f"{address}: not understood; expected csi://N with a sensor number")
    return int(match[1])


def gstreamer_pipeline(sensor: int, width: int, height: int, fps: float) -> str:
    """What GStreamer runs: the newest picture as BGR, nothing queued."""
    return (
        f"nvarguscamerasrc sensor-id={sensor} ! "
        f"video/x-raw(memory:NVMM),width={width},height={height},framerate={round(fps)}/1 ! "
        "nvvidconv ! video/x-raw,format=BGRx ! videoconvert ! video/x-raw,format=BGR ! "
        "appsink drop=true max-buffers=1 sync=false"
    )


def open_csi(device: Device, width: int, height: int, fps: float) -> Capture:
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
        pipeline = gstreamer_pipeline(sensor, width, height, fps)
        capture: Any = cv2.VideoCapture(pipeline, cv2.CAP_GSTREAMER)
        if not capture.isOpened():
            capture.release()
            raise MediaError(
                f"camera {device}: cannot be opened; is sensor {sensor} connected? if another "
                "program was killed while it used it: sudo systemctl restart nvargus-daemon"
            )
    return capture  # type: ignore[no-any-return]
