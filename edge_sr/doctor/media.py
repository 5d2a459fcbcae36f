"""Video: what OpenCV and FFmpeg were built with, encoders that really encode, cameras, a screen."""

from __future__ import annotations

import contextlib
import io
import os
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr.doctor.line import Line
from edge_sr.errors import EdgeSRError
from edge_sr.extras import JETSON, install_command, install_module, load_failure
from edge_sr.media.codec.encoder import BOARDS, EncoderPlan, try_encoder
from edge_sr.media.frame import Color
from edge_sr.media.libraries import load_av, load_cv2
from edge_sr.media.sinks.virtual_camera import LOOPBACK
from edge_sr.media.sources.capture import diagnose

DECODERS = ("h264", "hevc", "vp9", "av1", "mjpeg")
# encoder -> whether the default path needs it
ENCODERS = {
    "libx264": True,
    "libx265": False,
    "h264_nvenc": False,
    "hevc_nvenc": False,
    "h264_v4l2m2m": False,
}
PLAN = EncoderPlan(
    encoder="",
    size=(256, 256),
    time_base=Fraction(1, 30),
    rate=Fraction(30),
    aspect=Fraction(1),
    color=Color(),
    crf=18,
    preset="veryfast",
)


def lines() -> list[Line]:
    """What can be read, shown and written here; missing packages are in `packages`."""
    found: list[Line] = []
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # NumPy 2 beside JetPack's OpenCV
            cv2 = load_cv2()
        found += opencv_lines(cv2.getBuildInformation(), os.environ, sys.platform)
    except EdgeSRError as error:
        known = load_failure("cv2", str(error.__cause__))
        text, advice = known or (str(error), install_module("cv2"))
        found.append(Line("video", "OpenCV", "broken", text, advice))
    try:
        found += _ffmpeg(load_av())
    except EdgeSRError as error:
        found.append(Line("video", "FFmpeg", "broken", str(error), install_command("cpu")))
    return [*found, *camera_lines(Path("/dev"))]


def opencv_lines(build: str, environment: Mapping[str, str], platform: str) -> list[Line]:
    """What OpenCV's build information says about windows and GStreamer."""

    def part(name: str) -> str:
        match = re.search(rf"{name}:\s*(\S+)", build)
        return match[1] if match else "NO"

    gui, gstreamer = part("GUI"), part("GStreamer")
    screens = ("DISPLAY", "WAYLAND_DISPLAY")
    screen = platform != "linux" or any(environment.get(name) for name in screens)
    if gui in ("NONE", "NO"):
        python = sys.executable or "python3"
        advice = f"{python} -m pip uninstall -y opencv-python-headless"
        if not JETSON.is_file():  # JetPack's own OpenCV has windows; pip's hides it
            advice += f" && {install_command('window')}"
        state = "gap" if screen else "note"  # without a screen there is nothing to gain
        window = Line("video", "window", state, "this OpenCV has none", advice if screen else "")
    elif not screen:
        window = Line("video", "window", "note", f"{gui}, but no screen here; use --serve")
    else:
        window = Line("video", "window", "ok", gui)
    if gstreamer == "YES":
        csi = Line("video", "GStreamer", "ok", "in OpenCV; csi:// cameras can be read")
    elif Path("/etc/nv_tegra_release").is_file():
        advice = f"{sys.executable} -m pip uninstall -y opencv-python opencv-python-headless && "
        advice += "sudo apt-get install -y python3-opencv"
        csi = Line("video", "GStreamer", "gap", "not in this OpenCV: no csi:// cameras", advice)
    else:
        csi = Line("video", "GStreamer", "note", "not in this OpenCV; only a Jetson's csi:// needs")
    return [window, csi]


def _ffmpeg(av: Any) -> list[Line]:
    names = set(av.codecs_available)
    missing = [name for name in DECODERS if name not in names]
    present = ", ".join(name for name in DECODERS if name in names)
    state = "broken" if "h264" in missing else "ok"
    advice = install_command("cpu") if state == "broken" else ""
    found = [Line("video", "decoders", state, present, advice)]
    for name, needed in ENCODERS.items():
        if "v4l2" in name and platform.machine() != BOARDS:
            continue
        why = try_encoder(av, replace(PLAN, encoder=name))
        if not why:
            found.append(Line("video", name, "ok", "encodes"))
        elif needed:
            found.append(Line("video", name, "broken", why, install_command("cpu")))
        else:
            found.append(Line("video", name, "note", why))
    return found


def camera_lines(devices: Path) -> list[Line]:
    """Cameras that the kernel shows, and loopback devices that a virtual camera can use."""
    nodes = sorted(devices.glob("video*"))
    if not nodes:
        cameras = Line("video", "cameras", "note", f"no {devices}/video*: none is plugged in")
    else:
        closed = [node for node in nodes if not os.access(node, os.R_OK | os.W_OK)]
        shown = ", ".join(str(node) for node in nodes)
        if closed:
            advice = "sudo usermod -aG video $USER  # then log in again"
            cameras = Line("video", "cameras", "gap", diagnose(str(closed[0]), devices), advice)
        else:
            cameras = Line("video", "cameras", "ok", shown)
    if Path("/sys/module/v4l2loopback").exists():
        loopback = Line("video", "virtual camera", "ok", "v4l2loopback is loaded")
    else:
        loopback = Line("video", "virtual camera", "gap", "v4l2loopback is not loaded", LOOPBACK)
    return [cameras, loopback]
