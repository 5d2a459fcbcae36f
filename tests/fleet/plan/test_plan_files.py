"""The files of a plan: systemd, Prometheus and edge-sr run take them; secrets stay secret."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_sr.cli.run import make_spec, run_parser
from fleet.__main__ import main

SECRET = "rtsp://me:p@ss@door.local/1"  # noqa: S105 - made up
CAMERAS = f"""
[camera.door]
input = "{SECRET}"
deadline-ms = 40
[camera.counter]
input = "/dev/video2"
board = "roof"
output = ["/data/counter.mkv", "/more/counter.mp4?codec=h265"]
[camera.gate]
input = "csi://0"
board = "roof"
"""


@pytest.fixture
def plan(fleet_file: Callable[..., Path], tmp_path: Path) -> Path:
    pytest.importorskip("onnx", reason="pip install 'edge-sr[bench]'")
    path = fleet_file(CAMERAS)
    path.write_text(
        path.read_text().replace(
            'host = "10.0.0.1"', f'host = "10.0.0.1"\npython = "{sys.executable}"'
        )
    )
    assert main(["plan", str(path), "--output", str(tmp_path / "plan")]) == 0
    return tmp_path / "plan"


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def test_each_camera_has_the_options_it_will_run_with(plan: Path) -> None:
    config = plan / "boards/roof/edge-sr-counter.toml"
    spec = make_spec(run_parser().parse_args(["--config", str(config)]))
    assert spec.input == "/dev/video2"
    assert spec.outputs == ("/data/counter.mkv", "/more/counter.mp4?codec=h265")
    assert (spec.camera_size, spec.camera_fps) == ((640, 360), 25)
    assert spec.serve == ("0.0.0.0", 8080)  # noqa: S104
    assert (spec.backend, spec.precision) == ("tensorrt", "fp16")
    unit = (plan / "boards/roof/edge-sr-counter.service").read_text()
    assert "\nExecStart=/opt/edge-sr/bin/python -m edge_sr run --config" in unit
    for line in ("DynamicUser=yes", "SupplementaryGroups=video render", "TimeoutStartSec=1800",
                 "ReadWritePaths=/data", "NoNewPrivileges=yes"):  # fmt: skip
        assert f"\n{line}\n" in unit


def test_secrets_are_in_files_of_their_own(plan: Path) -> None:
    token = (plan / "tokens/hall").read_text()
    secret = {plan / "tokens/hall", plan / "boards/hall/edge-sr-door.env"}
    for path in plan.rglob("*"):
        if path.is_file():
            holds = any(text in path.read_text() for text in ("p@ss", token))
            assert holds == (path in secret), path
            assert path.stat().st_mode & 0o077 == 0 or path not in secret
    assert f'EDGE_SR_TOKEN="{token}"' in (plan / "boards/hall/edge-sr-door.env").read_text()
    assert (plan / ".gitignore").read_text() == "tokens/\n*.env\n"


def test_planned_again_the_tokens_stay(
    plan: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = (plan / "tokens/hall").read_text()
    words = ["plan", str(tmp_path / "fleet.toml"), "--output"]
    assert main([*words, str(plan)]) == 1
    assert "use --force" in capsys.readouterr().err
    assert main([*words, str(plan), "--force"]) == 0
    assert (plan / "tokens/hall").read_text() == before
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/one.png").touch()
    assert main([*words, str(tmp_path / "photos"), "--force"]) == 1
    assert "is not a plan" in capsys.readouterr().err
    assert (tmp_path / "photos/one.png").exists()


def test_systemd_takes_the_units(plan: Path) -> None:
    command = [program("systemd-analyze"), "verify", str(plan / "boards/hall/edge-sr-door.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "edge-sr-door" in line] == []


def test_containers_are_described(plan: Path) -> None:
    text = (plan / "boards/roof/compose.yaml").read_text()
    for line in ('image: "edge-sr:jetpack62"', 'devices: ["/dev/video2:/dev/video2"]',
                 '- "/tmp/argus_socket:/tmp/argus_socket"', '- "/data:/data"', '- "/more:/more"',
                 "runtime: nvidia",
                 "cap_drop: [ALL]"):  # fmt: skip
        assert line in text
    assert "runtime" not in (plan / "boards/hall/compose.yaml").read_text()  # measured on a CPU
    yaml = pytest.importorskip("yaml", reason="pip install pyyaml")
    services = yaml.safe_load(text)["services"]
    assert set(services) == {"counter", "gate"}
    assert services["gate"]["command"][-1] == "/etc/edge-sr/edge-sr-gate.toml"


def test_prometheus_takes_the_scrape_file(plan: Path) -> None:
    text = (plan / "prometheus.yml").read_text()
    assert '- targets: ["roof.local:8081"]\n        labels: {board: "roof", camera: "gate"}' in text
    command = [program("promtool"), "check", "config", str(plan / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 rules found" in done.stdout


RULES = """
rule_files: [alerts.yml]
evaluation_interval: 15s
tests:
  - interval: 15s
    input_series:
      - {series: 'edge_sr_source_up{board="hall",camera="door"}', values: '1x20 0x60'}
      - {series: 'edge_sr_frames_read_total{board="hall",camera="gate"}', values: '0+375x100'}
      - {series: 'edge_sr_frames_dropped_total{board="hall",camera="gate"}', values: '0+30x100'}
      - {series: 'edge_sr_frames_read_total{board="hall",camera="fine"}', values: '0+375x100'}
      - {series: 'edge_sr_frames_dropped_total{board="hall",camera="fine"}', values: '0+10x100'}
      - {series: 'up{job="edge-sr-hall",board="hall",camera="door"}', values: '1x100'}
      - {series: 'up{job="edge-sr-hall",board="hall",camera="off"}', values: '0x100'}
      - {series: 'up{job="edge-sr-yard",board="yard",camera="lawn"}', values: '1x20 0x60'}
    alert_rule_test:
      - {eval_time: 4m, alertname: CameraStalled}
      - {eval_time: 4m, alertname: BoardGone}
      - eval_time: 15m
        alertname: CameraStalled
        exp_alerts:
          - exp_labels: {board: hall, camera: door, severity: warning}
            exp_annotations: {summary: "door on hall gives no frames"}
      - eval_time: 15m
        alertname: CameraDropsFrames
        exp_alerts:
          - exp_labels: {board: hall, camera: gate, severity: warning}
            exp_annotations: {summary: "gate on hall loses more than 5 % of its frames"}
      - eval_time: 15m
        alertname: CameraServiceDown
        exp_alerts:
          - exp_labels: {job: edge-sr-hall, board: hall, camera: "off", severity: warning}
            exp_annotations: {summary: "edge-sr-off on hall does not answer"}
      - eval_time: 15m
        alertname: BoardGone
        exp_alerts:
          - exp_labels: {board: yard, severity: critical}
            exp_annotations: {summary: "no camera of board yard answers"}
"""


def test_each_alert_fires_for_what_it_is_about(plan: Path) -> None:
    (plan / "test.yml").write_text(RULES)
    command = [program("promtool"), "test", "rules", str(plan / "test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_has_panels_for_each_camera(plan: Path) -> None:
    found = json.loads((plan / "grafana.json").read_text())
    panels = found["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    (row,) = (panel for panel in panels if panel["type"] == "row")
    assert row["repeat"] == "camera"
    names = {item["name"] for item in found["templating"]["list"]}
    assert names == {"source", "camera"}
