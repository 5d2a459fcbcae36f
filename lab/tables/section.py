"""A part of a Markdown file that a command writes: what lies between two marks is replaced."""

from __future__ import annotations

from pathlib import Path

from edge_sr.errors import MediaError, UsageError
from edge_sr.files import write_whole


def replace_section(path: Path, name: str, text: str) -> None:
    """Put ``text`` between ``<!-- NAME -->`` and ``<!-- /NAME -->``; whole or not at all.

    Raises:
        UsageError: the file has no such pair of marks.
        MediaError: it cannot be read or written.
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    try:
        before, found, rest = path.read_text(encoding="utf-8").partition(begin)
    except (OSError, UnicodeDecodeError) as error:
        raise MediaError(f"{path}: cannot be read ({error})") from error
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise UsageError(f"{path}: has no {begin} … {end}; put the two lines where it belongs")
    write_whole(path, f"{before}{begin}\n{text.strip()}\n{end}{after}", error=MediaError)


def show_or_replace(text: str, path: Path | None, name: str) -> None:
    """Print ``text``, or put it into that part of a file where one is given.

    Raises:
        UsageError, MediaError: as `replace_section`.
    """
    if path is None:
        print(text)
    else:
        replace_section(path, name, text)
