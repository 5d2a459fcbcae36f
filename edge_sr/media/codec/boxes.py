"""The outermost boxes of mp4 and mov files: whether a file is complete or was cut off."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

# what the first box of an mp4 or mov file may be (ISO/IEC 14496-12 and QuickTime)
FIRST = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"uuid")
TO_THE_END, LARGE = 0, 1  # special values of the 32-bit size field


@dataclass(frozen=True)
class Boxes:
    """How the outermost boxes of a file end."""

    missing: int = 0  # bytes that the last box claims beyond the end of the file
    fragmented: bool = False  # whether the file can be read up to where it ends


def read_boxes(path: Path) -> Boxes:
    """Look at an mp4 or mov file; of other files nothing is missing.

    FFmpeg reads such a file up to where it ends, without a message.

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


def missing_bytes(path: Path) -> int:
    """How many bytes the last box claims beyond the end of the file; 0 if none, or no mp4.

    Raises:
        OSError: the file cannot be read.
    """
    return read_boxes(path).missing
