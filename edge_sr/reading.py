"""Values in files and streams of somebody else's, read within bounds."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from typing import Any

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
