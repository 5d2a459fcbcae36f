"""The answer that a report opens with: what reaches 30 frames a second here."""

from __future__ import annotations

from dataclasses import dataclass

from bench.report.summary import Entry, Group

FPS = 30.0  # that live video needs
SHOWN = 6  # models that a sentence names, at most


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The answer for one device, size and scale."""

    title: str  # "1280x720 to 2560x1440"
    answer: str  # "reaches 30 fps here: edge-unet-s-x2 (45.2 fps)"
    details: tuple[str, ...]  # a sentence each
    good: bool  # whether any network reaches it
    where: str  # device, threads and version


def decide(group: Group) -> Decision:
    """What a user should take at this size. Frames a second are of the whole runtime path."""
    networks = [e for e in group.entries if e.row.kind == "model" and e.row.latency]
    networks.sort(key=_fps, reverse=True)
    reach = [entry for entry in networks if _fps(entry) >= FPS]
    row = group.entries[0].row
    version = f", edge-sr {row.device.edge_sr}" if row.device.edge_sr else ""
    large = group.title.partition(" on ")[0]
    where = f"{group.title.partition(' on ')[2]}{version}"
    if not networks:
        answer, details = "not timed yet", ["Run python -m bench run to time the models."]
    elif reach:
        names = ", ".join(map(_named, reach[:SHOWN]))
        more = f" and {len(reach) - SHOWN} more" if len(reach) > SHOWN else ""
        answer, details = f"reaches {FPS:g} fps here: {names}{more}", _best(reach, group)
    else:
        first = networks[0]
        answer = f"no model reaches {FPS:g} fps here; the fastest is {_named(first)}"
        details = [
            "It does for files. For live video take a smaller input, fewer frames a second, or a "
            "GPU; a live run drops the frames that come too fast."
        ]
    if any(_estimated(entry) for entry in networks[:SHOWN]):
        details.append("Estimated: scaled from fewer than 30 frames.")
    return Decision(
        title=large, answer=answer, details=tuple(details), good=bool(reach), where=where
    )


def _best(reach: list[Entry], group: Group) -> list[str]:
    judged = [entry for entry in reach if entry.psnr_y_db is not None]
    if not judged:
        return []
    best = max(judged, key=lambda entry: entry.psnr_y_db or 0)
    return [
        f"Of these, {best.label} has the best PSNR-Y: {best.psnr_y_db:.2f} dB on "
        f"{group.picture_set}."
    ]


def _fps(entry: Entry) -> float:
    return entry.row.latency.fps if entry.row.latency else 0.0


def _estimated(entry: Entry) -> bool:
    return entry.row.latency is not None and entry.row.latency.frames30_measured < 30


def _named(entry: Entry) -> str:
    estimated = ", estimated" if _estimated(entry) else ""
    return f"{entry.label} ({_fps(entry):.1f} fps{estimated})"
