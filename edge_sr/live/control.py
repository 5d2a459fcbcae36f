"""What screens and pages may ask of a run: its figures, a snapshot, a recording, another model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path, PurePath

from edge_sr.errors import MediaError
from edge_sr.live.compare import View
from edge_sr.live.device import DeviceMeter
from edge_sr.live.recorder import Recorder
from edge_sr.live.snapshot import save_snapshot
from edge_sr.live.verdict import Verdict
from edge_sr.media.protocols import Source
from edge_sr.media.sources.sound import Sound
from edge_sr.pipeline.shot import Shot, ShotSink
from edge_sr.pipeline.stats import Recent, Stats
from edge_sr.session.model_switch import ModelSwitch
from edge_sr.session.strength import MOST
from edge_sr.types import Size

Facts = dict[str, object]


class RunControl(ShotSink):
    """The run as its screens see it. As a sink it keeps the newest frame, for snapshots.

    Everything but `show` may be called from any thread.
    """

    def __init__(
        self,
        *,
        source: Source,
        size: Size,
        switch: ModelSwitch,
        recorder: Recorder,
        folder: Path,
        view: View,
    ) -> None:
        self.stats = Stats()
        self.switch, self.recorder, self.view = switch, recorder, view
        self.device = DeviceMeter()
        self._source, self._size, self.folder = source, size, folder
        self._latest: Shot | None = None
        self._model = switch.name
        self._verdict = Verdict(source.info)

    @property
    def sound(self) -> Sound | None:
        """What is heard with the frames."""
        return self._source.sound

    def show(self, shot: Shot) -> None:
        """Keep the newest frame; count it."""
        self._latest = shot
        name = self.switch.name
        if name != self._model:
            self._model = name
            self.stats.clear_recent()
            self._verdict.clear()
        self._verdict.note(self.stats)

    def facts(self) -> Facts:
        """The figures of this moment, as JSON can hold them; no address shows its credentials."""
        info, stats, trouble = self._source.info, self.stats, self._source.trouble
        recording, share = self.recorder.path, stats.computed.mean
        return {
            "source": _shown(info.name),
            "live": info.live,
            "sound": self.sound is not None,
            "state": self._source.state if stats.written else "starting",
            "reconnects": self._source.reconnects,
            "input": str(info.size),
            "output": str(self._size),
            **asdict(self.switch.facts),
            "models": self.switch.choices,
            "strength": self.switch.strength,
            "strength_most": MOST,
            "read": stats.read,
            "written": stats.written,
            "dropped": stats.dropped,
            "queue": stats.depth,
            "computed_percent": round(100 * share, 1) if share is not None else None,
            "fps": round(stats.current_fps, 2),
            "uptime_s": round(stats.elapsed_s, 1),
            **_percentiles("infer", stats.infer),
            **_percentiles("age", stats.age),
            **_percentiles("screen", stats.screen),
            **self._verdict.facts(),
            "trouble": trouble.reason if trouble else None,
            "next_attempt_s": trouble.wait_s() if trouble else None,
            "recording": recording.name if recording else None,
            "recording_trouble": self.recorder.trouble or None,
        }

    def snapshot(self) -> list[str]:
        """Save before and after of the newest frame; returns the file names.

        Raises:
            MediaError: there is no frame yet, or the folder cannot be written.
        """
        if self._latest is None:
            raise MediaError("no frame has come yet; try again in a moment")
        return [path.name for path in save_snapshot(self._latest, self.folder)]


def _shown(name: str) -> str:
    """What a page may know of a source: of a file, the name without its folders."""
    return name if "://" in name else PurePath(name).name


def _percentiles(name: str, values: Recent) -> dict[str, float | None]:
    """``name_p50_ms`` and ``name_p99_ms`` of the last frames."""
    found = {share: values.percentile(share / 100) for share in (50, 99)}
    return {
        f"{name}_p{share}_ms": None if value is None else round(value * 1000, 2)
        for share, value in found.items()
    }
