"""SIGINT, SIGTERM and SIGKILL at random moments of a file job.

After the first two the exit code is right and what is there plays. After SIGKILL nothing stands at
the final name, what is left plays, and `--resume`, where the command has it, completes the job to
the same frames as an uninterrupted one.
"""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

import av
from soak_common import RUN, count_frames, last_line, make_clip, report

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
FRAMES = 300  # so that starting is a small part of the job
FLUSH = 60.0  # seconds by the clock, on a machine that may be busy with others
SLOW = 900.0  # seconds for a whole job, on a machine that may be busy with others
GOOD = (
    "SIGINT: ended, playable",
    "SIGINT: ended before it wrote",
    "SIGINT: was done",
    "SIGINT: done, exit 130",
    "SIGTERM: ended, playable",
    "SIGTERM: ended before it wrote",
    "SIGTERM: was done",
    "SIGTERM: done, exit -15",  # while the interpreter ends
    "SIGKILL: nothing was written yet",
    "SIGKILL: what is left plays",
    "SIGKILL: was done",
    "SIGKILL: done, exit -9",
    "SIGKILL: resumed, the same frames",
)


def attack_with_signals(count: int, seed: int) -> int:
    """Print what `count` interrupted jobs left behind."""
    # a shell's & ignores SIGINT, and what is started here would inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rng = random.Random(seed)  # noqa: S311 - no secret
    results: Counter[str] = Counter()
    slowest = {signal.SIGINT: 0.0, signal.SIGTERM: 0.0, signal.SIGKILL: 0.0}
    resumes = "--resume" in subprocess.run([*RUN, "--help"], capture_output=True, text=True).stdout
    with tempfile.TemporaryDirectory(prefix="edge-sr-soak-") as name:
        clip = make_clip(Path(name) / "clip.mp4", FRAMES, width=160, height=96)
        whole = Path(name) / "whole.mp4"
        takes = float("inf")
        for more in ((), ("--force",)):  # the first one also warms the disk's cache
            begun = time.monotonic()
            subprocess.run(_job(clip, whole, *more), capture_output=True, check=True)
            takes = min(takes, time.monotonic() - begun)
        print(f"signals: a job of {FRAMES} frames takes {takes:.1f} s")
        for index in range(count):
            folder = Path(name) / str(index)
            folder.mkdir()
            sent = rng.choice(list(slowest))
            job = subprocess.Popen(
                _job(clip, folder / "o.mp4"), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
            )
            moment = rng.uniform(0.0, takes)
            with contextlib.suppress(subprocess.TimeoutExpired):
                job.wait(moment)
                takes = min(takes, moment)  # the machine has become faster: aim earlier
            begun = time.monotonic()
            job.send_signal(sent)
            try:
                _, errors = job.communicate(timeout=FLUSH)
            except subprocess.TimeoutExpired:
                job.kill()
                job.communicate()
                results[f"{sent.name}: hang"] += 1
                print(f"{index + 1}: {sent.name} after {moment:.1f} s: hang", flush=True)
                continue
            slowest[sent] = max(slowest[sent], time.monotonic() - begun)
            text = _judge(job.returncode, sent, folder, errors.decode())
            results[f"{sent.name}: {text}"] += 1
            print(f"{index + 1}: {sent.name} after {moment:.1f} s: {text}", flush=True)
            if sent is signal.SIGKILL and resumes and text == "what is left plays":
                results[f"{sent.name}: {_resume(clip, folder / 'o.mp4', whole)}"] += 1
    print(", ".join(f"{key.name}: ended within {value:.2f} s" for key, value in slowest.items()))
    return report("signals", results, good=GOOD)


def _job(clip: Path, output: Path, *more: str) -> list[str]:
    return [*RUN, "--input", str(clip), "--output", str(output), "--threads", "1", *more]


def _judge(code: int, sent: signal.Signals, folder: Path, errors: str) -> str:
    if "Traceback" in errors and "KeyboardInterrupt" not in errors:
        return f"crash: {last_line(errors)}"
    final = folder / "o.mp4"
    if code == 0:
        return "was done" if final.exists() and count_frames(final) == FRAMES else "exit 0, no film"
    if final.exists():  # the signal may come between the last frame and the end
        whole = count_frames(final) == FRAMES
        return f"done, exit {code}" if whole else "a part stands at the final name"
    if code not in (CODES.get(sent), -sent):  # negative: before our handler was there
        return f"exit {code}"
    killed = sent is signal.SIGKILL
    found = [path for path in folder.iterdir() if path.suffix == ".mp4" or ".part" in path.name]
    found = [path for path in found if path.suffix != ".json"]
    if not found or (killed and all(path.stat().st_size == 0 for path in found)):
        return "nothing was written yet" if killed else "ended before it wrote"
    try:
        frames = count_frames(found[0])
    except av.FFmpegError as error:
        size = found[0].stat().st_size
        if killed and size < 4096:  # the container's head alone
            return "nothing was written yet"
        return f"not playable: {found[0].name} ({size >> 10} KiB): {type(error).__name__}"
    if not frames:
        return "an empty film"
    return "what is left plays" if killed else "ended, playable"


def _resume(clip: Path, output: Path, whole: Path) -> str:
    done = subprocess.run(
        _job(clip, output, "--resume"), capture_output=True, text=True, timeout=SLOW, check=False
    )
    if done.returncode:
        return f"resume failed: {last_line(done.stderr)}"
    with av.open(str(output)) as one, av.open(str(whole)) as other:
        pairs = zip(one.decode(video=0), other.decode(video=0), strict=True)
        try:
            same = all(a.pts * a.time_base == b.pts * b.time_base for a, b in pairs)
        except ValueError:
            return "resumed, another number of frames"
    return "resumed, the same frames" if same else "resumed, other times"
