"""What a killed job left behind, and whether another may go on from there."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from edge_sr.errors import MediaError
from edge_sr.files import parse_json
from edge_sr.media.codec.chunks import CHUNK, TAIL
from edge_sr.media.codec.containers import open_input
from edge_sr.media.libraries import load_av
from edge_sr.media.sinks.output import LONGEST_NAME, hidden_path, part_path


class Packets(Protocol):
    """Video that is encoded already."""

    def packets(self) -> Iterator[Any]:
        """Its packets, each with its own time base."""
        ...


@dataclass(frozen=True)
class Unfinished:
    """Whole chunks of video that an earlier job has written."""

    path: Path  # where they are now
    origin: Path  # where they were
    frames: int  # a multiple of CHUNK

    def packets(self) -> Iterator[Any]:
        """The packets of the chunks as an encoder gives them, each with its own time base.

        Raises:
            MediaError: the file cannot be read any more.
        """
        av = load_av()
        try:
            with open_input(self.path) as found:
                stream = found.streams.video[0]
                codec = stream.codec_context.name  # of two, start codes instead of lengths
                name = f"{codec}_mp4toannexb" if codec in ("h264", "hevc") else "null"
                convert = av.bitstream.BitStreamFilterContext(name, stream)
                for packet in _dated(islice(found.demux(stream), self.frames)):
                    yield from convert.filter(packet)
        except (av.FFmpegError, OSError) as error:
            raise MediaError(f"{self.path}: cannot be read on ({error})") from error

    def restore(self) -> None:
        """Give the file its old name back."""
        with contextlib.suppress(OSError):  # it stays where a later --resume finds it, too
            os.replace(self.path, self.origin)


def _dated(packets: Iterable[Any]) -> Iterator[Any]:
    """Packets with decoding times. Matroska stores none, and FFmpeg finds those of B-frames again
    but for the first ones, which are before the time of the first picture.
    """
    waiting: list[Any] = []
    for packet in packets:
        if packet.dts is None:
            waiting.append(packet)
            continue
        for number, early in enumerate(waiting):
            early.dts = packet.dts - (len(waiting) - number) * max(1, packet.duration or 0)
        yield from waiting
        waiting.clear()
        yield packet


def partial_path(path: Path) -> Path:
    """What an interrupted job leaves: ``o.mp4`` -> ``o.partial.mp4``."""
    room = LONGEST_NAME - len(os.fsencode(f".partial{path.suffix}"))
    stem = os.fsencode(path.stem)[:room].decode(errors="ignore")
    return path.with_name(f"{stem}.partial{path.suffix}")


def ticket_path(path: Path) -> Path:
    """Where the settings of an unfinished job are kept: ``o.mp4`` -> ``.o.mp4.job.json``."""
    return hidden_path(path, ".job.json")


def write_ticket(path: Path, facts: Mapping[str, str]) -> None:
    """Keep what the result depends on beside the unfinished file.

    Raises:
        MediaError: it cannot be written.
    """
    part = ticket_path(path).with_suffix(".part")
    try:
        part.write_text(json.dumps(dict(facts), indent=2) + "\n")
        os.replace(part, ticket_path(path))
    except OSError as error:
        raise MediaError(f"{ticket_path(path)}: cannot be written ({error.strerror})") from error


def same_job(path: Path, facts: Mapping[str, str]) -> bool:
    """Whether an unfinished job for `path` has these settings; False where there is none.

    Raises:
        MediaError: it has others.
    """
    try:
        begun = parse_json(ticket_path(path).read_text())
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise MediaError(f"{ticket_path(path)}: cannot be read ({error}); remove it") from error
    before = begun if isinstance(begun, dict) else {}
    for name in sorted(before.keys() | facts.keys()):
        if before.get(name) != facts.get(name):
            raise MediaError(
                f"{path}: was begun with {name} {before.get(name)}, now it is {facts.get(name)}; "
                "use the same, or leave out --resume to begin again"
            )
    return True


def clear(path: Path) -> None:
    """Forget an unfinished job: there is a whole file now, or another one begins."""
    for name in (ticket_path(path), _old_path(path)):
        name.unlink(missing_ok=True)


def take_over(path: Path, facts: Mapping[str, str]) -> Unfinished | None:
    """What can be kept of an unfinished job for `path`; None where there is nothing.

    At least the last frame is made again, so that the end of a job is always the same.

    Raises:
        MediaError: that job had other settings.
    """
    if not same_job(path, facts):
        return None
    places = (part_path(path), partial_path(path), _old_path(path))
    frames, best = max(((whole_chunks(place), place) for place in places), key=lambda x: x[0])
    if not frames:
        partial_path(path).unlink(missing_ok=True)  # too short to keep; the job begins again
        return None
    os.replace(best, _old_path(path))
    return Unfinished(_old_path(path), best, frames)


def _old_path(path: Path) -> Path:
    return hidden_path(path, ".old")


def whole_chunks(path: Path) -> int:
    """How many frames a later job can keep of an unfinished file; 0 where it cannot be read."""
    av = load_av()
    count = 0
    cut_off = (av.FFmpegError, OSError, IndexError)  # there, or it was never begun
    with contextlib.suppress(*cut_off), open_input(path) as found:
        for packet in found.demux(video=0):
            if packet.size == 0 or packet.is_corrupt:
                break
            count += 1
    # the last frames of a job are never a chunk of their own
    return max(0, count - 1 - TAIL) // CHUNK * CHUNK
