"""`edge-sr run` with a frame counter that survives a SIGKILL.

``python -m lab.soak.counted FILE run …`` keeps the number of frames given to the video writer in a
memory-mapped FILE.
"""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

from edge_sr.cli.main import main
from edge_sr.media.frame import Frame
from edge_sr.media.sinks.writer import VideoWriter

BYTES = 8


def count_into(path: Path) -> None:
    """From now on, note every frame before it is written."""
    path.write_bytes(bytes(BYTES))
    with path.open("r+b") as file:
        memory = mmap.mmap(file.fileno(), BYTES)
    write = VideoWriter.write
    given = 0

    def counted(writer: VideoWriter, frame: Frame) -> None:
        nonlocal given
        given += 1
        memory[:] = given.to_bytes(BYTES, "little")
        write(writer, frame)

    VideoWriter.write = counted  # type: ignore[method-assign, assignment]


def counted_in(path: Path) -> int:
    """How many frames were given; 0 where the job did not come to that."""
    return int.from_bytes(path.read_bytes(), "little") if path.exists() else 0


if __name__ == "__main__":
    count_into(Path(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
