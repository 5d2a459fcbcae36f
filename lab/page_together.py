"""A page, a recording and RTSP at once, for minutes: ``python -m lab.page_together``.

A source of its own pace, so small that a frame more under way is no change of memory; a viewer by
WebSocket, who reports each frame, and a reader by RTSP. Prints how the age of frames, memory and
threads change: lines fitted to samples of every 5 s, without the first ten minutes, or the first
half of less than twenty.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np

from edge_sr.children import child_environment, module_command
from edge_sr.cli.common import exit_codes, make_parser
from edge_sr.errors import EdgeSRError

EVERY_S = 5.0
WARM_S = 600.0  # that are left out at the beginning
SOURCE = "test://160x90@25"
PARTS = ("viewer", "recording", "rtsp")
VIEW = {"mode": "pair", "region": [0, 0, 320, 180], "width": 320, "codec": "h264"}
EXAMPLES = """\
examples:
  python -m lab.page_together
  python -m lab.page_together --minutes 2
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.page_together",
        "Run a page, a recording and an RTSP server at once, and watch age, memory and threads.",
        examples=EXAMPLES,
    )
    parser.add_argument("--minutes", type=float, default=20.0, help="default: 20")
    parser.add_argument("--without", choices=PARTS, default="", help="leave one of them out")
    parser.add_argument("--samples", action="store_true", help="print them too, a JSON line each")
    return parser


@contextlib.contextmanager
def running(folder: Path, without: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The process, the page's address and that of RTSP, "" where that is left out."""
    words = ["run", f"{SOURCE}?live=1", "--backend", "nearest", "--serve", "127.0.0.1:0"]
    words += [] if without == "rtsp" else ["--rtsp", "0"]
    words += [] if without == "recording" else ["-o", str(folder / "recording.mp4")]
    words += ["--save-to", str(folder)]
    command = module_command("edge_sr.cli.main", words)
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=child_environment()
    ) as job:
        try:
            text = ""
            for line in job.stderr or ():
                text += line
                found = re.search(r"page: (\S+)/", text), re.search(r"RTSP: (\S+)", text)
                if found[0] and (found[1] or without == "rtsp"):
                    yield job, found[0][1], found[1][1] if found[1] else ""
                    break
            else:
                raise EdgeSRError("the run has ended before it began to serve")
        finally:
            job.terminate()
            job.communicate(timeout=60)


def watch(address: str, stop: threading.Event) -> None:
    """A browser's part: take each picture, and report it."""
    from websockets.sync import client

    with client.connect(f"{address.replace('http', 'ws')}/watch", max_size=None) as socket:
        socket.send(json.dumps(VIEW))
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                message = socket.recv(timeout=1)
                if isinstance(message, bytes):
                    (length,) = struct.unpack_from(">I", message)
                    number = json.loads(message[4 : 4 + length])["number"]
                    socket.send(json.dumps({"shown": number}))


def read(address: str, stop: threading.Event) -> None:
    """A recorder's part: take each packet."""
    with av.open(address, options={"rtsp_transport": "tcp"}, timeout=60) as container:
        for _ in container.demux(video=0):
            if stop.is_set():
                return


def sample(job: subprocess.Popen[str], address: str, minutes: float) -> list[dict[str, float]]:
    """Figures of every `EVERY_S` seconds."""
    found = []
    start = time.monotonic()
    while (at := time.monotonic() - start) < minutes * 60:
        with urllib.request.urlopen(f"{address}/api/stats", timeout=30) as answer:  # noqa: S310
            facts: dict[str, Any] = json.load(answer)
        found.append(
            {
                "s": at,
                "age_ms": facts["age_p50_ms"] or 0.0,
                "mb": _status(job.pid, "VmRSS") / 1000,
                "threads": _status(job.pid, "Threads"),
                "written": facts["written"],
                "dropped": facts["dropped"],
                "clients": facts["clients"],
            }
        )
        time.sleep(EVERY_S)
    return found


def _status(process: int, name: str) -> int:
    """A number that Linux keeps of a process."""
    text = Path(f"/proc/{process}/status").read_text()
    found = re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else 0


@exit_codes("page_together")
def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 when it was measured, 2 for wrong options."""
    args = build_parser().parse_args(argv)
    stop = threading.Event()
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), args.without) as (job, page, rtsp),
    ):
        threads = [threading.Thread(target=watch, args=(page, stop), daemon=True)]
        threads += [threading.Thread(target=read, args=(rtsp, stop), daemon=True)] if rtsp else []
        threads = threads[args.without == "viewer" :]
        for thread in threads:
            thread.start()
        found = sample(job, page, args.minutes)
        alive = [thread.is_alive() for thread in threads]
        stop.set()
        for thread in threads:
            thread.join(10)
    for item in found if args.samples else ():
        print(json.dumps(item))
    kept = [item for item in found if item["s"] > min(WARM_S, args.minutes * 30)]
    at = np.array([item["s"] for item in kept])
    age, memory = (
        float(np.polyfit(at, [item[name] for item in kept], 1)[0]) for name in ("age_ms", "mb")
    )
    last = kept[-1]
    counts = sorted({int(item["threads"]) for item in kept})
    print(
        f"{args.minutes:g} minutes, {int(last['written'])} frames, {int(last['dropped'])} dropped; "
        f"age {np.median([item['age_ms'] for item in kept]):.1f} ms at the median, slope "
        f"{60 * age:+.2f} ms a minute; memory {last['mb']:.0f} MB, slope {3600 * memory:+.1f} "
        f"MB an hour; threads {counts}; viewer and reader were there to the end: {all(alive)}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
