"""The checks of `python -m bench device-check`: one engine on the GPU, beside ONNX Runtime."""

from __future__ import annotations

import json
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.measure.power import Meter
from edge_sr.backend.onnxruntime.backend import OnnxRuntimeBackend
from edge_sr.backend.tensorrt.backend import TensorRTBackend
from edge_sr.cuda import Device, open_device
from edge_sr.model.sidecar import Sidecar
from edge_sr.quality import psnr, standard_border

SETTINGS = ((False, 1), (True, 1), (True, 2), (True, 3))  # graphs, slots
WARM_UP = 20
LEAST_DB = {"fp32": 55.0, "fp16": 48.0, "int8": 40.0}  # PSNR against ONNX Runtime's result
GROWTH_MIB = 8.0  # of host or GPU memory over the long run: more is a leak
TRIES = 3  # free memory is that of the whole GPU: other programs take theirs once, a leak each time

Batch = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """The engine's results beside ONNX Runtime's."""

    frames: int
    psnr_db: float  # of the worst frame; 120 where all bytes are equal
    max_difference: int  # grey levels
    least_db: float  # the bound

    @property
    def good(self) -> bool:
        """Whether the worst frame reaches the bound."""
        return self.psnr_db >= self.least_db


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Frames through the slots, as fast as they go, from host memory to host memory."""

    graphs: bool
    slots: int
    frames: int
    p50_ms: float  # from one result to the next
    p99_ms: float
    latency_p50_ms: float  # of a frame, from its submission to its result
    latency_p99_ms: float
    watts: float | None  # mean while they ran; None without a sensor
    frame_mj: float | None  # energy of a frame
    fps: float
    gpu_ms: float  # mean, from events, copies included
    submit_us: float  # median time of the host to submit a frame, its copy included
    notes: tuple[str, ...]  # notices of the backend


@dataclass(frozen=True, kw_only=True)
class Endurance:
    """A long run, and the memory it did not give back."""

    frames: int
    host_growth_mib: float
    gpu_growth_mib: float
    gpu_left_mib: float  # still in use after the backend was closed
    integrated: bool  # GPU and host share their memory: other programs move these figures
    black: int  # results that are all black, from inputs that are not
    constant: int

    @property
    def good(self) -> bool:
        """Whether memory grew by less than GROWTH_MIB and no result was black or constant.

        On a GPU that shares the host's memory, the figures are reported and not judged.
        """
        if self.integrated:
            return not (self.black or self.constant)
        grown = max(self.host_growth_mib, self.gpu_growth_mib, self.gpu_left_mib)
        return grown <= GROWTH_MIB and not (self.black or self.constant)


def sample_frames(width: int, height: int, channels: int, count: int = 8) -> list[Batch]:
    """Moving waves with edges and a little noise, uint8 (1, H, W, C)."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    rng = np.random.default_rng(0)
    made = []
    for number in range(count):
        wave = 120 + 60 * np.sin((x + 9 * number) / 11) + 50 * np.cos(y / 17)
        boxes = 25 * (((x + 3 * number) // 40 + y // 40) % 2)
        noisy = (wave + boxes)[..., None] + rng.normal(0, 3, (height, width, channels))
        made.append(np.clip(noisy, 0, 255).astype(np.uint8)[None])
    return made


def agree(
    engine: Path, sidecar: Sidecar, onnx: Path, card: Sidecar, given: list[Batch]
) -> Agreement:
    """Compare frame by frame with the ONNX file that the engine was made from.

    Args:
        card: the ONNX file's sidecar.
        given: frames, uint8 (1, H, W, C).

    Raises:
        BackendError, ModelFileError, MissingDependencyError: one of the two cannot run.
    """
    reference = OnnxRuntimeBackend(onnx, card)
    backend = TensorRTBackend(engine, sidecar)
    border = standard_border(float(sidecar.ratio))
    worst, most = 120.0, 0
    try:
        for frame in given:
            found, wanted = backend.infer(frame)[0], reference.infer(frame)[0]
            apart = np.abs(found.astype(np.int16) - wanted)
            most = max(most, int(apart.max()))
            if apart.any():
                worst = min(worst, psnr(found, wanted, border=border))
    finally:
        backend.close()
        reference.close()
    least = LEAST_DB[sidecar.precision]
    return Agreement(frames=len(given), psnr_db=worst, max_difference=most, least_db=least)


def describe_layers(engine: Path, sidecar: Sidecar) -> Any:
    """What TensorRT's inspector says of every layer, parsed; None without an inspector."""
    backend = TensorRTBackend(engine, sidecar)
    try:
        text = backend.describe_layers()
    finally:
        backend.close()
    try:
        return json.loads(text or "null")
    except ValueError:  # it is kept all the same
        return text


def time_frames(
    engine: Path, sidecar: Sidecar, given: list[Batch], *, graphs: bool, slots: int, frames: int
) -> Timing:
    """Keep the slots full; the first 20 frames do not count.

    Args:
        given: frames, uint8 (1, H, W, C), taken in turns.
    """
    backend = TensorRTBackend(engine, sidecar, graphs="on" if graphs else "off", slots=slots)
    done: list[int] = []
    begun: list[int] = []
    submitted: list[int] = []
    meter = Meter()
    try:
        gpu_ms = 0.0
        with meter:
            for number in range(WARM_UP + frames + slots):
                if backend.in_flight == slots:
                    backend.collect()
                    done.append(time.perf_counter_ns())
                    gpu_ms += backend.gpu_ms if len(done) > WARM_UP else 0.0
                submitted.append(time.perf_counter_ns())
                backend.submit(given[number % len(given)])
                begun.append(time.perf_counter_ns() - submitted[-1])
        notes = tuple(backend.notices)
    finally:
        backend.close()
    gaps = sorted(b - a for a, b in zip(done[WARM_UP - 1 :], done[WARM_UP:], strict=False))
    pairs = zip(submitted[WARM_UP:], done[WARM_UP:], strict=False)
    latencies = sorted(b - a for a, b in pairs)
    mean_ms = sum(gaps) / len(gaps) / 1e6
    watts = meter.watts
    return Timing(
        graphs=graphs,
        slots=slots,
        frames=len(gaps),
        p50_ms=gaps[len(gaps) // 2] / 1e6,
        p99_ms=gaps[int(len(gaps) * 0.99)] / 1e6,
        latency_p50_ms=latencies[len(latencies) // 2] / 1e6,
        latency_p99_ms=latencies[int(len(latencies) * 0.99)] / 1e6,
        watts=None if watts is None else round(watts, 2),
        frame_mj=None if watts is None else round(watts * mean_ms, 2),
        fps=1e3 / mean_ms,
        gpu_ms=gpu_ms / len(gaps),
        submit_us=statistics.median(begun[WARM_UP:]) / 1e3,
        notes=notes,
    )


def endure(engine: Path, sidecar: Sidecar, given: list[Batch], frames: int) -> Endurance:
    """Run many frames and look at the memory of host and GPU before, after, and once closed.

    Where that looks like a leak it is done again, up to three times, and the last time counts.

    Args:
        given: frames, uint8 (1, H, W, C), taken in turns.
    """
    device = open_device()  # keeps the context, so that what is left can be seen
    try:
        # TensorRT loads its kernels with the first engine and keeps them (NVIDIA/TensorRT 3712)
        warm = TensorRTBackend(engine, sidecar)
        try:
            _pump(warm, given, WARM_UP)
        finally:
            warm.close()
        for _ in range(TRIES):
            found = _watch(device, engine, sidecar, given, frames)
            if found.good:
                break
        return found
    finally:
        device.close()


def _watch(
    device: Device, engine: Path, sidecar: Sidecar, given: list[Batch], frames: int
) -> Endurance:
    before = _free_mib(device)
    backend = TensorRTBackend(engine, sidecar, guard_every=10)
    try:
        _pump(backend, given, min(frames, 100))
        host, gpu = _resident_mib(), _free_mib(device)
        _pump(backend, given, frames)
        host_growth, gpu_growth = _resident_mib() - host, gpu - _free_mib(device)
    finally:
        backend.close()
    left = before - _free_mib(device)
    return Endurance(
        frames=frames,
        host_growth_mib=host_growth,
        gpu_growth_mib=gpu_growth,
        gpu_left_mib=left,
        integrated=device.integrated,
        black=backend.guard.black,
        constant=backend.guard.constant,
    )


def _pump(backend: TensorRTBackend, given: list[Batch], frames: int) -> None:
    for number in range(frames):
        if backend.in_flight == backend.slots:
            backend.collect()
        backend.submit(given[number % len(given)])
    while backend.in_flight:
        backend.collect()


def _free_mib(device: Device) -> float:
    with device:
        return device.memory()[0] / 2**20


def _resident_mib() -> float:
    """Memory of this process; of Linux only."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
