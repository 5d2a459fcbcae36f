"""SIGINT, SIGTERM and SIGKILL at random moments of a file job: one in five while it starts.

After the first two the exit code is right and what is there plays. After SIGKILL nothing stands at
the final name, what is left plays and is at most two seconds shorter than what the writer was
given, and `--resume`, where the command has it, completes the job to the same frames as an
uninterrupted one.
"""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import av
import numpy as np

from lab.soak.common import RATE, RUN, count_frames, last_line, make_clip, report
from lab.soak.counted import counted_in

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
FRAMES = 300
START = 2.0  # seconds in which a job has not written yet, more or less
FLUSH = 60.0  # seconds by the clock, on a machine that may be busy with others
SLOW = 900.0  # seconds for a whole job, on a machine that may be busy with others
LOST_S = 2.0  # of film, at most, by SIGKILL
COUNTED = [sys.executable, "-m", "lab.soak.counted"]
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
    lost: list[float] = []
    slowest = {signal.SIGINT: 0.0, signal.SIGTERM: 0.0, signal.SIGKILL: 0.0}
    resumes = "--resume" in subprocess.run([*RUN, "--help"], capture_output=True, text=True).stdout
    with tempfile.TemporaryDirectory(prefix="edge-sr-soak-") as name:
        clip = make_clip(Path(name) / "clip.mp4", FRAMES, width=160, height=96)
        whole = Path(name) / "whole.mp4"
        subprocess.run(_job(clip, whole), capture_output=True, check=True)
        for index in range(count):
            folder = Path(name) / str(index)
            folder.mkdir()
            sent = rng.choice(list(slowest))
            job = subprocess.Popen(
                _job(clip, folder / "o.mp4", counter=folder / "given"),
                stderr=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
            )
            moment = rng.randrange(-FRAMES // 4, FRAMES)
            if moment < 0:
                when = f"{rng.uniform(0.0, START):.1f} s"
                with contextlib.suppress(subprocess.TimeoutExpired):
                    job.wait(float(when[:-2]))
            else:
                when = f"{moment} frames"
                while job.poll() is None and counted_in(folder / "given") < moment:
                    time.sleep(0.005)
            begun = time.monotonic()
            job.send_signal(sent)
            try:
                _, errors = job.communicate(timeout=FLUSH)
            except subprocess.TimeoutExpired:
                job.kill()
                job.communicate()
                results[f"{sent.name}: hang"] += 1
                print(f"{index + 1}: {sent.name} after {when}: hang", flush=True)
                continue
            slowest[sent] = max(slowest[sent], time.monotonic() - begun)
            text = _judge(job.returncode, sent, folder, errors.decode())
            results[f"{sent.name}: {text}"] += 1
            left = ""
            if sent is signal.SIGKILL and job.returncode:
                given, kept = counted_in(folder / "given"), _kept(folder)
                left = f"; of {given} frames {kept} are left"
                lost.append((given - kept) / RATE)
            print(f"{index + 1}: {sent.name} after {when}: {text}{left}", flush=True)
            if sent is signal.SIGKILL and resumes and text == "what is left plays":
                results[f"{sent.name}: {_resume(clip, folder / 'o.mp4', whole)}"] += 1
    if any(seconds > LOST_S for seconds in lost):
        results["SIGKILL: more than 2 s of film lost"] += 1
    if written := [seconds for seconds in lost if seconds]:
        middle = sorted(written)[len(written) // 2]
        print(f"SIGKILL: {len(written)} killed while they wrote lost {middle:.2f} s of film in the")
        print(f"  middle, {max(written):.2f} s at most")
    print(", ".join(f"{key.name}: ended within {value:.2f} s" for key, value in slowest.items()))
    return report("signals", results, good=GOOD)


def _job(clip: Path, output: Path, *more: str, counter: Path | None = None) -> list[str]:
    start = [*COUNTED, str(counter), "run"] if counter else RUN
    return [*start, "--input", str(clip), "--output", str(output), "--threads", "1", *more]


def _kept(folder: Path) -> int:
    """Frames of what a killed job left that can be played; 0 where nothing can."""
    for path in (folder / "o.mp4", folder / ".o.mp4.part"):
        with contextlib.suppress(av.FFmpegError, IndexError):
            return count_frames(path)
    return 0


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
        return f"exit {code}: {last_line(errors)}"
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
            for a, b in pairs:
                if a.pts * a.time_base != b.pts * b.time_base:
                    return "resumed, other times"
                if not np.array_equal(a.to_ndarray(), b.to_ndarray()):
                    return "resumed, other pixels"
        except ValueError:
            return "resumed, another number of frames"
    return "resumed, the same frames"
