from __future__ import annotations

import socket
from pathlib import Path

from edge_sr.live.notify import Notifier
from edge_sr.pipeline.stats import Stats


def test_systemd_hears_ready_alive_and_stopping(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(2)
        notifier = Notifier({"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "1000000"})
        stats = Stats(read=5, written=5)
        notifier.ready()
        notifier.alive(stats)
        notifier.alive(stats)  # too soon to say it again
        notifier.stopping()
        heard = [listener.recv(200).decode() for _ in range(3)]
    assert heard[0] == "READY=1"
    assert heard[1].startswith("WATCHDOG=1\nSTATUS=")
    assert heard[2] == "STOPPING=1"


def test_a_pipeline_that_reads_and_gives_nothing_out_is_not_alive(
    tmp_path: Path, monkeypatch: object
) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "x"), "WATCHDOG_USEC": "1000"})
    sent: list[str] = []
    notifier._send = sent.append  # type: ignore[method-assign]
    notifier._seen = (10, 3, -1000.0)  # stuck for long
    notifier.alive(Stats(read=20, written=3))
    assert sent == []
    notifier.alive(Stats(read=20, written=4))
    assert len(sent) == 1


def test_elsewhere_nothing_happens() -> None:
    Notifier({}).ready()
    Notifier({"NOTIFY_SOCKET": "/nowhere/at/all"}).ready()
