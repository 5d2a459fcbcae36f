"""The foreign packages of this folder, imported when they are needed and not before."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from edge_sr.errors import MissingDependencyError

SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")
INSTALL = "pip install 'edge-sr[cpu]'"


def load_av() -> Any:
    """PyAV, for video files.

    Where there is a screen, OpenCV is loaded before it: PyAV's copies of the X libraries, loaded
    first, make the windows of PyPI's opencv-python hang.

    Raises:
        MissingDependencyError: it is not installed, or does not load here.
    """
    if any(os.environ.get(name) for name in SCREENS):
        with contextlib.suppress(ImportError):  # reported by who needs it
            import cv2  # noqa: F401
    try:
        import av
    except ImportError as error:
        raise _missing("PyAV", "video files", error) from error
    return av


def load_cv2() -> Any:
    """OpenCV, for cameras, windows and resizing.

    Raises:
        MissingDependencyError: it is not installed, or does not load here.
    """
    try:
        import cv2
    except ImportError as error:
        raise _missing("OpenCV", "cameras, windows and resizing", error) from error
    return cv2


def load_pillow() -> Any:
    """Pillow's ``PIL`` with its parts for colour, turning and TIFF loaded, for still images.

    Raises:
        MissingDependencyError: it is not installed, or does not load here.
    """
    try:
        import PIL.Image
        import PIL.ImageCms
        import PIL.ImageOps
        import PIL.TiffImagePlugin
    except ImportError as error:
        raise _missing("Pillow", "image files", error) from error
    return PIL


def _missing(package: str, need: str, error: ImportError) -> MissingDependencyError:
    if isinstance(error, ModuleNotFoundError):
        return MissingDependencyError(f"{package} is needed for {need}: {INSTALL}")
    return MissingDependencyError(
        f"{package} is needed for {need} and does not load ({error}); reinstall it: {INSTALL}"
    )
