"""Tags of a film and of its streams: what a container holds of them, and what has to be named."""

from __future__ import annotations

import functools
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
# of how a stream was stored, not of what is in it
OF_STORAGE = (
    "alpha_mode", "bps", "compatible_brands", "creation_time", "duration", "encoder",
    "filename", "major_brand", "mimetype", "minor_version", "name", "number_of_bytes",
    "number_of_frames", "rotate", "timecode", "variant_bitrate", "vendor_id",
)  # fmt: skip
# ISO 639-2 has two codes for some languages; QuickTime knows one of them
TWINS = (
    ("alb", "sqi"), ("arm", "hye"), ("baq", "eus"), ("bur", "mya"), ("chi", "zho"), ("cze", "ces"),
    ("dut", "nld"), ("fre", "fra"), ("geo", "kat"), ("ger", "deu"), ("gre", "ell"), ("ice", "isl"),
    ("mac", "mkd"), ("mao", "mri"), ("may", "msa"), ("per", "fas"), ("rum", "ron"), ("slo", "slk"),
    ("tib", "bod"), ("wel", "cym"),
)  # fmt: skip
# the roles of streams that each container holds, by FFmpeg's names
ROLES = {
    "mp4": ("captions", "comment", "descriptions", "dub", "forced", "hearing_impaired",
            "visual_impaired"),
    "mov": (),
    "matroska": ("comment", "descriptions", "dub", "forced", "hearing_impaired", "original",
                 "visual_impaired"),
    "webm": ("captions", "descriptions", "forced", "metadata"),
}  # fmt: skip
EVERYWHERE = ("attached_pic", "default")
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


def stream_tags(stream: Any, kind: str) -> dict[str, str]:
    """Language, title and handler of an `av` stream; FFmpeg's reader of mp4 calls titles names.

    Args:
        kind: FFmpeg's name of the container that they are for; a language that it cannot hold is
            left out.
    """
    tags = {name.lower(): value for name, value in stream.metadata.items()}  # Ogg: in capitals
    found = {name: tags[name] for name in OF_STREAMS if name in tags}
    if "name" in tags:
        found.setdefault("title", tags["name"])
    if "language" in found:
        found["language"] = held_language(kind, found["language"])
    return {name: value for name, value in found.items() if value}


def lost_of_stream(stream: Any, kind: str) -> list[str]:
    """What is known of an `av` stream and a container cannot hold, in words for the user."""
    languages = [v for name, v in stream.metadata.items() if name.lower() == "language"]
    language = languages[0] if languages else ""
    lost = [] if held_language(kind, language) else [f"language {language}"]
    roles = [role.name for role in load_av().stream.Disposition if role in stream.disposition]
    held = (*EVERYWHERE, *ROLES[kind])
    lost += [f"role {role.replace('_', ' ')}" for role in roles if role not in held]
    others = [] if kind in MATROSKA else sorted(other_tags(stream))
    return lost + ([f"tags {', '.join(others)}"] if others else [])


def held_language(kind: str, language: str) -> str:
    """The code for a language that a container holds; "" for none."""
    if kind in MATROSKA or language in ("", "und"):
        return language or "und"
    twins = [code for pair in TWINS for code in pair if language in pair and code != language]
    return next((code for code in (language, *twins) if _holds_language(kind, code)), "")


@functools.cache
def _holds_language(kind: str, language: str) -> bool:
    """Whether a language that is written can be read again."""
    av = load_av()
    with io.BytesIO() as file:
        with av.open(file, "w", format=kind) as scratch:
            stream = scratch.add_stream("pcm_s16le", rate=8000, layout="mono")
            stream.metadata["language"] = language
            packet = av.Packet(b"\0\0")
            packet.stream, packet.pts, packet.dts, packet.duration = stream, 0, 0, 1
            packet.time_base = Fraction(1, 8000)
            scratch.mux(packet)
        file.seek(0)
        with av.open(file, format=kind, metadata_errors="replace") as made:
            return bool(made.streams[0].metadata.get("language") == language)


def other_tags(stream: Any) -> dict[str, str]:
    """The tags of an `av` stream that Matroska alone holds, such as those of Ogg."""
    return {
        name: value
        for name, value in stream.metadata.items()
        if name.lower() not in OF_STREAMS
        and name.lower().partition("-")[0] not in OF_STORAGE
        and not name.startswith("_")
    }


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
