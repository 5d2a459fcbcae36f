"""One finding of the doctor, and the commands that close gaps."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

STATES = ("ok", "note", "gap", "broken")


@dataclass(frozen=True)
class Line:
    """What was found, and what to do about it.

    ``state`` is "ok"; "note" for a plain fact; "gap" for something optional that is missing;
    "broken" where the default path (file in, ONNX Runtime on the CPU, file out) does not work.
    """

    group: str
    name: str
    state: str
    found: str
    advice: str = ""  # the command that closes the gap


def is_broken(lines: Sequence[Line]) -> bool:
    """Whether the default path does not work here."""
    return any(line.state == "broken" for line in lines)


def install_command(extra: str) -> str:
    """The pip command, for this interpreter, that brings what an extra of edge-sr names."""
    python = shlex.quote(sys.executable or "python3")
    try:
        metadata.version("edge-sr")
    except metadata.PackageNotFoundError:
        root = Path(__file__).parents[2]
        if (root / "pyproject.toml").is_file():  # a checkout that was never installed
            return f"{python} -m pip install --editable {shlex.quote(f'{root}[{extra}]')}"
    return f"{python} -m pip install 'edge-sr[{extra}]'"


def version_of(*distributions: str) -> str | None:
    """The version of the first of these distributions that is installed."""
    for name in distributions:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None
