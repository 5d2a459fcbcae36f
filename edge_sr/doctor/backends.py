"""A real tiny inference on each backend, in a process of its own: a crash is a finding."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from edge_sr.backend import BACKENDS
from edge_sr.children import read_answer, run_module
from edge_sr.cuda.machine import install_tensorrt
from edge_sr.doctor.line import Line
from edge_sr.doctor.probe import TINY
from edge_sr.errors import BackendError
from edge_sr.extras import install_command

LIMIT_S = 120.0


def lines(names: tuple[str, ...] = BACKENDS) -> list[Line]:
    """One line per backend, with the time of a 64x64 frame; "auto" is the default path."""
    return [probe(name) for name in names]


def probe(name: str, *, limit_s: float = LIMIT_S) -> Line:
    """Run a network once on a backend, in a child process.

    After `limit_s` the child is stopped with everything that it started, a builder included.
    """
    try:
        done = run_module("edge_sr.doctor.probe", [name], timeout_s=limit_s)
        facts = read_answer(done, "the inference")
    except subprocess.TimeoutExpired:
        return _failed(name, f"no answer within {limit_s:g} s", "TimeoutExpired")
    except BackendError as error:
        return _failed(name, str(error), "crash")
    if "error" in facts:
        return _failed(name, str(facts["error"]), str(facts.get("kind", "")))
    ran = "" if facts["name"] == name else f"{facts['name']}, "
    found = f"{ran}{facts['device']}: {facts['precision']}, 64x64 in {facts['ms']:.2f} ms"
    return Line("backends", name, "ok", found)


def _failed(name: str, why: str, kind: str) -> Line:
    """The default path is broken without "auto"; the others are gaps, each with its command."""
    if name in ("auto", "onnxruntime", "nearest"):
        return Line("backends", name, "broken", why, advice(name, why, kind))
    if name == "openvino":
        return Line("backends", name, "gap", why, advice(name, why, kind))
    if not Path("/proc/driver/nvidia/version").is_file() and not Path("/dev/nvhost-gpu").exists():
        return Line("backends", name, "note", f"needs an NVIDIA GPU and its driver ({why})")
    return Line("backends", name, "gap", why, advice(name, why, kind))


def advice(name: str, why: str, kind: str) -> str:
    """The command to type after a failure.

    Args:
        name: of the backend.
        why: the error's text; an extra that it names decides.
        kind: the class of the error, "TimeoutExpired" or "crash".
    """
    extra = re.search(r"edge-sr\[([\w-]+)\]", why)
    if extra:
        return install_command(extra[1])
    python = shlex.quote(sys.executable or "python3")
    if kind == "ModelFileError":  # a shipped file is damaged
        return f"{python} -m pip install --force-reinstall --no-deps edge-sr"
    if name == "openvino":
        return install_command("openvino")
    if name != "tensorrt":
        return install_command("cpu")
    if kind == "MissingDependencyError":
        return install_tensorrt()
    if kind in ("TimeoutExpired", "BackendError"):  # without a limit, and with the builder's log
        build = f"--model {shlex.quote(str(TINY))} --size 64x64 --precision fp32 --force"
        return f"{python} -m convert.build_engine {build} --verbose build.log"
    return "edge-sr doctor --gpu"
