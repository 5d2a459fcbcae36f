"""Tags of a film and of its streams: what a container holds of them, and what has to be named."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from edge_sr.media.codec.containers import MATROSKA
from edge_sr.media.libraries import load_av

# of the file that was read, not of the film in it
NOT_CARRIED = ("encoder", "major_brand", "minor_version", "compatible_brands", "software")
OF_STREAMS = ("language", "title", "handler_name")
TIMECODE = re.compile(r"\d\d:\d\d:\d\d([:;.])\d\d", re.ASCII)


def film_tags(container: Any, video: Any) -> dict[str, str]:
    """The tags of an `av` container that say something of the film.

    The time code is among them, where it is a tag of the video stream, as in mov, too.
    """
    found = {k: v for k, v in container.metadata.items() if k.lower() not in NOT_CARRIED}
    codes = [v for k, v in video.metadata.items() if k.lower() == "timecode"]
    if codes and not any(name.lower() == "timecode" for name in found):
        found["timecode"] = codes[0]
    return found


def stream_tags(stream: Any) -> dict[str, str]:
    """Language, title and handler of an `av` stream; FFmpeg's reader of mp4 calls titles names."""
    found = {name: stream.metadata[name] for name in OF_STREAMS if name in stream.metadata}
    if "name" in stream.metadata:
        found.setdefault("title", stream.metadata["name"])
    return found


def is_timecode(text: str, rate: Fraction | None) -> bool:
    """Whether mp4 can hold a time code: frames are dropped of 29.97 and 59.94 a second alone."""
    found = TIMECODE.fullmatch(text)
    if not found or rate is None or rate < 1:
        return False
    return int(text[-2:]) < round(rate) and (found[1] == ":" or round(rate) % 30 == 0)


def lost_tags(kind: str, tags: Mapping[str, str]) -> list[str]:
    """The names of the tags that a container does not hold: some are written, and looked for.

    Args:
        kind: FFmpeg's name of the container.
    """
    av = load_av()
    wanted = {name: value for name, value in tags.items() if name.lower() != "timecode"}
    if not wanted or kind in MATROSKA:
        return []
    with io.BytesIO() as file:
        with av.open(file, "w", format=kind) as scratch:
            scratch.add_stream("pcm_s16le", rate=8000)
            scratch.metadata.update(wanted)
            scratch.start_encoding()
        file.seek(0)
        with av.open(file, format=kind, metadata_errors="replace") as made:
            held = {name.lower() for name in made.metadata}
    return sorted(name for name in wanted if name.lower() not in held)
