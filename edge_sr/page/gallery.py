"""Snapshots and recordings of the page: listed, shown small, downloaded, deleted."""

from __future__ import annotations

import re
from collections import OrderedDict
from itertools import islice
from pathlib import Path

from edge_sr.errors import MediaError
from edge_sr.media.screen import rescale, to_bgr, to_jpeg
from edge_sr.media.sources.file import VideoFile

# the names that snapshots and recordings have: the folder may hold files of other programs
NAME = re.compile(r"edge-sr-[0-9]{8}-[0-9]{6}[a-z0-9-]*(\.partial)?\.(png|mp4)", re.ASCII)
LISTED = 200  # the newest ones
SMALL = 240  # columns of a small picture
KEPT = 64  # small pictures


class Gallery:
    """The folder of a run, as far as it is ours."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._small: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    def files(self) -> list[dict[str, object]]:
        """Name, bytes and time (seconds since 1970) of each file, the newest first."""
        found: list[dict[str, object]] = []
        if not self._folder.exists():
            return found  # it is made with the first of them
        try:
            for path in self._folder.iterdir():
                if NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                    facts = path.stat()
                    found.append({"name": path.name, "bytes": facts.st_size,
                                  "time_s": facts.st_mtime})  # fmt: skip
        except OSError as error:
            raise MediaError(f"{self._folder}: cannot be listed ({error.strerror})") from error
        return sorted(found, key=lambda item: str(item["name"]), reverse=True)[:LISTED]

    def find(self, name: str) -> Path:
        """The path of one of them.

        Raises:
            MediaError: there is no such snapshot or recording.
        """
        path = self._folder / name
        if not NAME.fullmatch(name) or path.is_symlink() or not path.is_file():
            raise MediaError("there is no such snapshot or recording")
        return path

    def delete(self, name: str) -> None:
        """Remove one of them.

        Raises:
            MediaError: there is no such file, or it cannot be removed.
        """
        path = self.find(name)
        try:
            path.unlink()
        except OSError as error:
            raise MediaError(f"{name}: cannot be deleted ({error.strerror})") from error

    def small(self, name: str) -> bytes:
        """A small JPEG of a picture, or of the first frame of a recording.

        Raises:
            MediaError: there is no such file, or it cannot be read.
        """
        path = self.find(name)
        key = (name, path.stat().st_mtime_ns)
        if key not in self._small:
            with VideoFile(path) as file:
                frame = next(islice(file, 1), None)
            if frame is None:
                raise MediaError(f"{name}: has no picture")
            rows, columns = frame.y.shape
            high = max(2, round(rows * SMALL / columns)) & ~1
            self._small[key] = to_jpeg(to_bgr(rescale(frame, SMALL, high), rows=rows))
            while len(self._small) > KEPT:
                self._small.popitem(last=False)
        return self._small[key]
