"""``edge-sr run`` with several inputs: films and images, folders of films, and patterns."""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edge_sr.batch.jobs import Outcome, run_jobs
from edge_sr.errors import MediaError, UsageError
from edge_sr.media.address import Kind, is_media, parse_address
from edge_sr.media.animation.write import ANIMATED
from edge_sr.media.sinks.writer import FORMATS
from edge_sr.media.stills.files import natural_order, writable_name
from edge_sr.media.stills.formats import is_image, sniff_image
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.pictures.images import name_subfolders
from edge_sr.pipeline.signals import SignalStop
from edge_sr.progress import JobProgress

logger = logging.getLogger(__name__)
PATTERN = "*?["  # what makes a name a pattern, where no file has that name


def expand(texts: Sequence[str]) -> list[str]:
    """The inputs that the words of a command line stand for; patterns become their files.

    Raises:
        UsageError: nothing fits a pattern.
    """
    found: list[str] = []
    for text in texts:
        if not any(sign in text for sign in PATTERN) or os.path.lexists(text) or "://" in text:
            found.append(text)
            continue
        names = glob.glob(text, recursive=True)  # noqa: PTH207 - takes absolute patterns as well
        files = sorted(names, key=lambda name: natural_order(Path(name)))
        if not files:
            raise UsageError(f"{text}: no file has such a name")
        found += files
    return found


def films_of(folder: Path) -> list[Path]:
    """The films in a folder, not in its subfolders, with 2.mp4 before 10.mp4."""
    try:
        found = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError:
        return []
    films = [path for path in found if is_media(path) and not path.is_dir()]
    return sorted(
        (path for path in films if parse_address(str(path)).kind is Kind.FILE), key=natural_order
    )


def is_batch(inputs: Sequence[str]) -> bool:
    """Whether inputs are several jobs: more than one, or a folder with films in it."""
    if len(inputs) != 1:
        return len(inputs) > 1
    return Path(inputs[0]).is_dir() and bool(films_of(Path(inputs[0])))


def plan_jobs(spec: JobSpec, inputs: Sequence[str], beside: str) -> list[JobSpec]:
    """One job for each input; a folder becomes one for each of its films, and one for its images.

    Args:
        spec: what they have in common; its output is the folder of all results, "null", or None
            for a result beside each input.
        inputs: paths.
        beside: what is added to the names of results that lie beside their inputs: "x2".

    Raises:
        UsageError: an option that goes with one input only; an input that is no file or folder;
            two inputs that would be written to one file.
    """
    _check(spec, inputs)
    target = None if spec.output is None else Path(spec.output)
    if target is not None and is_media(target) and not target.is_dir():
        raise UsageError(f"{target}: several inputs go to a folder; give one as --output")
    jobs: list[JobSpec] = []
    taken: dict[Path, str] = {}
    for text in inputs:
        path = Path(text)
        for source, place in _results(path, target, beside):
            if spec.output == "null":
                jobs.append(replace(spec, input=str(source)))
                continue
            if place in taken:  # clip.avi beside clip.mkv
                place = place.with_name(f"{source.name}{place.suffix}")
            if place in taken:
                raise UsageError(
                    f"{taken[place]} and {source} would both be written to {place}; run them apart"
                )
            taken[place] = str(source)
            jobs.append(replace(spec, input=str(source), output=str(place)))
    if spec.max_frames is not None:
        logger.info("--max-frames %d counts for each input", spec.max_frames)
    return jobs


def run_batch(spec: JobSpec, inputs: Sequence[str], beside: str, *, jobs: int = 1) -> int:
    """Do all jobs, print a line for each and a summary; returns the exit code.

    Raises:
        UsageError: as `plan_jobs`.
        MediaError: the folder of results cannot be made.
    """
    specs = plan_jobs(spec, inputs, beside)
    for folder in {Path(job.output).parent for job in specs if job.output not in (None, "null")}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MediaError(f"{folder}: cannot be used as a folder ({error.strerror})") from error
    stop = SignalStop()
    outcomes: list[Outcome] = []
    with JobProgress() as progress:
        for outcome in run_jobs(specs, jobs=min(jobs, len(specs)), progress=progress, stop=stop):
            outcomes.append(outcome)
            progress.close()
            for output in outcome.result.outputs if outcome.result else ():
                name = f"{outcome.spec.input}: " if spec.output == "null" else ""
                print(f"{name}{output.summary}", flush=True)
            if outcome.error is not None:
                logger.error("%s", _with_name(outcome))
    print(summary(outcomes))
    if stop.signal is not None:
        return 128 + stop.signal
    return 0 if all(outcome.done for outcome in outcomes) else 1


def summary(outcomes: Sequence[Outcome]) -> str:
    """ "4 inputs: 3 done, 1 failed (broken.mp4)"."""
    failed = [str(outcome.spec.input) for outcome in outcomes if outcome.failed]
    done = sum(outcome.done for outcome in outcomes)
    parts = [f"{done} done"]
    if failed:
        parts.append(f"{len(failed)} failed ({', '.join(failed)})")
    if left := len(outcomes) - done - len(failed):
        parts.append(f"{left} stopped or not begun")
    return f"{len(outcomes)} inputs: {', '.join(parts)}"


def _with_name(outcome: Outcome) -> str:
    """The error of a job, with its input where the error does not name it."""
    text, name = str(outcome.error), str(outcome.spec.input)
    return text if name in text else f"{name}: {text}"


def _check(spec: JobSpec, inputs: Sequence[str]) -> None:
    """Refuse what goes with one input only."""
    for option, given in (
        ("--show", spec.show),
        ("--serve", spec.serve is not None),
        ("--virtual-camera", spec.virtual_camera is not None),
        ("--output -", spec.output == "-"),
        ("a second --output", bool(spec.more_outputs)),
        ("more than one --output", bool(spec.more_outputs)),
        ("--publish", bool(spec.publish)),
        ("--rtsp", spec.rtsp is not None),
    ):
        if given:
            raise UsageError(f"{option} goes with one input; there are {len(inputs)}")
    for text in inputs:
        kind = parse_address(text).kind
        if kind not in (Kind.FILE, Kind.IMAGE, Kind.FOLDER):
            raise UsageError(f"{text}: is a {kind.value}; several inputs are files or folders")


def _results(path: Path, target: Path | None, beside: str) -> list[tuple[Path, Path]]:
    """Each file, and the folder where it has images, with the place of its result."""
    if not path.is_dir():
        if target is not None:
            return [(path, target / result_name(path, path).name)]
        return [(path, result_name(path.with_stem(f"{path.stem}-{beside}"), path))]
    name = path.resolve().name
    place = path.with_name(f"{name}-{beside}") if target is None else target
    films = films_of(path)
    found = [(film, place / result_name(film, film).name) for film in films]
    if not films or any(is_image(file) for file in path.iterdir() if file not in films):
        found.append((path, place))
    else:
        name_subfolders(path)
    return found


def result_name(path: Path, source: Path) -> Path:
    """A path with the ending that results of this source are written with."""
    if is_image(path):
        return path if path.suffix.lower() in ANIMATED else writable_name(path)
    if path.suffix.lower() in FORMATS:
        return path
    # what stands after a dot may be a number, as of a recorder's clip.001
    if is_media(path):
        return path.with_suffix(".mkv")
    image = sniff_image(source)
    return (
        writable_name(path.with_name(f"{path.name}{image}"))
        if image
        else path.with_name(f"{path.name}.mkv")
    )
