"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_sr.errors import EdgeSRError


@contextmanager
def whole_file(path: Path, *, error: type[EdgeSRError]) -> Iterator[Path]:
    """Gives a path beside ``path`` to write to; it gets that name, replacing what had it, at last.

    Raises:
        error: it cannot be written. Whatever is raised, what was there stays.
    """
    part = path.with_name(path.name + ".part")
    try:
        yield part
        os.replace(part, path)
    except OSError as found:
        raise error(f"{path}: cannot be written ({found.strerror or found})") from found
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path, *, error: type[EdgeSRError]) -> Iterator[Path]:
    """As `whole_file`, for a folder: gives an empty one.

    Raises:
        error: it cannot be written. Whatever is raised before the end, what was there stays.
    """
    part = path.with_name(path.name + ".part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        if path.exists():
            shutil.rmtree(path)
        os.replace(part, path)
    except OSError as found:
        raise error(f"{path}: cannot be written ({found.strerror or found})") from found
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_whole(path: Path, text: str, *, error: type[EdgeSRError]) -> None:
    """Write a text file in UTF-8, replacing one that is there.

    Raises:
        error: it cannot be written; what was there stays.
    """
    with whole_file(path, error=error) as part:
        part.write_text(text, encoding="utf-8")
