"""The outermost boxes of mp4 and mov files, to tell a whole file from one that was cut off."""

from __future__ import annotations

import struct
from pathlib import Path

# what the first box of an mp4 or mov file may be (ISO/IEC 14496-12 and QuickTime)
FIRST = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"uuid")
TO_THE_END, LARGE = 0, 1  # special values of the 32-bit size field


def missing_bytes(path: Path) -> int:
    """How many bytes the last box claims beyond the end of the file; 0 if none, or no mp4.

    FFmpeg reads such a file without a word up to where it ends.

    Raises:
        OSError: the file cannot be read.
    """
    length = path.stat().st_size
    position = 0
    with path.open("rb") as file:
        while position + 8 <= length:
            file.seek(position)
            size, kind = struct.unpack(">I4s", file.read(8))
            if position == 0 and kind not in FIRST:
                return 0
            if size == LARGE:
                extended = file.read(8)
                size = struct.unpack(">Q", extended)[0] if len(extended) == 8 else length + 1
            if size == TO_THE_END:
                return 0
            if size < 8:
                return 0  # not a box: FFmpeg judges what follows
            position += size
    return max(0, position - length)
