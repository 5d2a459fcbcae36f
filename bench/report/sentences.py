"""Sentences on what was measured, where and how: every table of a report has them."""

from __future__ import annotations

from collections.abc import Sequence

from bench.records import ClipScore, Latency
from bench.report.summary import Entry, Group, pareto_front


def describe(group: Group) -> list[str]:
    """The sentences of one group."""
    timed = [entry for entry in group.entries if entry.row.latency]
    return [
        *_where(group, timed),
        *_times(timed),
        *_warnings(timed),
        *_quality(group),
        *_front(group),
        *(f"{entry.label}: {entry.row.error}." for entry in group.entries if entry.row.error),
    ]


def _where(group: Group, timed: Sequence[Entry]) -> list[str]:
    device = group.entries[0].row.device
    versions = ", ".join(f"{name} {version}" for name, version in device.versions.items())
    sentences = [
        f"Device: {group.device_name} ({device.machine}, {device.memory_mib or '?'} MiB), "
        f"{device.os}, Python {device.python}; edge-sr {device.edge_sr}, {versions}."
    ]
    sentences += [
        f"GPU: {gpu.name}, driver {gpu.driver_version}, compute capability {gpu.compute_cap}, "
        f"{gpu.memory}, power limit {gpu.power_limit}."
        for gpu in device.gpus
    ]
    facts = {"Board": device.board, "L4T": device.l4t, "Power mode": device.power_mode}
    sentences += [f"{name}: {value}." for name, value in facts.items() if value]
    if not timed:
        sentences.append("Nothing was timed here.")
    return sentences


def _latencies(entries: Sequence[Entry]) -> list[Latency]:
    return [entry.row.latency for entry in entries if entry.row.latency]


def _times(timed: Sequence[Entry]) -> list[str]:
    times = _latencies(timed)
    if not times:
        return []
    begun = min(item.state_before.utc for item in times)
    ended = max(item.state_after.utc for item in times)
    runs = _span([item.runs for item in times])
    warmup = _span([item.warmup for item in times])
    harness = max(item.harness_us for item in times)
    cores = ", ".join(str(core) for core in times[0].cores)
    ran_on = ", ".join(dict.fromkeys(item.ran_on for item in times))
    sentences = [
        f"Timed from {begun} to {ended}, {f'pinned to cores {cores}' if cores else 'not pinned'}; "
        f"{runs} runs of each model, {warmup} untimed ones before and between them; wall time of "
        f"bare inference ({ran_on}), an 8-bit frame in and an 8-bit frame out, by "
        f"perf_counter_ns; the harness adds {harness:.1f} µs.",
        "Frames a second and the time for 30 frames are of the whole runtime path from memory to "
        "memory: planar YUV 4:2:0 in and out, luma upscaled, chroma resized (an RGB model gets the "
        "frame converted and back).",
        "Peak memory is that of a process which opens the model and upscales one frame, Python "
        "included.",
    ]
    if any(item.gpu_p50_ms is not None for item in times):
        sentences.append(
            "GPU ms is the median time between two events on the GPU's own stream, around the "
            "copies to it and back."
        )
    fewer = [e.label for e in timed if e.row.latency and e.row.latency.frames30_measured < 30]
    if fewer:
        sentences.append(
            f"Estimated: time for 30 frames, scaled from fewer frames: {', '.join(fewer)}."
        )
    if any(item.power_w is not None for item in times):
        sentences.append(
            "Energy per frame is mean power while the model ran (the board's on a Jetson, the "
            "GPU's elsewhere) times mean time."
        )
    return sentences


def busy(entries: Sequence[Entry]) -> str | None:
    """A sentence on other work that ran on the machine; None where there was little."""
    loads = [
        (entry.row.latency.state_before.load_1min or 0, entry.row.device.cores)
        for entry in entries
        if entry.row.latency
    ]
    load, cores = max(loads, default=(0, 1))
    if load <= cores / 2:
        return None
    return (
        f"The machine was busy with other work (load {load:g} on {cores} cores before timing): "
        "take the ratios between models, not the milliseconds."
    )


def _warnings(timed: Sequence[Entry]) -> list[str]:
    sentences = list(filter(None, [busy(timed)]))
    if any(item.throttled for item in _latencies(timed)):
        sentences.append("The CPU throttled while it was timed.")
    together = {tuple(sorted(item.interleaved_with)) for item in _latencies(timed)}
    if len(together) > 1:
        sentences.append(
            f"These times come from {len(together)} sessions; only models timed in one session "
            "took turns: run again with --force to have all in one."
        )
    noisy = [
        f"{e.label} ({e.row.latency.noise_percent:.0f} %)"
        for e in timed
        if e.row.latency and e.row.latency.noise_percent > 10
    ]
    if noisy:
        sentences.append(
            f"The rounds of these models differ by more than 10 %: {', '.join(noisy)}."
        )
    return sentences


def _quality(group: Group) -> list[str]:
    rows = [entry.row for entry in group.entries]
    counts: dict[str, set[int]] = {}
    for row in rows:
        for name, score in row.quality.items():
            counts.setdefault(name, set()).add(score.pictures)
    if not counts:
        return ["Quality was not measured."]
    protocol = next(score.protocol for row in rows for score in row.quality.values())
    sets = ", ".join(f"{name} ({_span(sorted(n))} pictures)" for name, n in counts.items())
    sentences = [
        f"Quality on {sets}: {protocol}. SSIM with an 11x11 Gaussian window. A grey file's pixels "
        "are its luma."
    ]
    clips = {name: score for row in rows for name, score in row.video.items()}
    for name, clip in clips.items():
        sentences.append(f"Video: {clip.frames} frames of {name}{_coded(clip)}; {_flicker(clip)}.")
    return sentences


def _flicker(clip: ClipScore) -> str:
    if clip.moved:
        return (
            "flicker is the mean |result - result before, moved by the known motion| less the "
            "truth's own, in levels of 255"
        )
    return (
        "flicker is the mean absolute change of the error from frame to frame, in levels of 255; "
        "the motion is not known"
    )


def _coded(clip: ClipScore) -> str:
    if clip.crf is None:
        return ""
    measured = ", VMAF by libvmaf" if clip.vmaf is not None else ", VMAF not measured"
    return f", LR frames through x264 medium{measured}"


def _front(group: Group) -> list[str]:
    front = pareto_front(group.entries)
    if len(front) < 2:
        return []
    names = ", ".join(f"{e.label} ({e.p50_ms:.1f} ms, {e.psnr_y_db:.2f} dB)" for e in front)
    return [
        f"Nothing here is both faster and better than: {names} (PSNR-Y on {group.picture_set})."
    ]


def _span(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"
