"""Going on with a file job that was killed: ``--resume``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from edge_sr import __version__
from edge_sr.errors import UsageError
from edge_sr.media.animation.write import FROM_FILMS
from edge_sr.media.codec.demuxer import Demuxer
from edge_sr.media.codec.unfinished import clear, take_over, write_ticket
from edge_sr.media.frame import Frame, StreamInfo
from edge_sr.media.libraries import load_av
from edge_sr.media.protocols import Source, SourceBase
from edge_sr.media.sinks.writer import VideoWriter
from edge_sr.pipeline.job import JobSpec
from edge_sr.session.still import EXACT, OFF
from edge_sr.types import Size
from edge_sr.upscaler import Upscaler


class Skipping(SourceBase):
    """A source without its first frames. They are decoded, so that the others stay the same."""

    def __init__(self, source: Source, count: int) -> None:
        self._source, self._count = source, count

    @property
    def info(self) -> StreamInfo:
        """As the whole source's."""
        return self._source.info

    @property
    def beside(self) -> Demuxer | None:
        """As the source's."""
        return self._source.beside

    @property
    def notices(self) -> Sequence[str]:
        """Those of the source."""
        return self._source.notices

    def __iter__(self) -> Iterator[Frame]:
        """The frames after the first `count`."""
        return islice(iter(self._source), self._count, None)

    def close(self) -> None:
        """Close the source."""
        self._source.close()


def check_resume(spec: JobSpec, source: Source) -> None:
    """Refuse ``--resume`` where frames cannot be asked for again, or are not kept.

    Raises:
        UsageError: the message gives the reason.
    """
    if not spec.resume:
        return
    if source.info.live or spec.input in (None, "-"):
        raise UsageError("--resume goes on with a file; a camera, stream or pipe has moved on")
    if spec.drop_policy == "newest":
        raise UsageError("--resume loses no frame; --drop-policy newest does: leave one out")
    if len(spec.outputs) > 1 or spec.publish or spec.rtsp is not None:
        raise UsageError("--resume goes on with one --output; leave the others out")
    if spec.compare and not (spec.show or spec.serve):
        raise UsageError("--resume goes on with the result, not with a comparison")
    if spec.still not in (None, OFF, EXACT):
        raise UsageError(
            f"--still {spec.still} gives frames that depend on those before: --resume goes on with "
            "--still exact or off"
        )
    if spec.output in (None, "-", "null") or Path(spec.output or "").suffix.lower() in FROM_FILMS:
        raise UsageError("--resume goes on with --output FILE, a video; nothing else does")


def begin(spec: JobSpec, writer: VideoWriter, upscaler: Upscaler, size: Size) -> int:
    """Note what the file will depend on, and take over what an earlier job has of it.

    Returns:
        How many frames need not be made again.

    Raises:
        MediaError: the earlier job had other settings.
    """
    facts = _facts(spec, writer.prepare(size), upscaler, size)
    unfinished = take_over(writer.path, facts) if spec.resume else None
    if unfinished is None:
        clear(writer.path)
    else:
        writer.go_on(unfinished)
    write_ticket(writer.path, facts)
    return unfinished.frames if unfinished else 0


def _facts(spec: JobSpec, encoder: str, upscaler: Upscaler, size: Size) -> dict[str, str]:
    """Everything that two runs must share to give the same frames."""
    path = Path(spec.input or "")
    state = path.stat() if path.is_file() else None
    backend = upscaler.backend
    return {
        "edge-sr": __version__,
        "FFmpeg": str(load_av().ffmpeg_version_info),
        "input": str(path.absolute()) if state else str(spec.input),
        "input size": str(state.st_size if state else 0),
        "input date": str(state.st_mtime_ns if state else 0),
        "model": upscaler.sidecar.sha256,
        "backend": f"{backend.name}, {backend.device}, {backend.precision}",
        "--threads": str(spec.threads),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0),
        "--tile": str(spec.tile),
        "--still": str(spec.still),
        "--strength": f"{spec.strength:g}",
        "output size": str(size),
        "encoder": encoder,
        "--bits": spec.bits,
        "--crf": str(spec.crf),
        "--preset": spec.preset,
        "--max-frames": str(spec.max_frames),
        "--fps": str(spec.fps),
        "--audio": spec.audio,
    }
