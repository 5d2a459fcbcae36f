"""A library of films: plan what is missing, hand it to the workers, and say what came of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from edge_sr import zoo
from edge_sr.errors import EdgeSRError
from edge_sr.media.address import parse_address
from edge_sr.media.codec.index import read_index
from edge_sr.pipeline.job import JobSpec
from edge_sr.zoo.flavour import choose, fit_input
from fleet.films.cluster import Outcome, Work, Workers
from fleet.films.segments import (
    Made,
    Segment,
    begin,
    done,
    finish,
    finished,
    job_facts,
    plan_segments,
    whole,
)
from fleet.films.sources import Film

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Entry:
    """One film of the library, and how far it is."""

    film: Film
    segments: list[Segment] = field(default_factory=list)  # [] where it is made as a whole
    waiting: set[int] = field(default_factory=set)  # numbers of segments that are not done
    made: Made | None = None
    error: str = ""
    kept: int = 0  # frames that an earlier call has made
    frames: int = 0  # of the film, by its packets; 0 where they were not counted

    @property
    def name(self) -> str:
        """Of the result, for people."""
        return self.film.output.name


class Library:
    """Films, in the order in which they are made."""

    def __init__(self, films: Sequence[Film], spec: JobSpec) -> None:
        """Begin.

        Args:
            spec: of every film; its input and output are those of the film.
        """
        self.entries = [Entry(film=film) for film in films]
        self.seconds = 0.0
        self._spec = spec
        self._by_state: dict[Path, Entry] = {}
        self._work: list[Work] = []

    @property
    def frames(self) -> int:
        """Of all films, as far as they are counted."""
        return sum(entry.frames for entry in self.entries)

    @property
    def kept(self) -> int:
        """Frames that an earlier call has made."""
        return sum(entry.kept for entry in self.entries)

    @property
    def missing(self) -> bool:
        """Whether anything is left to do."""
        return bool(self._work)

    def plan(self) -> None:
        """Look at every film and at what is done of it; a broken one is noted, and left out."""
        for entry in self.entries:
            try:
                self._plan(entry)
            except EdgeSRError as error:
                entry.error = str(error)

    def run(self, workers: Workers, on_frames: Callable[[int], None] = lambda _count: None) -> None:
        """Make what is missing.

        Args:
            on_frames: called with the number of frames that were just made.
        """
        begun = time.monotonic()

        def on_done(outcome: Outcome) -> list[Work]:
            entry = self._by_state[outcome.work[0].state]
            try:
                return self._on_done(entry, outcome, on_frames)
            except EdgeSRError as error:  # its facts cannot be written, say
                entry.error, entry.made = str(error), None
                return []

        try:
            workers.work(self._work, on_done)
        finally:
            self.seconds = time.monotonic() - begun

    def _plan(self, entry: Entry) -> None:
        film = entry.film
        address = parse_address(str(film.path))
        model, why = choose(self._spec.model, self._spec.flavour, lambda: fit_input(address))
        if why:
            logger.debug("%s: %s", film.path, why)
        spec = replace(self._spec, model=model, flavour=None)
        facts = job_facts(film, spec, zoo.find(model, spec.scale or Fraction(2))[0])
        begin(film, facts, force=self._spec.force)
        entry.made = finished(film)
        if entry.made:
            entry.frames = entry.kept = entry.made.frames
            return
        spec = replace(spec, input=str(film.path), output=str(film.output), force=True)
        index = read_index(film.path)
        entry.frames = len(index.times[: spec.max_frames])
        entry.segments = plan_segments(film, spec, index)
        self._by_state[film.state] = entry
        if not entry.segments:
            self._work.append((whole(film, spec),))
            return
        missing = [segment for segment in entry.segments if not done(segment)]
        entry.waiting = {segment.number for segment in missing}
        entry.kept = entry.frames - sum(len(segment.times) for segment in missing)
        self._work += [(segment,) for segment in missing] or [tuple(entry.segments)]

    def _on_done(
        self, entry: Entry, outcome: Outcome, on_frames: Callable[[int], None]
    ) -> list[Work]:
        """Note an outcome; returns the work that it makes possible."""
        part = len(outcome.work) == 1 and bool(outcome.work[0].times)
        if not outcome.exact and entry.segments:
            logger.info("%s; the film is made as a whole", outcome.error)
            spec = entry.segments[0].spec
            entry.segments, entry.waiting = [], set()
            return [(whole(entry.film, spec),)]
        if part and not entry.segments:
            return []  # of a film that is made as a whole now
        if outcome.made is None:
            entry.error = entry.error or outcome.error
            return []
        if not part:
            entry.made = outcome.made
            finish(entry.film, outcome.made)
            on_frames(0 if entry.segments else outcome.made.frames)
            return []
        on_frames(outcome.made.frames)
        entry.waiting.discard(outcome.work[0].number)
        return [] if entry.waiting or entry.error else [tuple(entry.segments)]
