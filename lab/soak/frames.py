"""Many frames: memory, threads and descriptors of `edge-sr run` must stay flat."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from pathlib import Path

import numpy as np

from lab.soak.common import RUN, report


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
    later = samples[len(samples) // 4 :]
    if job.returncode or len(later) < 8:
        return report("frames", Counter([f"exit {job.returncode}, too short a run"]), good=())
    half = len(later) // 2
    growth = [
        float(np.median([s[i] for s in later[half:]]) - np.median([s[i] for s in later[:half]]))
        for i in range(3)
    ]
    print(f"growth from one half to the next: {growth[0]:.2f} MB, {growth[1]:g} threads, "
          f"{growth[2]:g} descriptors")  # fmt: skip
    flat = growth[0] < 2.0 and growth[1] == growth[2] == 0
    return report("frames", Counter(["flat" if flat else "grows"]), good=("flat",))


def _look(pid: int) -> tuple[float, int, int]:
    """(MB of resident memory, threads, open descriptors)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    memory = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    threads = next(int(line.split()[1]) for line in lines if line.startswith("Threads"))
    return memory / 1024, threads, sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
