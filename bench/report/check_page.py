"""The Markdown page of `python -m bench device-check`."""

from __future__ import annotations

from typing import Any


def check_page(found: dict[str, Any]) -> str:
    """What was found, for people."""
    gpu = found["gpu"]
    lines = [
        "# edge-sr device check",
        "",
        f"{gpu['gpu']} (compute capability {gpu['compute_capability']}), "
        f"{gpu['flavour']} {gpu['version']}, driver for CUDA {gpu['cuda']}"
        + (f", L4T {gpu['l4t']}" if gpu["l4t"] else ""),
        "",
        f"edge-sr {found['machine']['edge_sr']}, {found['machine'].get('board', '')}"
        f"{found['machine'].get('cpu', '')}, {found['before'].get('utc', '')}. "
        f"Frames of {found['size']} from `bench.measure.gpu_checks`.",
    ]
    for item in found["engines"]:
        lines += ["", *_engine(item)]
    return "\n".join(lines) + "\n"


def _engine(item: dict[str, Any]) -> list[str]:
    lines = [f"## {item['engine']}, {item['precision']}: {'good' if item['good'] else 'FAILED'}"]
    if "error" in item:
        lines += ["", f"Error: {item['error']}"]
    if "agreement" in item:
        seen = item["agreement"]
        lines += [
            "",
            f"Beside ONNX Runtime on the CPU, {seen['frames']} frames: PSNR "
            f"{seen['psnr_db']:.1f} dB at worst ({seen['least_db']:g} wanted), "
            f"largest difference {seen['max_difference']} grey levels.",
        ]
    if "timings" in item:
        lines += [
            "",
            "| CUDA graphs | slots | p50 ms | p99 ms | fps | GPU ms | host µs to begin |",
            "|---|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {'yes' if one['graphs'] else 'no'} | {one['slots']} | {one['p50_ms']:.3f} | "
            f"{one['p99_ms']:.3f} | {one['fps']:.1f} | {one['gpu_ms']:.3f} | "
            f"{one['submit_us']:.0f} |"
            for one in item["timings"]
        ]
        notes = {note for one in item["timings"] for note in one["notes"]}
        lines += ["", *(f"- {note}" for note in sorted(notes) if not note.startswith("GPU time"))]
    if "endurance" in item:
        seen = item["endurance"]
        lines += [
            "",
            f"{seen['frames']} frames: host memory {seen['host_growth_mib']:+.1f} MiB, GPU memory "
            f"{seen['gpu_growth_mib']:+.1f} MiB, left after closing {seen['gpu_left_mib']:+.1f} "
            f"MiB; {seen['black']} black and {seen['constant']} constant results.",
        ]
    return lines
