"""Text subtitles from one container's form to another's."""

from __future__ import annotations

import re
import struct

# what can be read as text, by FFmpeg's names; the form that each container holds is in `TEXT_FORMS`
TEXT_CODECS = ("ass", "mov_text", "srt", "ssa", "subrip", "text", "webvtt")
TEXT_FORMS = {"matroska": "subrip", "webm": "webvtt", "mp4": "mov_text", "mov": "mov_text"}
HEADER = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour
Style: Default,Arial,16,&H00FFFFFF

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""  # FFmpeg's encoders want one, whatever they write; without a colour, it is black
ASS_FIELDS = 8  # before the text of an event in Matroska
ASS_CODE = re.compile(r"\{[^}]*\}")
TAG = re.compile(r"</?[A-Za-z][^>]*>")


def subtitle_text(codec: str, payload: bytes) -> str:
    """The lines of one subtitle packet, without markup; "" where there are none."""
    if codec == "mov_text":
        length = int.from_bytes(payload[:2], "big")
        body = payload[2 : 2 + length]
        wide = body.startswith((b"\xfe\xff", b"\xff\xfe"))
        return body.decode("utf-16" if wide else "utf-8", "replace")
    text = payload.decode("utf-8", "replace").rstrip("\x00")
    if codec in ("ass", "ssa"):
        text = text.split(",", ASS_FIELDS)[-1]
        text = re.sub(r"\\[Nn]", "\n", text).replace(r"\h", " ")
    return TAG.sub("", ASS_CODE.sub("", text)).strip()


def subtitle_payload(codec: str, text: str) -> bytes:
    """The packet that holds a text: "mov_text" or "subrip"."""
    data = text.encode()
    return struct.pack(">H", len(data)) + data if codec == "mov_text" else data
