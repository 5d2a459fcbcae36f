"""Animated GIF, PNG and WebP files: their pictures, complete and with their own times."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.closing import Closing
from edge_sr.errors import MediaError
from edge_sr.media.codec.containers import reason
from edge_sr.media.libraries import load_pillow
from edge_sr.types import Size

SHORTEST_MS = 20  # browsers show what is shorter for a tenth of a second
TENTH_MS = 100
FLAGS, TRANSPARENT = 20, 0x10  # of a WebP: the byte of flags in it, and one of them


@dataclass(frozen=True)
class Picture:
    """One picture of an animation."""

    pixels: NDArray[np.uint8]  # (H, W, 4) RGBA, yours to keep
    start_ms: int  # after the first one
    duration_ms: int


def _whole(path: Path) -> io.BytesIO:
    """The bytes of a file; of a WebP, marked as transparent.

    libwebp leaves out what is transparent around a picture, and then the mark as well; Pillow would
    show black there.
    """
    data = bytearray(path.read_bytes())
    if data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X":
        data[FLAGS] |= TRANSPARENT
    return io.BytesIO(data)


class Animation(Closing):
    """The pictures of an animated file, each with what earlier ones left in its place.

    They are turned as the file's Exif orientation says. Can be iterated once.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open the file and look at its first picture.

        Raises:
            MediaError: it cannot be read.
            MissingDependencyError: Pillow is not installed.
        """
        self.path = Path(path)
        self.hides = False  # see `durations`
        self.damaged = False  # whether it ended before all its pictures were read
        pil = load_pillow()
        try:
            self._image = pil.Image.open(_whole(self.path), formats=("GIF", "PNG", "WEBP"))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata
                self.count = int(getattr(self._image, "n_frames", 1))
                self._begin = 1 if self._image.info.get("default_image") else 0  # of PNG: no part
                self.size = Size.of_shape(self._pixels(self._begin).shape)
        except FileNotFoundError as error:
            raise MediaError(f"{self.path}: no such file") from error
        except Exception as error:  # what Pillow's parsers raise on damage is open-ended
            raise MediaError(f"{self.path}: cannot be read ({reason(error)})") from error
        self.plays = self._plays()  # how often it is shown; 0: without end
        self.count -= self._begin

    def __iter__(self) -> Iterator[Picture]:
        """The pictures, in order; a file that is cut off ends there, and is `damaged`.

        Raises:
            MediaError: not even the first picture can be read.
        """
        start = 0
        for number in range(self._begin, self._begin + self.count):
            try:
                pixels = self._pixels(number)
            except Exception as error:  # as above
                if number == self._begin:
                    raise MediaError(f"{self.path}: cannot be read ({reason(error)})") from error
                self.damaged = True
                return
            duration = round(self._image.info.get("duration", 0))
            duration = duration if duration >= SHORTEST_MS else TENTH_MS
            yield Picture(pixels, start, duration)
            start += duration

    def durations(self) -> list[int]:
        """How long each picture is shown, milliseconds; reads the file once more.

        `hides` then says whether one of them is transparent anywhere.
        """
        found = []
        with Animation(self.path) as again:
            for picture in again:
                found.append(picture.duration_ms)
                self.hides = self.hides or bool(picture.pixels[..., 3].min() < 255)
        return found

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._image.close()

    def _pixels(self, number: int) -> NDArray[np.uint8]:
        self._image.seek(number)
        self._image.load()
        whole = self._image.convert("RGBA")
        upright: Any = load_pillow().ImageOps.exif_transpose(whole)
        return np.array(upright, np.uint8)

    def _plays(self) -> int:
        loop = self._image.info.get("loop")
        if self._image.format != "GIF":
            return int(loop or 0)
        return 1 if loop is None else int(loop + 1 if loop else 0)
