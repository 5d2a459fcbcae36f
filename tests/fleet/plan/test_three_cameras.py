"""Three planned cameras run on this machine, and a real Prometheus scrapes them."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.__main__ import main
from fleet.plan.monitoring import dashboard

CAMERAS = "".join(
    f'[camera.cam{n}]\ninput = "test://160x90@10"\nbackend = "nearest"\nboard = "here"\n'
    for n in range(3)
)
LONGEST_S = 90


@pytest.fixture
def started() -> Iterator[Callable[..., None]]:
    running: list[subprocess.Popen[bytes]] = []

    def start(*command: str, **options: Any) -> None:
        running.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, **options))

    yield start
    for process in running:
        process.terminate()
    for process in running:
        process.wait(30)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def ask(port: int, expression: str) -> list[Any]:
    query = urllib.parse.urlencode({"query": expression})
    address = f"http://127.0.0.1:{port}/api/v1/query?{query}"
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            found = json.load(answer)
    except OSError:  # it still starts
        return []
    assert found["status"] == "success", expression
    return list(found["data"]["result"])


def until(work: Callable[[], bool]) -> None:
    for _ in range(LONGEST_S * 2):
        if work():
            return
        time.sleep(0.5)
    pytest.fail(f"not within {LONGEST_S} s")


@pytest.mark.slow
def test_prometheus_scrapes_what_was_planned(
    fleet_file: Callable[..., Path], started: Callable[..., None], tmp_path: Path
) -> None:
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed")
    rows = tmp_path / "rows.jsonl"
    first, port = free_port(), free_port()
    board = f'[board.here]\nhost = "127.0.0.1"\nrows = "rows.jsonl"\nport = {first}\n'
    path = fleet_file(CAMERAS, boards=board, defaults='[defaults]\nfps = 10\nsize = "160x90"\n')
    line = (
        rows.read_text()
        .splitlines()[0]
        .replace('"width":640,"height":360', '"width":160,"height":90')
    )
    rows.write_text(line.replace('"backend":"auto"', '"backend":"nearest"') + "\n")
    plan = tmp_path / "plan"
    assert main(["plan", str(path), "--output", str(plan)]) == 0
    for n in range(3):
        config = plan / f"boards/here/edge-sr-cam{n}.toml"
        secret = re.findall(r'(\w+)="(.*)"', config.with_suffix(".env").read_text())
        started(
            *(sys.executable, "-m", "edge_sr", "-q", "run", "--config", str(config)),
            env={**dict(secret), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
            cwd=Path(__file__).parents[3],
        )
    scrape = plan / "prometheus.yml"
    scrape.write_text(scrape.read_text().replace("scrape_interval: 15s", "scrape_interval: 1s"))
    started(
        *("prometheus", f"--config.file={scrape}", f"--storage.tsdb.path={tmp_path / 'data'}"),
        f"--web.listen-address=127.0.0.1:{port}",
    )
    until(lambda: len(ask(port, "edge_sr_frames_written_total > 20")) == 3)
    found = {item["metric"]["camera"] for item in ask(port, "edge_sr_source_up == 1")}
    assert found == {"cam0", "cam1", "cam2"}
    until(lambda: len(ask(port, "rate(edge_sr_frames_written_total[1m]) > 0")) == 3)
    for panel in json.loads(dashboard())["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$camera", "cam.*")
            here = ask(port, expression)
            assert here or "device" in expression, expression
