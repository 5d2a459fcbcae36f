"""Reading files that others made within bounds; writing files that appear whole or not at all."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_sr.errors import EdgeSRError

RATIO = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(?:[:/](\d{1,9}))?", re.ASCII)


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: not JSON, not UTF-8, or nested too deeply to be read.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def parse_ratio(text: str) -> Fraction:
    """ "3/2", "3:2", "1.5" or "2" -> a fraction of 0 or more.

    `Fraction` itself takes "1e999999999" and computes for hours.

    Raises:
        ValueError: something else, more than nine digits, or a division by zero.
    """
    found = RATIO.fullmatch(text)
    if not found or int(found[2] or 1) == 0:
        raise ValueError(f"{text!r}; expected a ratio, as 3/2")
    return Fraction(found[1]) / int(found[2] or 1)


@contextmanager
def whole_file(path: Path, *, error: type[EdgeSRError]) -> Iterator[Path]:
    """Gives a path beside ``path`` to write to; it gets that name, replacing what had it, at last.

    Raises:
        error: it cannot be written. Whatever is raised, what was there stays.
    """
    part = path.with_name(path.name + ".part")
    try:
        yield part
        os.replace(part, path)
    except OSError as found:
        raise error(f"{path}: cannot be written ({found.strerror or found})") from found
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path, *, error: type[EdgeSRError]) -> Iterator[Path]:
    """As `whole_file`, for a folder: gives an empty one.

    Raises:
        error: it cannot be written. Whatever is raised before the end, what was there stays.
    """
    part = path.with_name(path.name + ".part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        if path.exists():
            shutil.rmtree(path)
        os.replace(part, path)
    except OSError as found:
        raise error(f"{path}: cannot be written ({found.strerror or found})") from found
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_whole(path: Path, text: str, *, error: type[EdgeSRError]) -> None:
    """Write a text file in UTF-8, replacing one that is there.

    Raises:
        error: it cannot be written; what was there stays.
    """
    with whole_file(path, error=error) as part:
        part.write_text(text, encoding="utf-8")
