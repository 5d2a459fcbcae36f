"""What a run promises, measured: ``python -m lab.soak.live_figures WHAT``.

``slow``: 1280x720 at 30 fps into a consumer that is five times too slow. ``file``: the rate of a
file job against its stages alone, in one process. ``rtsp``: a server on loopback killed and started
again, many times. ``start``: from the command to the first frame. ``kill``: a file job killed at
random moments, looked at and resumed. ``terminate``: SIGTERM to a
stream that runs, hangs or is lost. Each prints its figures and exits with 1 where one is worse than
it must be. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path

import av
import numpy as np

from edge_sr import Upscaler
from edge_sr.cli.common import make_parser
from edge_sr.media.codec.unfinished import whole_chunks
from edge_sr.media.frame import Frame, StreamInfo
from edge_sr.media.sinks.null import NullSink
from edge_sr.media.sinks.writer import VideoWriter
from edge_sr.media.sources.file import VideoFile
from edge_sr.media.sources.pattern import Pattern
from edge_sr.pipeline.pipeline import run_pipeline
from edge_sr.pipeline.stats import Stats
from edge_sr.session.base import FunctionSession
from lab.soak.common import frame_hashes, resident_mb
from lab.soak.network_figures import rtsp, terminate

FPS, FACTOR = 30, 5
KILLED = 1200  # frames of the job that is killed


class SlowSink(NullSink):
    """Takes each frame for as long as ``FACTOR`` frames last, on a clock of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._free = time.perf_counter()

    def write(self, frame: Frame) -> None:
        self._free = max(self._free, time.perf_counter() - 0.05) + FACTOR / FPS
        time.sleep(max(0.0, self._free - time.perf_counter()))
        super().write(frame)


def slope(samples: np.ndarray) -> float:
    """Of values over seconds, per second, by least squares."""
    at, values = samples.T
    return float(np.polyfit(at, values, 1)[0])


