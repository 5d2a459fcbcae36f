"""Side data of decoded frames, also where PyAV has no name for a part of it."""

from __future__ import annotations

from typing import Any

from edge_sr.media.libraries import load_av

# FFmpeg's numbers of kinds for which PyAV 18 has no name, and what the user calls them
UNNAMED = {
    28: "LCEVC data",
    29: "the other views of a stereoscopic film",
    30: "the screens that a stereoscopic film was made for",
    31: "the Exif data of its pictures",
}
NEWEST = 40  # kinds of later FFmpeg versions, below this number


def side_data(frame: Any) -> dict[str, bytes]:
    """The side data of a PyAV frame by PyAV's names, such as "DISPLAYMATRIX".

    PyAV refuses to show any of it beside a kind that it has no name for; such kinds are left out.
    """
    try:
        return {data.type.name: bytes(data) for data in frame.side_data}
    except ValueError:
        pass
    try:
        return {data.type.name: bytes(data) for data in _without(frame, _unnamed()).side_data}
    except (load_av().FFmpegError, ValueError):
        return {}


def unnamed_side_data(frame: Any) -> list[str]:
    """The side data of a PyAV frame that PyAV has no name for, in words for the user."""
    try:
        _ = frame.side_data
    except ValueError:
        return [text for kind, text in UNNAMED.items() if _has(frame, kind)]
    return []


def _has(frame: Any, kind: int) -> bool:
    try:
        _ = _without(frame, [other for other in _unnamed() if other != kind]).side_data
    except load_av().FFmpegError:
        return False
    except ValueError:
        return True
    return False


def _unnamed() -> list[int]:
    named = {kind.value for kind in load_av().sidedata.sidedata.Type}
    return [kind for kind in range(NEWEST) if kind not in named]


def _without(frame: Any, kinds: list[int]) -> Any:
    """The same picture without side data of some kinds, by FFmpeg's filter for that."""
    graph = load_av().filter.Graph()
    node = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format.name,
        time_base=frame.time_base,
    )
    for kind in kinds:
        following = graph.add("sidedata", f"mode=delete:type={kind}")
        node.link_to(following)
        node = following
    node.link_to(graph.add("buffersink"))
    graph.configure()
    graph.push(frame)
    return graph.pull()
