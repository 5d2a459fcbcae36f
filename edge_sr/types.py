"""Small value types that the whole program shares. Importing this imports nothing heavy."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple


class Size(NamedTuple):
    """A picture's size in pixels. Always width first; an array's shape is (height, width).

    It is a tuple of two integers, so it equals and unpacks as ``(width, height)``.
    """

    width: int
    height: int

    @classmethod
    def of_shape(cls, shape: tuple[int, ...]) -> Size:
        """From an array's shape, (height, width) or (height, width, channels)."""
        return cls(shape[1], shape[0])

    @classmethod
    def parse(cls, text: str) -> Size:
        """From "1280x720".

        Raises:
            ValueError: another form, or a side that is not positive.
        """
        width, cross, height = text.strip().lower().partition("x")
        digits = width.isascii() and width.isdigit() and height.isascii() and height.isdigit()
        if not cross or not digits or int(width) == 0 or int(height) == 0:
            raise ValueError(f"{text!r} is not a size; expected WIDTHxHEIGHT, such as 1280x720")
        return cls(int(width), int(height))

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    def times(self, scale: Fraction) -> Size:
        """The size after upscaling by ``scale``, rounded down."""
        return Size(int(self.width * scale), int(self.height * scale))

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"