def slow(seconds: float) -> int:
    """Age, queues, drops and memory while the consumer is five times too slow."""
    most = round(seconds * FPS)
    ages, memory = np.zeros((most, 2)), np.zeros((most, 2))  # filled, so that nothing grows here
    ages.fill(1.0)
    memory.fill(1.0)
    begun = time.perf_counter()

    def on_frame(stats: Stats) -> None:
        now = time.perf_counter() - begun
        ages[stats.written - 1] = now, (stats.age.last or 0.0) * 1000
        memory[stats.written - 1] = now, resident_mb()

    source = Pattern(1280, 720, fps=FPS, frames=round(seconds * FPS), live=True)
    with Upscaler.open("edge-unet-s-x2", backend="nearest") as upscaler:
        stats = run_pipeline(
            source, upscaler.session(source.info.size), [SlowSink()], on_frame=on_frame
        )
    later = ages[stats.written // 10 : stats.written]
    used = memory[stats.written // 4 : stats.written]
    expected = 1 - 1 / FACTOR
    found = stats.dropped / stats.read
    figures = {
        "seconds": round(stats.elapsed_s, 1),
        "read": stats.read,
        "written": stats.written,
        "age_median_ms": round(float(np.median(later[:, 1])), 1),
        "age_slope_ms_per_min": round(slope(later) * 60, 3),
        "queue_most": stats.depth_max,
        "dropped_share": round(found, 4),
        "memory_slope_mb_per_h": round(slope(used) * 3600, 2),
        "memory_mb": round(float(used[-1, 1]), 1),
    }
    print(json.dumps(figures))
    good = abs(figures["age_slope_ms_per_min"]) <= 1 and stats.depth_max <= 2
    return 0 if good and abs(found - expected) <= 0.01 else 1


class Waiting:
    """Upscales as a device beside the processor would: by waiting, and nearest."""

    def __init__(self, upscaler: Upscaler, seconds: float) -> None:
        self._upscaler, self._seconds = upscaler, seconds

    def __call__(self, frame: Frame) -> Frame:
        begun = time.perf_counter()
        result = self._upscaler.upscale_frame(frame)
        time.sleep(max(0.0, self._seconds - (time.perf_counter() - begun)))
        return result


def file_job(frames: int, infer_ms: float, folder: Path) -> int:
    """A file job, and each of its stages alone on the same frames, in turns."""
    clip = folder / "clip.mp4"
    info = StreamInfo("clip", 640, 360, Fraction(1, 30), Fraction(30), frames, live=False)
    with Pattern(640, 360, frames=frames) as source:
        _encode(islice(source, frames), clip, info)
    rates: dict[str, list[float]] = {"decode": [], "infer": [], "encode": [], "job": []}
    dropped = 0
    with Upscaler.open("edge-unet-s-x2", backend="nearest" if infer_ms else "auto") as upscaler:
        upscale = Waiting(upscaler, infer_ms / 1000) if infer_ms else upscaler.upscale_frame
        facts = upscaler.session(info.size).facts
        with VideoFile(clip) as source:
            small = list(source)
        for turn in range(3):
            with VideoFile(clip) as source:
                rates["decode"].append(_rate(partial(_count, source), frames))
            big: list[Frame] = []
            rates["infer"].append(_rate(partial(big.extend, map(upscale, small)), frames))
            alone = folder / f"alone-{turn}.mp4"
            rates["encode"].append(_rate(partial(_encode, big, alone, info), frames))
            with VideoFile(clip) as source:
                writer = VideoWriter(folder / f"job-{turn}.mp4", source=source.info)
                begun = time.perf_counter()
                stats = run_pipeline(source, FunctionSession(upscale, facts), [writer])
                writer.finish()
                rates["job"].append(frames / (time.perf_counter() - begun))
                dropped += stats.dropped
    fps = {name: statistics.median(values) for name, values in rates.items()}
    least = min(fps["decode"], fps["infer"], fps["encode"])
    share = fps["job"] / least
    print(json.dumps({k: round(v, 1) for k, v in fps.items()} | {"share": round(share, 3)}))
    return 0 if share >= 0.9 and not dropped else 1


def _count(source: VideoFile) -> int:
    return sum(1 for _ in source)


def _encode(frames: Sequence[Frame] | Iterator[Frame], path: Path, info: StreamInfo) -> None:
    writer = VideoWriter(path, source=info)
    for frame in frames:
        writer.write(frame)
    writer.finish()


def _rate(work: Callable[[], object], frames: int) -> float:
    begun = time.perf_counter()
    work()
    return frames / (time.perf_counter() - begun)


def start(runs: int) -> int:
    """From starting the process until its first frame is out, on a pipe."""
    command = [sys.executable, "-m", "edge_sr.cli.main", "run", "--input", "test://1280x720?live=1"]
    times: list[float] = []
    spent: list[float] = []
    for _ in range(runs):
        begun, before = time.perf_counter(), os.times()
        with subprocess.Popen(
            [*command, "--output", "-"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as job:
            assert job.stdout is not None
            select.select([job.stdout], [], [], 30)
            job.stdout.read(6)
            times.append(time.perf_counter() - begun)
            job.kill()
        after = os.times()
        spent.append(sum(after[2:4]) - sum(before[2:4]))
    figures = {"runs": runs, "median_s": round(statistics.median(times), 2)}
    figures["processor_s"] = round(statistics.median(spent), 2)  # user and system, all cores
    print(json.dumps(figures | {"least_s": round(min(times), 2), "most_s": round(max(times), 2)}))
    return 0 if statistics.median(times) < 1.5 else 1


def same_frames(one: list[bytes], other: list[bytes]) -> bool:
    """Whether two films, by the hashes of their frames, show the same, and show anything."""
    return bool(one) and one == other


def kill(times: int, seed: int, folder: Path) -> int:
    """SIGKILL at random moments: what is left can be played, and goes on to the same frames."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    words = [
        sys.executable,
        "-m",
        "edge_sr.cli.main",
        "run",
        "--input",
        f"test://160x90?frames={KILLED}",
    ]
    words += ["--backend", "nearest", "--preset", "ultrafast", "--output"]
    whole = folder / "whole.mp4"
    begun = time.perf_counter()
    subprocess.run([*words, str(whole)], check=True, capture_output=True)
    lasts = time.perf_counter() - begun
    wanted = frame_hashes(whole)
    found: Counter[str] = Counter()
    lost: list[int] = []
    for number in range(times):
        output = folder / f"{number}.mp4"
        part = folder / f".{number}.mp4.part"
        with subprocess.Popen([*words, str(output)], stderr=subprocess.PIPE, text=True) as job:
            time.sleep(rng.uniform(0.4, 1.0) * lasts)
            job.kill()
        if output.exists():
            same = same_frames(frame_hashes(output), wanted)
            found["over before it was killed" if same else "WRONG"] += 1
            for path in folder.glob(f"*{number}.mp4*"):
                path.unlink()
            continue
        try:
            played = frame_hashes(part)
            found["playable" if same_frames(played, wanted[: len(played)]) else "OTHER FRAMES"] += 1
        except (av.FFmpegError, OSError):
            found["killed before the first second was out"] += 1
        kept = whole_chunks(part)
        done = subprocess.run([*words, str(output), "--resume"], capture_output=True, check=False)
        good = done.returncode == 0 and same_frames(frame_hashes(output), wanted)
        why = "" if good else f"FAILED {done.returncode}: {done.stderr.decode().strip()[-300:]}"
        found[why or "resumed, the same frames"] += 1
        lost.append(kept)
        left = {path.name for path in folder.iterdir()} - {whole.name, output.name}
        found[f"LEFT {left}"] += bool(left)
        output.unlink(missing_ok=True)
    print(json.dumps({k: v for k, v in found.items() if v} | {"frames_kept": sorted(lost)}))
    return 1 if any(v and k.split()[0].isupper() for k, v in found.items()) else 0


EXAMPLES = """\
example:
  python -m lab.soak.live_figures file --frames 100
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.soak.live_figures",
        "Measure rates, ages and resumes of edge-sr run against their bounds.",
        examples=EXAMPLES,
    )
    parser.add_argument("what", choices=("slow", "file", "rtsp", "start", "kill", "terminate"))
    parser.add_argument("--seconds", type=float, default=600, help="of slow (600)")
    parser.add_argument("--frames", type=int, default=300, help="of file (300)")
    parser.add_argument(
        "--infer-ms", type=float, default=40, help="a frame, of file (40); 0: this CPU"
    )
    parser.add_argument("--cycles", type=int, default=100, help="of rtsp (100)")
    parser.add_argument("--times", type=int, default=50, help="of kill (50)")
    parser.add_argument("--seed", type=int, default=0, help="of kill (0)")
    parser.add_argument("--runs", type=int, default=9, help="of start (9)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when what was promised was reached."""
    args = build_parser().parse_args(argv)
    if args.what == "slow":
        return slow(args.seconds)
    if args.what == "rtsp":
        return rtsp(args.cycles)
    if args.what == "start":
        return start(args.runs)
    with tempfile.TemporaryDirectory(prefix="edge-sr-file-") as name:
        if args.what == "kill":
            return kill(args.times, args.seed, Path(name))
        if args.what == "terminate":
            return terminate(Path(name))
        return file_job(args.frames, args.infer_ms, Path(name))


if __name__ == "__main__":
    sys.exit(main())
