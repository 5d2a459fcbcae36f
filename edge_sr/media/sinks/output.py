"""Files that appear whole or not at all: checked before work starts, renamed when it is done."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from pathlib import Path

from edge_sr.errors import MediaError

LONGEST_NAME = 255  # bytes


def check_output(path: Path, *, force: bool, source: Path | None = None) -> None:
    """Refuse an output that cannot or should not be written, before any work is done.

    Args:
        force: whether an existing file may be replaced.
        source: the file that is read, which is never replaced.

    Raises:
        MediaError: says what is in the way, and what to do.
    """
    folder = path.parent
    try:
        path.lstat()
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:  # too long, or with a character that no name has
        why = error.strerror if isinstance(error, OSError) else error
        raise MediaError(f"{path}: cannot be written ({why})") from error
    if path.is_symlink() and not path.exists():
        target = path.readlink()
        raise MediaError(f"{path}: is a link to {target}, which is missing; remove the link first")
    if path.is_dir():
        raise MediaError(f"{path}: is a folder; expected the name of a file to write")
    if path.exists() and not path.is_file():
        raise MediaError(f"{path}: is a pipe or a device; expected a file (for video: -o - > PATH)")
    if not folder.is_dir():
        raise MediaError(f"{path}: there is no folder {folder}; create it first")
    if source is not None and path.exists() and source.exists() and path.samefile(source):
        raise MediaError(f"{path}: is the input itself; choose another output")
    if path.exists() and not force:
        raise MediaError(f"{path}: exists; use --force to replace it")
    for place in (folder, path.resolve().parent):
        if not os.access(place, os.W_OK | os.X_OK):
            why = "may not be written; check its permissions"
            raise MediaError(f"{path}: the folder {place} {why}")


def part_path(path: Path) -> Path:
    """The unfinished file: hidden, in the same folder. ``o.mp4`` -> ``.o.mp4.part``."""
    return hidden_path(path, ".part")


def hidden_path(path: Path, ending: str) -> Path:
    """A hidden name beside a file, of a length that file systems take."""
    name = f".{path.name}{ending}"
    if len(os.fsencode(name)) > LONGEST_NAME:
        digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
        name = f".{digest}{ending}"
    return path.with_name(name)


def commit(path: Path, final: Path | None = None) -> None:
    """Give the part file of `path` its name, or that of `final`, once its bytes are on the disk.

    Where that is a link, it stays one, and the file that it leads to is replaced.

    Raises:
        MediaError: it cannot be renamed; the part file is removed.
    """
    try:
        with part_path(path).open("rb") as file:
            os.fsync(file.fileno())
        _replace(part_path(path), (final or path).resolve())
    except OSError as error:
        discard(path)
        raise MediaError(f"{path}: cannot be put in place ({error.strerror})") from error


def _replace(part: Path, target: Path) -> None:
    try:
        os.replace(part, target)
    except OSError as error:
        if error.errno != errno.EXDEV:  # a link to another disk
            raise
        moved = part_path(target)
        try:
            shutil.copyfile(part, moved)
            os.replace(moved, target)
        finally:
            moved.unlink(missing_ok=True)
        part.unlink()


def discard(path: Path) -> None:
    """Remove the part file of `path` if there is one."""
    with contextlib.suppress(OSError):
        part_path(path).unlink()
