"""Peak memory of one model: measured in a process of its own, which ends afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from bench.models.contenders import Contender, open_contender
from edge_sr.children import how_it_ended, last_line, run_module
from edge_sr.errors import BackendError, EdgeSRError
from edge_sr.model.sidecar import Sidecar

LIMIT_S = 900


def peak_mib(contender: Contender, width: int, height: int, threads: int) -> int | None:
    """Peak resident MiB of a process that opens the model and upscales one frame.

    Everything counts: Python, the runtime, the weights. None where the system has no figure.

    Raises:
        BackendError: the process died, or the model failed on this size.
    """
    order = {"width": width, "height": height, "threads": threads, **asdict(contender)}
    try:
        done = run_module("bench.measure.memory", text=json.dumps(order), timeout_s=LIMIT_S)
    except subprocess.TimeoutExpired as error:
        raise BackendError(
            f"{contender.name}: one {width}x{height} frame took more than {LIMIT_S} s"
        ) from error
    if done.returncode == 0 and done.stdout.strip().isdecimal():
        return int(done.stdout) or None
    reason = last_line(done.stderr)
    if done.returncode == 1 and reason:
        raise BackendError(reason)
    raise BackendError(f"{contender.name}: on a {width}x{height} frame {how_it_ended(done)}")


def _peak_now_mib() -> int:
    """Peak resident MiB of this process so far; 0 if it is not known."""
    status = Path("/proc/self/status")
    if status.exists():  # not getrusage: its figure survives exec and would be the parent's
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) // (2**20 if sys.platform == "darwin" else 2**10)


def main() -> int:
    """The child: an order on stdin, MiB on stdout."""
    order = json.load(sys.stdin)
    width, height, threads = (order.pop(key) for key in ("width", "height", "threads"))
    order["sidecar"] = Sidecar(**order["sidecar"])
    try:
        with open_contender(Contender(**order), threads) as upscaler:
            channels = upscaler.sidecar.channels
            upscaler.backend.infer(np.zeros((1, height, width, channels), np.uint8))
    except EdgeSRError as error:
        print(error, file=sys.stderr)
        return 1
    print(_peak_now_mib())
    return 0


if __name__ == "__main__":
    sys.exit(main())
