"""Values on the command line: text in, checked values out.

Each raises argparse.ArgumentTypeError for any other text.
"""

from __future__ import annotations

import argparse
import ipaddress
from fractions import Fraction

from edge_sr.backend import DEVICE
from edge_sr.backend.protocol import SIDES
from edge_sr.cuda.driver import select_gpu
from edge_sr.errors import UsageError
from edge_sr.files import parse_ratio
from edge_sr.session.calm import parse_calm
from edge_sr.session.strength import check_strength


def size(text: str) -> tuple[int, int]:
    """ "1280x720" -> (1280, 720): columns, rows."""
    columns, separator, rows = text.lower().partition("x")
    if not (separator and columns.isdecimal() and rows.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r}; expected WIDTHxHEIGHT, as 1280x720")
    return int(columns), int(rows)


def frame_size(text: str) -> tuple[int, int]:
    """As `size`, of frames that a network takes: sides of 4 to 8192 pixels."""
    columns, rows = size(text)
    if columns not in SIDES or rows not in SIDES:
        raise argparse.ArgumentTypeError(f"{text!r}; expected sides of 4 to 8192 pixels")
    return columns, rows


def at_least_one(text: str) -> int:
    """A whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a whole number of 1 or more")
    return int(text)


def at_least_zero(text: str) -> int:
    """A whole number of 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}; expected a whole number of 0 or more")
    return int(text)


def milliseconds(text: str) -> float:
    """A time above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r}; expected milliseconds, as 40")
    return value


def calm(text: str) -> str:
    """ "off", "auto", or a number from 0 to 1."""
    try:
        return parse_calm(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def strength(text: str) -> float:
    """A number from 0 to 1.5."""
    try:
        return check_strength(float(text))
    except (UsageError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a number from 0 to 1.5") from error


def frame_rate(text: str) -> Fraction:
    """ "25", "29.97" or "30000/1001": above 0 and up to 1000."""
    try:
        rate = parse_ratio(text)
    except ValueError:
        rate = Fraction(0)
    if not 0 < rate <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r}; expected frames a second, as 25 or 30000/1001")
    return rate


def crf(text: str) -> int:
    """0 (lossless) to 51."""
    if not text.isdecimal() or int(text) > 51:
        raise argparse.ArgumentTypeError(f"{text!r}; expected 0 (lossless) to 51")
    return int(text)


def bind_address(text: str) -> tuple[str, int]:
    """ "8080" -> ("127.0.0.1", 8080); "0.0.0.0:8080" and "[::]:8080" as they say."""
    host, separator, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if separator else "127.0.0.1"
    if host == "localhost":
        host = "127.0.0.1"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        host = ""
    if not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r}; expected PORT or ADDRESS:PORT, as 8080")
    return host, int(port)


class DeviceAction(argparse.Action):
    """Chooses the GPU while the command line is read: before anything asks CUDA.

    "CPU", "GPU" and "NPU" are OpenVINO's and only kept.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,  # noqa: ARG002 - argparse gives it
    ) -> None:
        """Bind the process to the GPU, and keep what was given."""
        try:
            if not DEVICE.fullmatch(str(values)):
                select_gpu(str(values))
        except UsageError as error:
            parser.error(str(error))
        setattr(namespace, self.dest, str(values))


def add_device(parser: argparse._ActionsContainer) -> None:
    """Add ``--device N|UUID|NAME``."""
    parser.add_argument(
        "--device",
        action=DeviceAction,
        default=argparse.SUPPRESS,
        metavar="N|UUID|NAME",
        help="the GPU, as nvidia-smi -L lists them (default: the first that CUDA gives); with "
        "--backend openvino CPU, GPU or NPU",
    )
