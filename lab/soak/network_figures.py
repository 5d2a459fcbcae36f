"""Live runs from a network stream: reconnects, and the time from SIGTERM to the end.

Both need a Python with GStreamer's RTSP server at /usr/bin/python3. Linux only.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from edge_sr.media.sources.reconnect import Reconnecting
from edge_sr.media.sources.stream import NetworkStream
from lab.soak.common import frame_hashes, resident_mb

SERVER = Path(__file__).parents[2] / "tests" / "edge_sr" / "media" / "rtsp_server.py"


def rtsp(cycles: int) -> int:
    """Kill and restore an RTSP server under a source that reconnects."""
    port = _free_port()

    def opener() -> NetworkStream:
        return NetworkStream(f"rtsp://127.0.0.1:{port}/clip", open_s=5)

    server = _serve(port)
    back: list[float] = []
    seen: list[tuple[int, int, float]] = []
    hangs = 0
    with Reconnecting(opener, waits=lambda: iter([0.2] * 1000)) as source:
        frames = iter(source)
        for cycle in range(cycles):
            for _ in range(3):
                next(frames)
            seen.append((len(os.listdir("/proc/self/fd")), threading.active_count(), resident_mb()))  # noqa: PTH208
            server.send_signal(signal.SIGKILL)
            server.wait()
            if server.stdout:
                server.stdout.close()
            server = _serve(port)
            begun, before = time.perf_counter(), source.reconnects
            while source.reconnects == before:
                next(frames)
            back.append(time.perf_counter() - begun)
            hangs += back[-1] > 15
            if cycle % 10 == 9:
                print(f"{cycle + 1} cycles, back in {statistics.median(back):.2f} s", flush=True)
    server.kill()
    server.wait()
    descriptors, threads, memory = ([row[i] for row in seen] for i in range(3))
    figures = {
        "cycles": cycles,
        "hangs": hangs,
        "back_median_s": round(statistics.median(back), 2),
        "back_most_s": round(max(back), 2),
        "descriptors": [descriptors[1], descriptors[-1]],
        "threads": [threads[1], threads[-1]],
        "memory_growth_mb": round(memory[-1] - memory[len(memory) // 10], 1),
    }
    print(json.dumps(figures))
    flat = abs(descriptors[-1] - descriptors[1]) <= 2 and threads[-1] == threads[1]
    return 0 if flat and not hangs else 1


def _free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def _serve(port: str) -> subprocess.Popen[str]:
    command = ["/usr/bin/python3", str(SERVER), port]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    return server


def terminate(folder: Path) -> int:
    """How long a run takes to end after SIGTERM, and whether its recording is whole."""
    figures: dict[str, object] = {}
    bad = 0
    for name, harm in (("running", None), ("hanging", signal.SIGSTOP), ("lost", signal.SIGKILL)):
        port = _free_port()
        server = _serve(port)
        output = folder / f"{name}.mp4"
        command = [sys.executable, "-m", "edge_sr.cli.main", "run", "--backend", "nearest"]
        command += ["--input", f"rtsp://127.0.0.1:{port}/clip", "--output", str(output)]
        command += ["--serve", "0"]
        part = folder / f".{name}.mp4.part"
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as job:
            while not (part.exists() and part.stat().st_size > 5000):
                time.sleep(0.05)
            if harm:
                server.send_signal(harm)
                time.sleep(4)  # it is noticed after two
            begun = time.perf_counter()
            job.send_signal(signal.SIGTERM)
            code = job.wait(60)
            took = time.perf_counter() - begun
        server.kill()
        server.wait()
        frames = len(frame_hashes(output)) if output.exists() else 0
        figures[name] = {"seconds": round(took, 2), "exit": code, "frames": frames}
        bad += code != 143 or took > 10 or not frames
    print(json.dumps(figures))
    return 1 if bad else 0
