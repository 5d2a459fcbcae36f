"""The foreign packages of this folder, imported when they are needed and not before."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from edge_sr.errors import MissingDependencyError
from edge_sr.extras import LOAD_ERRORS, install_module, load_failure

SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")


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
        raise _missing("av", "PyAV", "video files", error) from error
    return av


def load_cv2() -> Any:
    """OpenCV, for cameras, windows and resizing.

    Raises:
        MissingDependencyError: it is not installed, or does not load here.
    """
    try:
        import cv2
    except LOAD_ERRORS as error:
        raise _missing("cv2", "OpenCV", "cameras, windows and resizing", error) from error
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
        raise _missing("PIL", "Pillow", "image files", error) from error
    return PIL


def _missing(module: str, package: str, need: str, error: Exception) -> MissingDependencyError:
    needed, install = f"{package} is needed for {need}", install_module(module)
    if isinstance(error, ModuleNotFoundError):
        return MissingDependencyError(f"{needed}: {install}")
    if known := load_failure(module, str(error)):
        return MissingDependencyError(f"{needed} and {known[0]}: {known[1]}")
    return MissingDependencyError(f"{needed} and does not load ({error}); reinstall it: {install}")
