"""Where a coded stream says that its chroma lies, which PyAV shows of no frame."""

from __future__ import annotations

import re
from typing import Any

from edge_sr.media.libraries import load_av

# what FFmpeg's trace_headers prints of the headers of H.264 and HEVC, and of AV1
CODED = re.compile(r"(chroma_sample_loc_type_top_field|chroma_sample_position)\s.*= (\d)")
AV1 = {1: 1, 2: 3}  # its positions -> FFmpeg's AVChromaLocation; the others count from 0
UNSPECIFIED = 0


def coded_siting(stream: Any) -> int:
    """AVChromaLocation of an `av` video stream by its headers; 0 where they say nothing."""
    av = load_av()
    level = av.logging.get_level()
    try:
        with av.logging.Capture() as lines:
            av.logging.set_level(av.logging.INFO)
            av.bitstream.BitStreamFilterContext("trace_headers", stream)
    except (av.FFmpegError, ValueError):  # of other codecs, and of headers it cannot read
        return UNSPECIFIED
    finally:
        av.logging.set_level(level)
    found = next(filter(None, (CODED.search(text) for _, _, text in lines)), None)
    if found is None:
        return UNSPECIFIED
    value = int(found[2])
    return AV1.get(value, UNSPECIFIED) if "position" in found[1] else value + 1
