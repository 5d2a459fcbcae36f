"""--scale and --target in numbers."""

from __future__ import annotations

import argparse
from fractions import Fraction

import pytest

from edge_sr.errors import UsageError
from edge_sr.pipeline.target import Target, output_size, parse_scale, parse_target


@pytest.mark.parametrize(
    ("text", "size", "expected"),
    [
        ("1080p", (1280, 720), (1920, 1080)),
        ("1080p", (720, 1280), (1080, 1920)),  # portrait: the short side counts
        ("768p", (1280, 720), (1366, 768)),
        ("4k", (1920, 1080), (3840, 2160)),
        ("1600x900", (1280, 720), (1600, 900)),
        ("1080P", (960, 540), (1920, 1080)),
    ],
)
def test_a_target_names_the_output_size(
    text: str, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert output_size(*size, scale=None, target=parse_target(text)) == expected


@pytest.mark.parametrize("text", ["", "p", "1080", "x720", "1280x", "-1x9", "99999p", "huge", "9p"])
def test_a_target_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected 1080p"):
        parse_target(text)


def test_a_target_that_is_not_larger_is_refused() -> None:
    with pytest.raises(UsageError, match="960x540 is not larger than the input 1280x720"):
        output_size(1280, 720, scale=None, target=Target(short=540))


@pytest.mark.parametrize(
    ("text", "scale"), [("2", Fraction(2)), ("1.5", Fraction(3, 2)), ("3/2", Fraction(3, 2))]
)
def test_a_scale_is_a_fraction(text: str, scale: Fraction) -> None:
    assert parse_scale(text) == scale
    assert output_size(101, 51, scale=scale, target=None) == (int(101 * scale), int(51 * scale))


@pytest.mark.parametrize("text", ["1", "0", "-2", "5", "x", "1/0", "nan", "inf"])
def test_a_scale_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="above 1 and up to 4"):
        parse_scale(text)


def test_nothing_asked_leaves_the_models_own_scale() -> None:
    assert output_size(1280, 720, scale=None, target=None) is None
