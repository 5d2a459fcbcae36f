"""A real tiny inference on each backend, in a process of its own: a crash is a finding."""

from __future__ import annotations

import subprocess
from pathlib import Path

from edge_sr.backend import BACKENDS
from edge_sr.children import read_answer, run_module
from edge_sr.doctor.line import Line
from edge_sr.errors import BackendError
from edge_sr.extras import install_command

LIMIT_S = 120.0


def lines(names: tuple[str, ...] = BACKENDS) -> list[Line]:
    """One line per backend, with the time of a 64x64 frame; "auto" is the default path."""
    return [probe(name) for name in names]


def probe(name: str, *, limit_s: float = LIMIT_S) -> Line:
    """Run the shipped model once on a backend, in a child process."""
    try:
        done = run_module("edge_sr.doctor.probe", [name], timeout_s=limit_s)
        facts = read_answer(done, "the inference")
    except subprocess.TimeoutExpired:
        return _failed(name, f"no answer within {limit_s:g} s")
    except BackendError as error:
        return _failed(name, str(error))
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
