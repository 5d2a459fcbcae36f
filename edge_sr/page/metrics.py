"""The figures of a run as Prometheus text; every name begins with ``edge_sr_``."""

from __future__ import annotations

from collections.abc import Mapping

from edge_sr.pipeline.stats import Recent, Stats

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def prometheus(
    facts: Mapping[str, object], stats: Stats, device: Mapping[str, object], clients: int
) -> str:
    """Metrics of this moment, one per line with its help and type."""
    out: list[str] = []

    def add(name: str, kind: str, told: str, *samples: tuple[str, float]) -> None:
        out.append(f"# HELP edge_sr_{name} {told}")
        out.append(f"# TYPE edge_sr_{name} {kind}")
        out.extend(f"edge_sr_{name}{labels} {value:.10g}" for labels, value in samples)

    add("frames_read_total", "counter", "Frames that came from the source.", ("", stats.read))
    add("frames_written_total", "counter", "Frames handed to every sink.", ("", stats.written))
    add("frames_dropped_total", "counter", "Frames replaced by newer ones.", ("", stats.dropped))
    reconnects = facts["reconnects"]
    count = float(reconnects) if isinstance(reconnects, (int, float)) else 0.0
    add("reconnects_total", "counter", "How often the source was opened again.", ("", count))
    add("frames_per_second", "gauge", "Rate of the last two seconds.", ("", stats.current_fps))
    add("queue_frames", "gauge", "Frames that wait between stages.", ("", stats.depth))
    add("page_clients", "gauge", "Browsers that watch.", ("", clients))
    up = float(facts["state"] == "running")
    add("source_up", "gauge", "1 while frames come, 0 while it is reconnected.", ("", up))
    names = ("model", "precision", "backend", "input", "output")
    labels = ",".join(f'{name}="{_escape(str(facts[name]))}"' for name in names)
    add("info", "gauge", "What runs; always 1.", (f"{{{labels}}}", 1))
    for name, told, values in (
        ("inference_seconds", "Time of upscaling a frame.", stats.infer),
        ("frame_age_seconds", "From capture until every sink has the frame.", stats.age),
    ):
        out += _summary(name, told, values)
    for key, value in device.items():
        if isinstance(value, (int, float)):
            add(f"device_{key}", "gauge", "As the device tells it.", ("", float(value)))
    return "\n".join(out) + "\n"


def _summary(name: str, told: str, values: Recent) -> list[str]:
    lines = [f"# HELP edge_sr_{name} {told}", f"# TYPE edge_sr_{name} summary"]
    for share in (0.5, 0.9, 0.99):
        found = values.percentile(share)
        if found is not None:
            lines.append(f'edge_sr_{name}{{quantile="{share:g}"}} {found:.6g}')
    lines.append(f"edge_sr_{name}_sum {values.total:.6f}")
    lines.append(f"edge_sr_{name}_count {values.count}")
    return lines


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
