"""Joining parts of a film, each of whole chunks, into one file without encoding a frame.

Every chunk was made by a fresh encoder (see `chunks`), so that parts that were made apart, one
after another or on several machines, hold the very packets of an uninterrupted job.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec

from edge_sr.errors import MediaError
from edge_sr.media.codec.chunks import CHUNK
from edge_sr.media.codec.containers import reason
from edge_sr.media.codec.demuxer import Demuxer
from edge_sr.media.codec.encoder import EncoderPlan
from edge_sr.media.codec.muxer import Muxer
from edge_sr.media.codec.unfinished import Unfinished
from edge_sr.media.libraries import load_av
from edge_sr.media.sinks.output import check_output, commit, discard, part_path

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}


@dataclass(frozen=True)
class Part:
    """A file with some of a film's frames."""

    path: Path
    frames: int

    def packets(self) -> Iterator[Any]:
        """As `Unfinished.packets`."""
        return Unfinished(self.path, self.path, self.frames).packets()

    def times(self, time_base: Fraction) -> list[int]:
        """The times of its frames in the order of display.

        Raises:
            MediaError: the file cannot be read.
        """
        return sorted(round(item.pts * item.time_base / time_base) for item in self.packets())


@dataclass(frozen=True)
class Parts:
    """Several parts, in their order, as if one encoder had made them."""

    parts: Sequence[Part]
    time_base: Fraction  # of the encoders

    def packets(self) -> Iterator[Any]:
        """Packets in rising decoding order: a part that begins before its time is moved behind the
        one before it, as an encoder after another would be; presentation times never change.

        Raises:
            MediaError: a file cannot be read.
        """
        last: int | None = None
        for part in self.parts:
            for packet in part.packets():
                tick = packet.time_base / self.time_base
                dts = round(packet.dts * tick)
                if last is not None and dts <= last:
                    dts = last + 1
                    packet.dts = round(dts / tick)
                last = dts
                yield packet


def join_parts(
    path: Path,
    parts: Sequence[Part],
    plan: EncoderPlan,
    *,
    copy_from: Path,
    force: bool = False,
) -> tuple[str, list[str]]:
    """Write a film of its parts, with the audio, subtitles, chapters and tags of another.

    Args:
        plan: that every part was encoded by.

    Returns:
        A line on what was written, and a line for each thing that could not be copied.

    Raises:
        MediaError: a file cannot be read or written; nothing is left at `path`.
    """
    check_output(path, force=force, source=copy_from)
    av = load_av()
    muxer: Muxer | None = None
    try:
        with _wrapped(path):
            muxer = Muxer(
                av,
                part_path(path),
                CONTAINERS[path.suffix.lower()],
                plan,
                chunk=CHUNK,
                copy_from=Demuxer(copy_from),
                unfinished=Parts(parts, plan.time_base),
            )
            last = max(muxer.times) * plan.time_base
            end = last + 1 / (plan.rate or Fraction(25))
            notices = muxer.finish(last, end)
            muxer.close()
        commit(path)
    except BaseException:
        if muxer:
            muxer.close()
        discard(path)
        raise
    width, height = plan.size
    seconds = float(end - min(muxer.times) * plan.time_base)
    return f"{path}: {width}x{height}, {seconds:.2f} s", notices


def plan_text(plan: EncoderPlan) -> str:
    """A plan as JSON, which `read_plan` reads."""
    return msgspec.json.encode(plan, enc_hook=_encode).decode()


def read_plan(text: str) -> EncoderPlan:
    """The plan that `plan_text` wrote.

    Raises:
        MediaError: it is something else.
    """
    try:
        return msgspec.json.decode(text, type=EncoderPlan, dec_hook=_decode)
    except (msgspec.MsgspecError, ValueError, ZeroDivisionError) as error:
        raise MediaError(f"the plan of an encoder cannot be read ({error})") from error


@contextlib.contextmanager
def _wrapped(path: Path) -> Iterator[None]:
    try:
        yield
    except (load_av().FFmpegError, OSError, ValueError) as error:
        raise MediaError(f"{path}: cannot be joined ({reason(error)})") from error


def _encode(value: Any) -> Any:
    if isinstance(value, Fraction):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} is no part of a plan")


def _decode(kind: Any, value: Any) -> Any:
    if kind is Fraction and isinstance(value, str):
        return Fraction(value)
    raise NotImplementedError(f"{kind} is no part of a plan")
