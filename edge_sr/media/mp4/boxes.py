"""The boxes of mp4 and mov files: whether a file is complete or was cut off."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

# what the first box of an mp4 or mov file may be (ISO/IEC 14496-12 and QuickTime)
FIRST = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"uuid")
NO_SAMPLES = struct.pack(">I4s", 20, b"stsz") + bytes(12)
TO_THE_END, LARGE = 0, 1  # special values of the 32-bit size field


@dataclass(frozen=True)
class Boxes:
    """How the outermost boxes of a file end."""

    missing: int = 0  # bytes that the last box claims beyond the end of the file
    fragmented: bool = False  # whether the file can be read up to where it ends


def read_boxes(path: Path) -> Boxes:
    """Look at an mp4 or mov file; of other files nothing is missing.

    FFmpeg reads such a file up to its last byte, without a message.

    Raises:
        OSError: the file cannot be read.
    """
    length = path.stat().st_size
    position, fragmented = 0, False
    with path.open("rb") as file:
        while position + 8 <= length:
            file.seek(position)
            size, kind = struct.unpack(">I4s", file.read(8))
            if position == 0 and kind not in FIRST:
                return Boxes()
            fragmented = fragmented or kind == b"moof"
            if size == LARGE:
                extended = file.read(8)
                size = struct.unpack(">Q", extended)[0] if len(extended) == 8 else length + 1
            if size == TO_THE_END or size < 8:
                return Boxes()  # it is complete, or not a box: FFmpeg judges what follows
            position += size
    return Boxes(max(0, position - length), fragmented)


def hide_empty_tracks(path: Path) -> None:
    """Turn video tracks without a sample into free space, in a finished mp4.

    Where FFmpeg wrote in fragments it leaves such a track beside a cover, which is a tag in mp4,
    and players warn of it.

    Raises:
        OSError: the file cannot be read or written.
    """
    with path.open("r+b") as file:
        for begin, end, kind in children(file, 0, path.stat().st_size):
            if kind != b"moov":
                continue
            for track, track_end, name in children(file, begin + 8, end):
                file.seek(track)
                data = file.read(track_end - track)
                if name == b"trak" and b"vide" in data and NO_SAMPLES in data:
                    file.seek(track + 4)
                    file.write(b"free")


def children(file: BinaryIO, position: int, end: int) -> Iterator[tuple[int, int, bytes]]:
    """Where each box between two positions begins and ends, and its type."""
    while position + 8 <= end:
        file.seek(position)
        size, kind = struct.unpack(">I4s", file.read(8))
        if size == LARGE:
            size = struct.unpack(">Q", file.read(8))[0]
        if size < 8:
            return
        yield position, position + size, kind
        position += size


def missing_bytes(path: Path) -> int:
    """How many bytes the last box claims beyond the end of the file; 0 if none, or no mp4.

    Raises:
        OSError: the file cannot be read.
    """
    return read_boxes(path).missing
