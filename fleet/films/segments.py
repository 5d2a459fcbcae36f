"""Films as segments of whole chunks, and what of them is done: plain files in the output folder.

A segment is a file of its own beside its facts, ``00003.mp4`` and ``00003.json``. Both appear whole
or not at all, the facts last; so whatever is killed, what has its facts is done.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from edge_sr import __version__
from edge_sr.errors import MediaError
from edge_sr.files import write_whole
from edge_sr.media.codec.chunks import CHUNK, TAIL
from edge_sr.media.codec.index import FilmIndex
from edge_sr.media.libraries import load_av
from edge_sr.model.sidecar import sha256_of
from edge_sr.pipeline.job import JobSpec
from edge_sr.session.still import EXACT, OFF
from fleet.films.sources import Film

logger = logging.getLogger(__name__)

CHUNKS = 2  # of a segment: what is lost at most when a process is killed


@dataclass(frozen=True, kw_only=True)
class Segment:
    """What one process makes at a time: a range of frames of a film, or all of it."""

    spec: JobSpec  # of the whole film
    state: Path  # folder of the film's segments
    number: int
    first: int = 0  # frame
    times: tuple[int, ...] = ()  # of its frames, in the time base of the video; () for all
    key: int = 0  # time of the key frame that decoding begins at
    goes_on: bool = False  # another one follows

    @property
    def path(self) -> Path:
        """The file with its frames."""
        return self.state / f"{self.number:05d}.mp4"

    @property
    def facts_path(self) -> Path:
        """Its facts; where they are, it is done."""
        return self.path.with_suffix(".json")


@dataclass(frozen=True, kw_only=True)
class Made:
    """The facts of a segment, or of a film, that is done."""

    frames: int
    seconds: float
    sha256: str  # of its file
    plan: str = ""  # of the encoder: the same in all segments of a film
    runs: str = ""  # backend, device and precision
    summary: str = ""
    notices: tuple[str, ...] = ()


def plan_segments(film: Film, spec: JobSpec, index: FilmIndex) -> list[Segment]:
    """Cut a film where chunks begin; [] where it has to be made as a whole.

    The last `TAIL` frames are never a chunk of their own, and so no segment. A mean over time
    depends on all frames before: no part gives what the whole film gives. Joining copies sound, and
    converts none.
    """
    times = index.times[: spec.max_frames]
    size = CHUNK * CHUNKS
    starts = [at for at in range(0, len(times), size) if at == 0 or len(times) - at > TAIL]
    remembers = spec.calm not in (None, "off") or spec.still not in (None, OFF, EXACT)
    if index.why_whole or len(starts) < 2 or remembers or spec.audio != "copy":
        return []
    found = []
    for number, (first, end) in enumerate(zip(starts, [*starts[1:], len(times)], strict=True)):
        found.append(
            Segment(
                spec=spec,
                state=film.state,
                number=number,
                first=first,
                times=times[first:end],
                key=index.key_before(first),
                goes_on=end < len(times),
            )
        )
    return found


def job_facts(film: Film, spec: JobSpec, model: Path) -> dict[str, str]:
    """What all segments of a film must share to be joined.

    Raises:
        MediaError: the film cannot be read.
    """
    try:
        state = film.path.stat()
    except OSError as error:
        raise MediaError(f"{film.path}: cannot be read ({error.strerror})") from error
    options = {
        key: str(value)
        for key, value in spec.to_dict().items()
        if key not in ("input", "output", "force", "resume")
    }
    return {
        **options,
        "edge-sr": __version__,
        "FFmpeg": str(load_av().ffmpeg_version_info),
        "input": f"{film.path}, {state.st_size} bytes, {state.st_mtime_ns}",
        "model file": sha256_of(model),
        "segment": str(CHUNK * CHUNKS),
    }


def begin(film: Film, facts: dict[str, str], *, force: bool = False) -> None:
    """Take up a film where it was left, or begin it.

    Args:
        force: replace a result of other settings, or of another program.

    Raises:
        MediaError: there is such a result; the folder cannot be written.
    """
    path = film.state / "job.json"
    same = _read(path) == facts
    if film.output.exists() and not same and not force:
        why = "is of other settings" if path.exists() else "exists"
        raise MediaError(f"{film.output}: {why}; use --force to replace it")
    if same:
        return
    if path.exists():
        logger.info("%s: was begun with other settings, and begins again", film.path)
        shutil.rmtree(film.state, ignore_errors=True)
    try:
        film.state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{film.state}: cannot be written ({error.strerror})") from error
    write_whole(path, json.dumps(facts, indent=2) + "\n", error=MediaError)


def done(segment: Segment) -> Made | None:
    """The facts of a segment whose file is as it was written; None where it must be made."""
    made = read_made(segment.facts_path)
    with contextlib.suppress(OSError):
        if made and made.frames == len(segment.times) and digest(segment.path) == made.sha256:
            return made
    return None


def finished(film: Film) -> Made | None:
    """The facts of a film that is done and still there; None where it is not."""
    made = read_made(film.state / "film.json")
    return made if made and film.output.is_file() else None


def finish(film: Film, made: Made) -> None:
    """Note that a film is done, and remove its segments."""
    write_made(film.state / "film.json", made)
    for path in _files(film.state):
        path.unlink(missing_ok=True)


def write_made(path: Path, made: Made) -> None:
    """Raises MediaError: it cannot be written."""
    write_whole(path, json.dumps(asdict(made), indent=2) + "\n", error=MediaError)


def read_made(path: Path) -> Made | None:
    """The facts that a file holds; None where it is missing or damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Made)
    except (OSError, msgspec.MsgspecError):
        return None


def digest(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    return sha256_of(path)


def whole(film: Film, spec: JobSpec) -> Segment:
    """The film as one piece of work, which ``edge-sr run`` would do."""
    return Segment(spec=replace(spec, resume=True), state=film.state, number=0)


def _files(state: Path) -> Iterator[Path]:
    for path in state.iterdir():
        if path.stem.isdigit():
            yield path


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
