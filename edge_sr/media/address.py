"""Addresses of inputs: what kind each is, and how to show one without its secrets."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from edge_sr.errors import UsageError
from edge_sr.media.stills.formats import is_animation, is_image, sniff_image

VIDEO = (
    ".264", ".265", ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv",
    ".h264", ".h265", ".hevc", ".ivf", ".m1v", ".m2t", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg",
    ".mkv", ".mod", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".obu", ".ogm", ".ogv",
    ".rm", ".rmvb", ".tod", ".ts", ".vob", ".webm", ".wmv", ".wtv", ".y4m",
)  # fmt: skip
NETWORK = ("rtsp://", "rtsps://", "http://", "https://")
ENVIRONMENT = "env:"
# greedy on purpose: a password may hold @, /, quotes and blanks; hiding too much is the safe side
CREDENTIALS = re.compile(r"(?<=://).*@", re.DOTALL)
QUERY = re.compile(r"(?<=\w)\?[^\s'\"]*=[^\s'\"]*")


class Kind(Enum):
    """What an input is."""

    CAMERA = "camera"  # a number, or a device such as /dev/video0
    CSI = "CSI camera"  # csi://0
    NETWORK = "network stream"  # rtsp://..., http://...
    PATTERN = "test picture"  # test://
    STDIN = "standard input"  # -
    FOLDER = "folder"
    IMAGE = "image file"
    FILE = "video file"  # everything else, whether it exists or not


LIVE = (Kind.CAMERA, Kind.CSI, Kind.NETWORK)


@dataclass(frozen=True)
class Address:
    """An input, and what kind it is."""

    kind: Kind
    text: str = field(repr=False)  # may hold a password

    @property
    def live(self) -> bool:
        """Whether frames come at their own pace: cameras and network streams."""
        return self.kind in LIVE

    @property
    def path(self) -> Path:
        """The path of a folder, an image or a video file."""
        return Path(self.text)


def parse_address(text: str, *, camera: bool = False) -> Address:
    """The kind of an input. Looks at its name, whether it is a folder, whether a GIF, PNG or
    WebP file is an animation, and at the first bytes where the name does not say what it is.

    Args:
        text: "0", /dev/video0, csi://0, rtsp://..., http://..., test://..., "-", a path, or
            env:NAME for any of these in an environment variable.
        camera: whether a path is the path of a camera.

    Raises:
        UsageError: it is empty, or there is no such variable.
    """
    text = resolve_address(text)
    if not text:
        raise UsageError('the input is ""; expected a path, a camera or an address')
    kind = _kind(text, camera)
    if kind is Kind.CAMERA and not text.isdigit():
        text = str(Path(text).absolute())  # a device of another name
    return Address(kind, text)


def _kind(text: str, camera: bool) -> Kind:
    lower = text.lower()
    if (text.isascii() and text.isdigit()) or lower.startswith("/dev/video"):
        return Kind.CAMERA
    if lower.startswith(NETWORK):
        return Kind.NETWORK
    for start, kind in (("csi://", Kind.CSI), ("test://", Kind.PATTERN)):
        if lower.startswith(start):
            return kind
    if camera:
        return Kind.CAMERA
    if text == "-":
        return Kind.STDIN
    path = Path(text)
    with contextlib.suppress(OSError, ValueError):  # no name that a file can have: no such file
        if path.is_dir():
            return Kind.FOLDER
    if is_image(path):
        return Kind.FILE if is_animation(path) else Kind.IMAGE
    return Kind.IMAGE if not is_media(path) and sniff_image(path) else Kind.FILE


def is_media(path: Path) -> bool:
    """Whether a name ends like a video or image file, and so hardly is the name of a folder."""
    return is_image(path) or path.suffix.lower() in VIDEO


def hide_credentials(text: str) -> str:
    """A text without what stands before the @ of its addresses, and without their queries.

    >>> hide_credentials("rtsp://me:secret@cam/1?key=abc refused")
    'rtsp://***@cam/1?*** refused'
    """
    return QUERY.sub("?***", CREDENTIALS.sub("***@", text))


def resolve_address(text: str) -> str:
    """The address itself, or the one in an environment variable: ``env:NAME``.

    A variable keeps a password out of the process list and of service files.

    Raises:
        UsageError: there is no such variable.
    """
    if not text.startswith(ENVIRONMENT):
        return text
    name = text.removeprefix(ENVIRONMENT)
    found = os.environ.get(name)
    if not found:
        raise UsageError(f"{text}: the environment variable {name} is not set; export it first")
    return found
