"""What watches a fleet: scrape file and alerts of Prometheus, and a dashboard of Grafana."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fleet.plan.admission import Plan

DROPS = 0.05  # share of the frames of a camera that may be dropped
PANEL = (12, 7)  # columns of 24, rows
SCRAPE = """\
# written by edge-sr fleet plan; start it here: prometheus --config.file=prometheus.yml
global:
  scrape_interval: 15s
rule_files: [alerts.yml]
scrape_configs:
"""
JOB = """\
  - job_name: edge-sr-{board}
    authorization:
      credentials_file: tokens/{board}
    static_configs:
"""
TARGET = """\
      - targets: [{target}]
        labels: {{board: {board}, camera: {camera}}}
"""
ALERTS = """\
# written by edge-sr fleet plan; tests hold that each of these fires
groups:
  - name: edge-sr
    rules:
      - alert: CameraStalled
        expr: edge_sr_source_up == 0
        for: 1m
        labels: {{severity: warning}}
        annotations:
          summary: "{{{{ $labels.camera }}}} on {{{{ $labels.board }}}} gives no frames"
      - alert: CameraDropsFrames
        expr: >-
          rate(edge_sr_frames_dropped_total[5m]) > {drops:g} * rate(edge_sr_frames_read_total[5m])
        for: 5m
        labels: {{severity: warning}}
        annotations:
          summary: "{{{{ $labels.camera }}}} on {{{{ $labels.board }}}} loses more than \
{percent:.0f} % of its frames"
      - alert: CameraServiceDown
        expr: >-
          up{{job=~"edge-sr-.*"}} == 0
          and on (board) max by (board) (up{{job=~"edge-sr-.*"}}) == 1
        for: 2m
        labels: {{severity: warning}}
        annotations:
          summary: "edge-sr-{{{{ $labels.camera }}}} on {{{{ $labels.board }}}} does not answer"
      - alert: BoardGone
        expr: max by (board) (up{{job=~"edge-sr-.*"}}) == 0
        for: 2m
        labels: {{severity: critical}}
        annotations:
          summary: "no camera of board {{{{ $labels.board }}}} answers"
"""
# of the dashboard: title, unit of Grafana, and what each line shows
CHOSEN = '{camera=~"$camera"}'
PANELS: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    (
        "Frames per second",
        "none",
        {
            "written": f"rate(edge_sr_frames_written_total{CHOSEN}[1m])",
            "dropped": f"rate(edge_sr_frames_dropped_total{CHOSEN}[1m])",
        },
    ),
    (
        "Age of a frame when it is shown",
        "s",
        {
            "median": 'edge_sr_frame_age_seconds{camera=~"$camera", quantile="0.5"}',
            "99 of 100": 'edge_sr_frame_age_seconds{camera=~"$camera", quantile="0.99"}',
        },
    ),
)
OVERVIEW: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    (
        "Cameras that give frames",
        "none",
        {"{{board}}": "sum by (board) (edge_sr_source_up)"},
    ),
    (
        "Temperature of the boards",
        "celsius",
        {"{{board}}": "max by (board) (edge_sr_device_temperature_c)"},
    ),
)


def scrape_file(plan: Plan) -> str:
    """``prometheus.yml``: a job for each board, whose token is in ``tokens/BOARD``."""
    lines = [SCRAPE]
    for name, placed in plan.placed.items():
        if placed:
            lines.append(JOB.format(board=name))
        for item in placed:
            target = f"{plan.fleet.boards[name].host}:{item.port}"
            lines.append(
                TARGET.format(
                    target=json.dumps(target), board=json.dumps(name),
                    camera=json.dumps(item.camera.name),
                )
            )  # fmt: skip
    return "".join(lines)


def alert_file() -> str:
    """``alerts.yml``: a camera that stalls, drops or is down, and a board that is gone."""
    return ALERTS.format(drops=DROPS, percent=100 * DROPS)


def dashboard() -> str:
    """A dashboard of Grafana as JSON: the boards, then panels for each camera that is chosen."""
    width, height = PANEL
    panels = [_panel(n, n % 2 * width, n // 2 * height, *row) for n, row in enumerate(OVERVIEW)]
    panels.append(
        {
            "id": 10,
            "type": "row",
            "title": "$camera",
            "repeat": "camera",
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": height, "w": 24, "h": 1},
        }
    )
    panels += [_panel(20 + n, n * width, height + 1, *row) for n, row in enumerate(PANELS)]
    return json.dumps(_frame(panels), indent=2) + "\n"


def _panel(
    number: int, x: int, y: int, title: str, unit: str, lines: Mapping[str, str]
) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${source}"}
    return {
        "id": number,
        "type": "timeseries",
        "title": title,
        "datasource": source,
        "gridPos": {"x": x, "y": y, "w": PANEL[0], "h": PANEL[1]},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": "ABCDEF"[n], "datasource": source, "expr": expr, "legendFormat": name}
            for n, (name, expr) in enumerate(lines.items())
        ],
    }


def _frame(panels: list[dict[str, Any]]) -> dict[str, Any]:
    choice = {
        "name": "camera",
        "label": "Camera",
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${source}"},
        "query": "label_values(edge_sr_info, camera)",
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
        "sort": 1,
    }
    sources = {"name": "source", "label": "Source", "type": "datasource", "query": "prometheus"}
    return {
        "uid": "edge-sr-fleet",
        "title": "edge-sr cameras",
        "tags": ["edge-sr"],
        "schemaVersion": 39,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [sources, choice]},
        "panels": panels,
    }
