"""Text files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import EdgeSRError


def write_whole(path: Path, text: str, *, error: type[EdgeSRError]) -> None:
    """Write a file beside its name and rename it, replacing one that is there.

    Raises:
        error: it cannot be written; what was there stays.
    """
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as found:
        part.unlink(missing_ok=True)
        raise error(f"{path}: cannot be written ({found.strerror})") from found
