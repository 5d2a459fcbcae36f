"""What CUDA is here: the driver's own library, asked in a child process, and the toolkit."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from edge_sr.children import read_answer, run_module
from edge_sr.cuda import driver
from edge_sr.doctor.line import Line
from edge_sr.errors import BackendError

LIMIT_S = 30.0


def lines(root: Path = Path("/")) -> list[Line]:
    """One line for the driver's CUDA, one for the toolkit, which only pycuda needs."""
    return [_driver(root), _toolkit(root)]


def _driver(root: Path) -> Line:
    loaded = (root / "proc/driver/nvidia/version").is_file()
    loaded = loaded or (root / "etc/nv_tegra_release").is_file()
    try:
        done = run_module("edge_sr.cuda.driver", timeout_s=LIMIT_S)
    except subprocess.TimeoutExpired:
        return Line("machine", "CUDA", "gap", "the driver does not answer", "sudo reboot")
    if done.returncode == driver.NO_LIBRARY:
        if not loaded:
            return Line("machine", "CUDA", "note", "no libcuda.so.1: no NVIDIA driver")
        advice = "sudo ldconfig && ldconfig -p | grep libcuda"
        return Line("machine", "CUDA", "gap", "a driver is loaded, libcuda.so.1 is missing", advice)
    try:
        facts = read_answer(done, "the driver")
    except BackendError as error:
        return Line("machine", "CUDA", "gap", str(error), "nvidia-smi")
    if "error" in facts:
        return Line("machine", "CUDA", "gap", str(facts["error"]), "nvidia-smi")
    devices = ", ".join(facts["names"]) or "no device"
    return Line("machine", "CUDA", "ok", f"{facts['cuda']} by the driver: {devices}")


def _toolkit(root: Path) -> Line:
    """The toolkit, by its compiler."""
    compiler = shutil.which("nvcc") or str(root / "usr/local/cuda/bin/nvcc")
    if not Path(compiler).is_file():
        return Line("machine", "CUDA toolkit", "note", "none; only building pycuda needs one")
    try:
        done = subprocess.run(
            [compiler, "--version"], capture_output=True, text=True, check=False, timeout=LIMIT_S
        )
        match = re.search(r"release ([\d.]+)", done.stdout)
    except (OSError, subprocess.TimeoutExpired):
        match = None
    return Line("machine", "CUDA toolkit", "ok", f"{match[1] if match else 'here'} ({compiler})")
