from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from edge_sr.types import Size


def test_size_is_width_first_and_a_tuple() -> None:
    size = Size.of_shape(np.zeros((720, 1280, 3)).shape)
    assert size == (1280, 720)
    assert (size.width, size.height, size.pixels, str(size)) == (1280, 720, 921_600, "1280x720")


def test_times_rounds_down() -> None:
    assert Size(853, 481).times(Fraction(3, 2)) == Size(1279, 721)


def test_parse() -> None:
    assert Size.parse(" 640X360 ") == Size(640, 360)


@pytest.mark.parametrize("text", ["", "640", "x", "640x", "0x10", "10x0", "-1x5", "²x5", "1x2x3"])
def test_parse_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="expected WIDTHxHEIGHT"):
        Size.parse(text)
