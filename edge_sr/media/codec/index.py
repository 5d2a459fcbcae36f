"""Where the frames of a film lie, from its packets alone: nothing is decoded."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from edge_sr.media.codec.demuxer import Demuxer

EXACT = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")  # containers with an index of exact times


@dataclass(frozen=True)
class FilmIndex:
    """The frames of a film by their times, in the time base of its video."""

    times: tuple[int, ...]  # of all frames, in the order of display
    keys: tuple[int, ...]  # of key frames, rising
    time_base: Fraction
    why_whole: str = ""  # why no part of it can be decoded by itself; "" where it can

    def key_before(self, frame: int) -> int:
        """The time of a key frame from which a frame is decoded exactly.

        It is the last but one before it: a recovery that takes a while is over by then.
        """
        place = bisect_right(self.keys, self.times[frame])
        return self.keys[max(0, place - 2)]


def read_index(path: Path) -> FilmIndex:
    """Read the packets of a film's video.

    Raises:
        MediaError: the file cannot be read, or has no video.
    """
    with Demuxer(path) as demuxer:
        demuxer.drop_others()
        times, keys, why = [], [], ""
        if demuxer.container.format.name not in EXACT:
            why = f"{demuxer.container.format.name} files have no index of exact times"
        for packet in demuxer.video_packets():
            if packet.pts is None or packet.is_discard or packet.is_corrupt:
                why = why or "frames without a time, or that are not shown"
                continue
            times.append(packet.pts)
            if packet.is_keyframe:
                keys.append(packet.pts)
        if demuxer.cuts:
            why = why or "its clock was cut"
        if len(set(times)) != len(times):
            why = why or "two frames of one time"
        if not times or not keys or min(keys) > min(times):
            why = why or "it does not begin with a key frame"
        base = Fraction(demuxer.video.time_base)
    return FilmIndex(tuple(sorted(times)), tuple(sorted(keys)), base, why)
