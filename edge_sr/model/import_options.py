"""What a user can say of an external model, and the options of a command line that say it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from fractions import Fraction

from edge_sr.errors import UsageError
from edge_sr.files import parse_ratio
from edge_sr.model.value_range import AUTO, add_range_options, check_range, ranges_of

LAYOUTS = ("nchw", "nhwc")
CHANNELS = {"luma": 1, "rgb": 3}


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """What the user says of an external model; the rest is found by running it."""

    input_range: str = AUTO  # a key of RANGES
    output_range: str = AUTO
    layout: str = AUTO  # "nchw" or "nhwc", of both sides
    channels: int | None = None  # 1 or 3
    scale: Fraction | None = None
    output_name: str = ""  # of the picture among several outputs
    custom_objects: str = ""  # a Python file with the layers of a Keras model; it is run
    trust: bool = False  # of a Keras model: code that is stored in it may run

    @property
    def key(self) -> str:
        """One line that differs where the options differ."""
        return (
            f"{self.input_range} {self.output_range} {self.layout} {self.channels} {self.scale} "
            f"{self.output_name}"
        )

    @property
    def arguments(self) -> list[str]:
        """The same, as arguments of a command with `add_import_options`."""
        kinds = {count: name for name, count in CHANNELS.items()}
        found = {
            "--input-range": self.input_range,
            "--output-range": self.output_range,
            "--layout": self.layout,
            "--channels": kinds.get(self.channels or 0, AUTO),
            "--scale": AUTO if self.scale is None else str(self.scale),
            "--output-name": self.output_name or AUTO,
            "--custom-objects": self.custom_objects or AUTO,
        }
        said = [f"{name}={value}" for name, value in found.items() if value != AUTO]
        return [*said, *(["--trust"] if self.trust else [])]

    @property
    def for_onnx(self) -> list[str]:
        """Names of the options that were given and that ONNX files alone have."""
        return self._named("--layout", "--channels", "--scale", "--output-name")

    @property
    def for_keras(self) -> list[str]:
        """Names of the options that were given and that Keras files alone have."""
        return self._named("--custom-objects", "--trust")

    def _named(self, *names: str) -> list[str]:
        return [name for item in self.arguments if (name := item.partition("=")[0]) in names]


def options_from(
    *,
    range_: str | None = None,
    input_range: str | None = None,
    output_range: str | None = None,
    layout: str | None = None,
    channels: str | None = None,
    output_name: str | None = None,
    custom_objects: str | None = None,
    trust: bool = False,
) -> ImportOptions:
    """The options from their texts, as a configuration or a program in Python has them.

    Raises:
        UsageError: a range, a layout or channels that do not exist.
    """
    both = range_ or AUTO
    if layout not in (None, *LAYOUTS):
        raise UsageError(f"layout is {layout!r}; expected {' or '.join(LAYOUTS)}")
    if channels not in (None, *CHANNELS):
        raise UsageError(f"channels is {channels!r}; expected {' or '.join(CHANNELS)}")
    return ImportOptions(
        input_range=check_range(input_range or both),
        output_range=check_range(output_range or both),
        layout=layout or AUTO,
        channels=CHANNELS.get(channels or ""),
        output_name=output_name or "",
        custom_objects=custom_objects or "",
        trust=trust,
    )


def add_import_options(parser: argparse.ArgumentParser, *, scale: bool = True) -> None:
    """Add the options of external models: ranges, layout, channels, scale, output; code of Keras.

    Args:
        scale: False for a command whose ``--scale`` means something else.
    """
    add_range_options(parser)
    group = parser.add_argument_group("external models (default: found by running them)")
    group.add_argument("--layout", choices=LAYOUTS, help="order of the axes, both ways")
    group.add_argument("--channels", choices=tuple(CHANNELS), help="what the frames are")
    if scale:
        group.add_argument("--scale", type=_scale, help="side of the result / side of the frame: 2")
    group.add_argument(
        "--output-name", metavar="NAME", help="which of several outputs is the picture"
    )
    add_code_options(parser)


def add_code_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--custom-objects`` and ``--trust``."""
    code = parser.add_argument_group("code that comes with a Keras model")
    code.add_argument(
        "--custom-objects",
        metavar="FILE.py",
        help="a Python file with the model's own layers; it is run, in a child process",
    )
    code.add_argument(
        "--trust",
        action="store_true",
        help="open what can run code that is stored in it: Lambda layers, .h5, SavedModel folders",
    )


def import_options(args: argparse.Namespace) -> ImportOptions:
    """What a command line with `add_import_options` says."""
    taken, given = ranges_of(args)
    return ImportOptions(
        input_range=taken,
        output_range=given,
        layout=args.layout or AUTO,
        channels=CHANNELS.get(args.channels or ""),
        scale=vars(args).get("scale"),
        output_name=args.output_name or "",
        custom_objects=args.custom_objects or "",
        trust=args.trust,
    )


def _scale(text: str) -> Fraction:
    try:
        return parse_ratio(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a number, as 2 or 3/2") from error
