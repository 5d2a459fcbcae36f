"""A camera that other programs can choose, made of our frames (v4l2loopback on Linux)."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from edge_sr.errors import MediaError, MissingDependencyError
from edge_sr.media.frame import Frame, StreamInfo
from edge_sr.media.planes import reduce_frame
from edge_sr.media.protocols import SinkBase

LOOPBACK = (
    "sudo apt-get install -y v4l2loopback-dkms && "
    "sudo modprobe v4l2loopback devices=1 exclusive_caps=1"
)
DEFAULT_FPS = 30.0
# a loopback device has no tag for the range, and programs take its I420 for limited range
LEVELS = np.arange(256)
LUMA = np.rint(16 + LEVELS * 219 / 255).astype(np.uint8)
CHROMA = np.rint(128 + (LEVELS - 128) * 224 / 255).astype(np.uint8)


class VirtualCameraSink(SinkBase):
    """Sends frames to a virtual camera; video calls see it as any other."""

    def __init__(self, device: str | None = None, *, source: StreamInfo) -> None:
        """Check that the library is there; the camera opens at the first frame.

        Args:
            device: such as /dev/video10; None for the first loopback device that is free.
            source: where the frame rate is taken from.

        Raises:
            MissingDependencyError: pyvirtualcam is not installed.
        """
        try:
            import pyvirtualcam
        except ImportError as error:
            raise MissingDependencyError(
                "pyvirtualcam is needed for --virtual-camera: pip install 'edge-sr[virtual-camera]'"
            ) from error
        self._library: Any = pyvirtualcam
        self._device = device
        self._fps = float(source.frame_rate or DEFAULT_FPS)
        self._camera: Any = None
        self.frames = 0

    def write(self, frame: Frame) -> None:
        """Send one frame; an odd last column or row is left out.

        Raises:
            MediaError: there is no loopback device, or it is in use.
        """
        frame = reduce_frame(frame)
        height, width = (side & ~1 for side in frame.y.shape)
        if self._camera is None:
            self._open(width, height)
        half = (slice(height // 2), slice(width // 2))
        planes = (frame.y[:height, :width], frame.u[half], frame.v[half])
        if frame.color.full_range:
            planes = (LUMA[planes[0]], CHROMA[planes[1]], CHROMA[planes[2]])
        packed = np.concatenate([np.ascontiguousarray(plane).reshape(-1) for plane in planes])
        try:
            self._camera.send(packed)
        except (RuntimeError, ValueError, OSError) as error:
            raise MediaError(f"virtual camera: {error}") from error
        self.frames += 1

    def finish(self, *, complete: bool = True) -> str:  # noqa: ARG002 - it keeps nothing
        """Close the camera. Returns a line with the count."""
        name = "none" if self._camera is None else self._camera.device
        self.abort()
        return f"virtual camera {name}: {self.frames} frames sent"

    def abort(self) -> str:
        """Close the camera."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None
        return ""

    def _open(self, width: int, height: int) -> None:
        try:
            self._camera = self._library.Camera(
                width,
                height,
                self._fps,
                fmt=self._library.PixelFormat.I420,
                device=self._device,
            )
        except (RuntimeError, ValueError, OSError) as error:
            why = re.split(r"(?<=[.\]])\s+Did you", str(error))[0].rstrip(".")
            raise MediaError(f"virtual camera: {why}; make one: {LOOPBACK}") from error
