"""Which films a library has, and where each result goes."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_sr.errors import UsageError
from edge_sr.media.address import VIDEO
from edge_sr.media.sinks.writer import FORMATS

STATE = ".edge-sr-library"  # in the output folder: segments, and what is done


@dataclass(frozen=True)
class Film:
    """One film, and the file that its result goes to. Both paths are absolute."""

    path: Path
    output: Path

    @property
    def state(self) -> Path:
        """The folder of its segments, beside the result, on the same disk."""
        key = hashlib.sha256(str(self.path).encode()).hexdigest()[:16]
        return self.output.parent / STATE / f"{self.output.stem[:80]}-{key}"


def find_films(sources: Sequence[str], output: Path) -> list[Film]:
    """The films that folders, files, patterns and ``@lists`` name, in their order.

    Films of a folder keep their place in it; an ending that we do not write becomes ``.mkv``.

    Raises:
        UsageError: nothing there; two films of one result; the output is inside a source.
    """
    films: dict[Path, Film] = {}
    targets: dict[Path, Path] = {}
    for path, inside in _expand(sources, output.resolve()):
        film = Film(path, (output.resolve() / inside).with_suffix(_ending(path)))
        if path in films:
            continue
        other = targets.setdefault(film.output, path)
        if other != path:
            raise UsageError(f"{path} and {other}: both would be {film.output}; rename one of them")
        if film.output == path:
            raise UsageError(f"{path}: is in the output folder; choose another --output")
        films[path] = film
    if not films:
        raise UsageError(f"{', '.join(sources)}: no film; expected {', '.join(VIDEO)}")
    return list(films.values())


def refuse_url(text: str) -> None:
    """Raises UsageError for ``s3://...`` and the like: a library reads and writes folders."""
    if "://" in text:
        raise UsageError(
            f"{text}: a library takes folders and files; mount it, and name the folder"
        )


def _expand(sources: Sequence[str], output: Path) -> Iterator[tuple[Path, Path]]:
    """(film, its place below the output folder)."""
    for text in sources:
        refuse_url(text)
        path = Path(text)
        if text.startswith("@") and not path.exists():
            yield from _expand(_lines(Path(text[1:])), output)
        elif path.is_dir():
            folder = path.resolve()
            if output == folder or folder in output.parents:
                raise UsageError(f"{output}: is inside the source {path}; choose another --output")
            for found in sorted(folder.rglob("*")):
                hidden = any(part.startswith(".") for part in found.relative_to(folder).parts)
                if found.suffix.lower() in VIDEO and found.is_file() and not hidden:
                    yield found, found.relative_to(folder)
        elif path.exists():
            yield path.resolve(), Path(path.name)
        else:
            names = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - it may be absolute
            if not names:
                raise UsageError(f"{text}: no such file, folder or pattern")
            for name in names:
                if Path(name).is_file():
                    yield Path(name).resolve(), Path(Path(name).name)


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as a list of films ({error})") from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _ending(path: Path) -> str:
    return path.suffix if path.suffix.lower() in FORMATS else ".mkv"
