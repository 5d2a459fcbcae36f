"""What a process of the library does: make segments with a model that stays open, and join them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_sr import __version__
from edge_sr.errors import EdgeSRError
from edge_sr.media.codec.join import Part, join_parts, plan_text, read_plan
from edge_sr.media.frame import Frame, StreamInfo
from edge_sr.media.protocols import SourceBase
from edge_sr.media.sinks.writer import VideoWriter
from edge_sr.media.sources.file import VideoFile
from edge_sr.pipeline.open_model import takes_depth
from edge_sr.pipeline.pipeline import run_pipeline
from edge_sr.pipeline.run import run_job
from fleet.films.segments import Made, Segment, digest, read_made, write_made
from fleet.films.turns import Models, Turn


class NotExactError(EdgeSRError):
    """A film that has to be made as a whole: its packets do not say which frames come out."""


class Maker:
    """Makes segments. Models stay open between them; two threads may make two segments at once."""

    def __init__(self) -> None:
        self._models = Models()

    def check(self, version: str, folder: Path) -> str:
        """Why this process cannot work for a library, in one line; "" where it can.

        Args:
            version: of edge-sr, that started the library.
            folder: where the results go; it has to be seen from here.
        """
        host = os.uname().nodename
        if version != __version__:
            return f"{host}: has edge-sr {__version__}, not {version}; install the same one there"
        if not folder.is_dir():
            return f"{host}: does not see {folder}; results need a folder that every node shares"
        return ""

    def make(self, segment: Segment) -> Made:
        """Make one segment, or a film as a whole, and write its facts.

        Raises:
            NotExactError: the frames are not those that the packets promised.
            EdgeSRError: it cannot be read, run or written.
        """
        if not segment.times:
            return self._whole(segment)
        made = self._part(segment)
        write_made(segment.facts_path, made)
        return made

    def join(self, segments: Sequence[Segment]) -> Made:
        """Join segments that are done into the film, without encoding a frame.

        Raises:
            NotExactError: they were not encoded in one way.
            MediaError: the film cannot be read or written.
        """
        facts = [read_made(segment.facts_path) for segment in segments]
        plans = {made.plan for made in facts if made}
        if None in facts or len(plans) != 1:
            raise NotExactError(f"{segments[0].spec.input}: its segments do not fit each other")
        found = [made for made in facts if made]
        output = Path(segments[0].spec.output or "")
        summary, notices = join_parts(
            output,
            [Part(segment.path, len(segment.times)) for segment in segments],
            read_plan(plans.pop()),
            copy_from=Path(segments[0].spec.input or ""),
            force=segments[0].spec.force,
        )
        kinds = sorted({made.runs for made in found})
        if len(kinds) > 1:
            notices.append(f"{output}: made on several kinds of devices: {'; '.join(kinds)}")
        said = [line for made in found for line in made.notices]
        return Made(
            frames=sum(made.frames for made in found),
            seconds=sum(made.seconds for made in found),
            sha256=digest(output),
            summary=summary,
            notices=tuple(dict.fromkeys([*said, *notices])),
        )

    def _whole(self, segment: Segment) -> Made:
        with self._models.alone():
            begun = time.monotonic()
            result = run_job(segment.spec)
        (output,) = result.outputs
        return Made(
            frames=result.written + result.kept,
            seconds=time.monotonic() - begun,
            sha256=output.digest() or "",
            summary=output.summary,
            notices=result.notices,
        )

    def _part(self, segment: Segment) -> Made:
        spec = segment.spec
        segment.path.unlink(missing_ok=True)  # without facts: of a process that was killed
        with _Part(segment) as source:
            turn = Turn(self._models, spec, source.info, len(segment.times))
            writer = VideoWriter(
                segment.path,
                source=source.info,
                codec=spec.codec,
                crf=spec.crf,
                preset=spec.preset,
                goes_on=segment.goes_on,
            )
            try:
                stats = run_pipeline(source, turn, [writer])
                if stats.written != len(segment.times):
                    wanted = len(segment.times)
                    raise NotExactError(f"{spec.input}: {stats.written} frames, not {wanted}")
                plan = writer.plan
                summary = writer.finish()
            finally:
                turn.close()
                writer.abort()
        if plan is None:  # no frame was asked for
            raise NotExactError(f"{segment.path}: holds no frame")
        runs = turn.facts
        found = Part(segment.path, len(segment.times)).times(plan.time_base)
        if found != list(segment.times):
            raise NotExactError(f"{segment.path}: its frames have other times than the film's")
        return Made(
            frames=len(found),
            seconds=time.monotonic() - turn.began_s,
            sha256=digest(segment.path),
            plan=plan_text(plan),
            runs=f"{runs.backend}, {runs.device}, {runs.precision}",
            summary=summary,
            notices=tuple(source.notices),
        )


class _Part(SourceBase):
    """The frames of a segment; decoded from a key frame on."""

    def __init__(self, segment: Segment) -> None:
        self._times = segment.times
        spec = segment.spec
        self._file = VideoFile(
            Path(spec.input or ""),
            start=segment.key,
            keep_depth=spec.bits == "keep" and takes_depth(spec),
        )

    @property
    def info(self) -> StreamInfo:
        """As the film's."""
        return self._file.info

    @property
    def notices(self) -> Sequence[str]:
        """Those of the film."""
        return self._file.notices

    def __iter__(self) -> Iterator[Frame]:
        """The frames.

        Raises:
            NotExactError: one has another time than its packet.
        """
        wanted = iter(self._times)
        due = next(wanted)
        for frame in self._file:
            if frame.pts < due:
                continue
            if frame.pts != due:
                raise NotExactError(f"{self._file.path}: a frame at {frame.pts}, not at {due}")
            yield frame
            following = next(wanted, None)
            if following is None:
                return
            due = following

    def close(self) -> None:
        """Close the film."""
        self._file.close()
