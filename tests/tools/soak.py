"""Attacks on `edge-sr run` that take minutes: damaged inputs, signals, many frames.

``python tests/tools/soak.py mutate|signals|frames`` prints figures and exits with 1 if any attack
succeeded. ``make soak`` runs all three. Seeded: the same attack can be run again.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
from PIL import Image

RUN = [sys.executable, "-m", "edge_sr.cli", "run"]
LIMIT = 10.0  # seconds until a run counts as hung, its start included
KILLED = {signal.SIGINT: 130, signal.SIGTERM: 143}


def make_inputs(folder: Path) -> list[Path]:
    """A small clip in three containers, and pictures in three formats."""
    rng = np.random.default_rng(0)
    paths = []
    for kind, codec in (("mp4", "libx264"), ("mkv", "libx264"), ("webm", "libvpx")):
        path = folder / f"clip.{kind}"
        with av.open(str(path), "w") as output:
            stream = output.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            for index in range(12):
                picture = np.roll(_scene(rng), index * 3, axis=1)
                for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                    output.mux(packet)
            for packet in stream.encode(None):
                output.mux(packet)
        paths.append(path)
    for kind in ("jpg", "png", "webp"):
        path = folder / f"picture.{kind}"
        Image.fromarray(_scene(rng)).save(path)
        paths.append(path)
    return paths


def _scene(rng: np.random.Generator) -> np.ndarray:
    rows, columns = np.mgrid[0:64, 0:96]
    waves = 128 + 90 * np.sin(rows / 5) * np.cos(columns / 9)
    return (waves[..., None] + rng.integers(-20, 20, (64, 96, 3))).clip(0, 255).astype(np.uint8)


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Cut, flip bits, overwrite, or lose a block."""
    kind = rng.choice(("cut", "flip", "overwrite", "lose"))
    damaged = bytearray(data)
    if kind == "cut":
        return bytes(damaged[: rng.randrange(len(damaged))])
    if kind == "flip":
        for _ in range(rng.choice((1, 4, 32))):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        return bytes(damaged)
    start = rng.randrange(len(damaged))
    length = rng.randrange(1, max(2, len(damaged) // 8))
    block = rng.randbytes(length) if kind == "overwrite" else b""
    damaged[start : start + length] = block
    return bytes(damaged)


def attack_inputs(count: int, seed: int, workers: int) -> int:
    """Run damaged inputs. A crash, a hang or an error that names no file is a failure."""
    with tempfile.TemporaryDirectory(prefix="edge-sr-soak-") as name:
        folder = Path(name)
        sources = make_inputs(folder)

        def one(index: int) -> str:
            rng = random.Random(seed * 100_003 + index)  # noqa: S311 - no secret
            source = sources[index % len(sources)]
            path = folder / f"{index}{source.suffix}"
            path.write_bytes(mutate(source.read_bytes(), rng))
            output = folder / f"out-{index}{source.suffix}"
            command = [*RUN, "--input", str(path), "--output", str(output), "--threads", "1"]
            try:
                done = subprocess.run(
                    command, capture_output=True, text=True, timeout=LIMIT, check=False
                )
            except subprocess.TimeoutExpired:
                return f"hang: {path.name}"
            finally:
                path.unlink()
            written = output.exists()
            output.unlink(missing_ok=True)
            last = (done.stderr.strip().splitlines() or [""])[-1]
            if done.returncode == 0:
                return "worked" if written else f"exit 0 and nothing written: {path.name}"
            if done.returncode != 1 or "Traceback" in done.stderr:
                return f"crash {done.returncode}: {path.name}: {last[:200]}"
            if str(path) not in done.stderr and path.name not in done.stderr:
                return f"error names no file: {path.name}: {last[:200]}"
            return f"left something: {path.name}" if written else "refused"

        with ThreadPoolExecutor(workers) as pool:
            results = Counter(pool.map(one, range(count)))
    return _report("damaged inputs", results, good=("worked", "refused"))


def attack_with_signals(count: int, seed: int) -> int:
    """SIGINT and SIGTERM at random moments of a file job."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    results: Counter[str] = Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory(prefix="edge-sr-soak-") as name:
        for index in range(count):
            output = Path(name) / f"{index}.mp4"
            command = [*RUN, "--input", "test://320x180@25", "--output", str(output)]
            job = subprocess.Popen(
                [*command, "--max-frames", "400"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
            )
            sent = rng.choice(list(KILLED))
            time.sleep(rng.uniform(0.0, 4.0))
            begun = time.monotonic()
            job.send_signal(sent)
            try:
                _, errors = job.communicate(timeout=LIMIT)
            except subprocess.TimeoutExpired:
                job.kill()
                job.communicate()
                results["hang"] += 1
                continue
            slowest = max(slowest, time.monotonic() - begun)
            results[_judge_signal(job.returncode, sent, output, errors.decode())] += 1
    print(f"slowest end: {slowest:.2f} s after the signal")
    return _report("signals", results, good=("ended, playable", "ended before it wrote"))


def _judge_signal(code: int, sent: signal.Signals, output: Path, errors: str) -> str:
    if "Traceback" in errors and "KeyboardInterrupt" not in errors:
        return f"crash: {errors.strip().splitlines()[-1][:200]}"
    if code not in (KILLED[sent], -sent):  # negative: before our handler was there
        return f"exit {code} on {sent.name}"
    found = list(output.parent.glob(f"{output.stem}.*"))
    if not found:
        return "ended before it wrote"
    try:
        with av.open(str(found[0])) as clip:
            frames = sum(1 for _ in clip.decode(video=0))
    except av.FFmpegError as error:
        return f"not playable: {found[0].name}: {error}"
    for path in found:
        path.unlink()
    return "ended, playable" if frames else "an empty video"


def attack_with_frames(count: int) -> int:
    """Memory, threads and descriptors over a long run, read from /proc."""
    command = [*RUN, "--input", "test://160x96@25", "--output", "null"]
    job = subprocess.Popen(
        [*command, "--max-frames", str(count)], stderr=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    samples = []
    while job.poll() is None:
        try:
            samples.append(_look(job.pid))
        except (OSError, StopIteration):
            break
        time.sleep(0.5)
    words = job.communicate()[0].decode().strip()
    print(words)
    settled = samples[len(samples) // 4 :]
    if job.returncode or len(settled) < 8:
        return _report("frames", Counter([f"exit {job.returncode}, too short a run"]), good=())
    half = len(settled) // 2
    growth = [
        float(np.median([s[i] for s in settled[half:]]) - np.median([s[i] for s in settled[:half]]))
        for i in range(3)
    ]
    print(f"growth from one half to the next: {growth[0]:.2f} MB, {growth[1]:g} threads, "
          f"{growth[2]:g} descriptors")  # fmt: skip
    flat = growth[0] < 2.0 and growth[1] == growth[2] == 0
    return _report("frames", Counter(["flat" if flat else "grows"]), good=("flat",))


def _look(pid: int) -> tuple[float, int, int]:
    """(MB of resident memory, threads, open descriptors)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    memory = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    threads = next(int(line.split()[1]) for line in lines if line.startswith("Threads"))
    return memory / 1024, threads, sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def _report(title: str, results: Counter[str], *, good: Sequence[str]) -> int:
    bad = {text: number for text, number in results.items() if text not in good}
    for text, number in sorted(results.items()):
        print(f"{title}: {number} x {text}")
    return 1 if bad else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when every attack was withstood."""
    parser = argparse.ArgumentParser(description="Attack edge-sr run and print what happened.")
    parser.add_argument("attack", choices=("mutate", "signals", "frames"))
    parser.add_argument("--count", type=int, help="inputs (1000), signals (50) or frames (5000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args(argv)
    if args.attack == "mutate":
        return attack_inputs(args.count or 1000, args.seed, args.workers)
    if args.attack == "signals":
        return attack_with_signals(args.count or 50, args.seed)
    return attack_with_frames(args.count or 5000)


if __name__ == "__main__":
    sys.exit(main())
