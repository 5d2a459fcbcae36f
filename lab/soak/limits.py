"""Running out: of disk, of memory, of permission, of input. Linux, and root for the small disks."""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.soak.common import LIMIT, RUN, count_frames, last_line, make_clip, report

FRAMES = 150
DISKS = (16, 64, 256, 1024)  # KiB; the whole film takes more
MEMORY = (100, 200, 300, 400, 600, 800, 1200, 2000)  # MiB of address space
SLOW = 900.0
GOOD = (
    "full disk: one line, nothing left",
    "read-only folder: one line, nothing left",
    "input removed: the whole film",
    "input removed: one line, nothing left",
    "input cut short: one line, nothing left",
    "input cut short: the whole film",
    "memory limit: one line, nothing left",
    "memory limit: the whole film",
    "memory limit: numpy does not start",
)


def attack_limits() -> int:
    """Print what happened when something ran out."""
    results: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="edge-sr-soak-") as name:
        folder = Path(name)
        clip = make_clip(folder / "clip.mp4", FRAMES)
        if os.geteuid() == 0:
            for size in DISKS:
                with _disk(folder / "disk", f"size={size}k") as disk:
                    results[f"full disk: {_run(clip, disk)}"] += 1
            with _disk(folder / "disk", "ro") as disk:
                results[f"read-only folder: {_run(clip, disk)}"] += 1
        else:
            print("limits: small disks need root to be mounted; left out")
        for ending in ("mp4", "mkv"):
            for what in ("removed", "cut short"):
                results[f"input {what}: {_lose_input(folder, ending, what)}"] += 1
        for size in MEMORY:
            output = folder / f"memory-{size}"
            output.mkdir()
            words = _run(clip, output, memory=size << 20)
            print(f"limits: {size} MiB of address space: {words}")
            results[f"memory limit: {words}"] += 1
    return report("limits", results, good=GOOD)


@contextmanager
def _disk(place: Path, options: str) -> Iterator[Path]:
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _run(clip: Path, folder: Path, *, memory: int | None = None) -> str:
    def limit() -> None:
        if memory:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    output = folder / "o.mp4"
    command = [*RUN, "--input", str(clip), "--output", str(output), "--threads", "1"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=SLOW,
            check=False,
            preexec_fn=limit,
        )
    except subprocess.TimeoutExpired:
        return "hang"
    return _judge(done.returncode, done.stderr, output)


def _lose_input(folder: Path, ending: str, what: str) -> str:
    clip = make_clip(folder / f"lost.{ending}", FRAMES)
    place = folder / f"{ending}-{what.replace(' ', '-')}"
    place.mkdir()
    output = place / f"o.{ending}"
    command = [*RUN, "--input", str(clip), "--output", str(output), "--threads", "1"]
    job = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    begun = time.monotonic()
    while job.poll() is None and not list(place.iterdir()) and time.monotonic() - begun < LIMIT:
        time.sleep(0.02)
    if what == "removed":
        clip.unlink()
    else:
        os.truncate(clip, clip.stat().st_size // 2)
    try:
        _, errors = job.communicate(timeout=SLOW)
    except subprocess.TimeoutExpired:
        job.kill()
        job.communicate()
        return "hang"
    return _judge(job.returncode, errors.decode(), output)


def _judge(code: int, errors: str, output: Path) -> str:
    left = [path.name for path in output.parent.iterdir()]
    if code == 0:
        return "the whole film" if count_frames(output) == FRAMES else "exit 0, a part of the film"
    if "OpenBLAS error: Memory allocation" in errors:
        return "numpy does not start"  # numpy fails before our code runs
    if "Traceback" in errors or code < 0:
        return f"crash {code}: {last_line(errors)}"
    if code != 1 or not last_line(errors).startswith("edge-sr:"):
        return f"exit {code}: {last_line(errors)}"
    return f"left {', '.join(left)}" if left else "one line, nothing left"
