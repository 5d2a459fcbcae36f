"""A real tiny inference on each backend, in a process of its own: a crash is a finding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from edge_sr.backend import BACKENDS
from edge_sr.doctor.line import Line
from edge_sr.extras import install_command

LIMIT_S = 120.0


def lines(names: tuple[str, ...] = BACKENDS) -> list[Line]:
    """One line per backend, with the time of a 64x64 frame; "auto" is the default path."""
    return [probe(name) for name in names]


def probe(name: str, *, limit_s: float = LIMIT_S) -> Line:
    """Run the shipped model once on a backend, in a child process."""
    package = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-m", "edge_sr.doctor.probe", name]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit_s,
            env={**os.environ, "PYTHONPATH": path},
        )
    except subprocess.TimeoutExpired:
        return _failed(name, f"no answer within {limit_s:g} s")
    if done.returncode < 0:
        return _failed(name, f"the process died of signal {-done.returncode}")
    last = (done.stdout.strip().splitlines() or [""])[-1]
    try:
        facts = json.loads(last)
    except json.JSONDecodeError:
        words = done.stderr.strip().splitlines()
        return _failed(name, words[-1] if words else f"exit code {done.returncode}")
    if "error" in facts:
        return _failed(name, str(facts["error"]))
    ran = "" if facts["name"] == name else f"{facts['name']}, "
    found = f"{ran}{facts['device']}: {facts['precision']}, 64x64 in {facts['ms']:.2f} ms"
    return Line("backends", name, "ok", found)


def _failed(name: str, why: str) -> Line:
    """The default path is broken without "auto"; the others are gaps, each with its command."""
    if name in ("auto", "onnxruntime", "nearest"):
        return Line("backends", name, "broken", why, install_command("cpu"))
    if not Path("/proc/driver/nvidia/version").is_file() and not Path("/dev/nvhost-gpu").exists():
        return Line("backends", name, "note", f"needs an NVIDIA GPU and its driver ({why})")
    advice = install_command("rtx")
    if Path("/etc/nv_tegra_release").is_file():
        advice = "sudo apt-get install -y python3-libnvinfer"
    return Line("backends", name, "gap", why, advice)
