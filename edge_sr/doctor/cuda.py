"""What CUDA is here: the driver's own library, asked in a child process, and the toolkit."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from edge_sr.cuda.machine import cuda_version
from edge_sr.doctor.line import Line

LIMIT_S = 30.0
# asks the driver for its CUDA version and its devices; exits 3 where there is no driver
ASK = """
import ctypes, json, sys
try:
    cuda = ctypes.CDLL("libcuda.so.1")
except OSError:
    sys.exit(3)
status = cuda.cuInit(0)
if status:
    print(json.dumps({"error": f"cuInit gives error {status}"}))
    sys.exit()
version, count = ctypes.c_int(), ctypes.c_int()
cuda.cuDriverGetVersion(ctypes.byref(version))
cuda.cuDeviceGetCount(ctypes.byref(count))
names = []
for device in range(count.value):
    name = ctypes.create_string_buffer(256)
    cuda.cuDeviceGetName(name, 256, device)
    names.append(name.value.decode(errors="replace"))
print(json.dumps({"version": version.value, "names": names}))
"""


def lines(root: Path = Path("/")) -> list[Line]:
    """One line for the driver's CUDA, one for the toolkit, which only pycuda needs."""
    return [_driver(root), _toolkit(root)]


def _driver(root: Path) -> Line:
    driver = (root / "proc/driver/nvidia/version").is_file()
    driver = driver or (root / "etc/nv_tegra_release").is_file()
    try:
        done = subprocess.run(
            [sys.executable, "-c", ASK],
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return Line("machine", "CUDA", "gap", "the driver does not answer", "sudo reboot")
    if done.returncode == 3:
        if not driver:
            return Line("machine", "CUDA", "note", "no libcuda.so.1: no NVIDIA driver")
        advice = "sudo ldconfig && ldconfig -p | grep libcuda"
        return Line("machine", "CUDA", "gap", "a driver is loaded, libcuda.so.1 is missing", advice)
    try:
        facts = json.loads(done.stdout)
    except json.JSONDecodeError:
        return Line("machine", "CUDA", "gap", f"exit code {done.returncode}", "nvidia-smi")
    if "error" in facts:
        return Line("machine", "CUDA", "gap", str(facts["error"]), "nvidia-smi")
    devices = ", ".join(facts["names"]) or "no device"
    return Line(
        "machine", "CUDA", "ok", f"{cuda_version(facts['version'])} by the driver: {devices}"
    )


def _toolkit(root: Path) -> Line:
    """The toolkit, by its compiler."""
    compiler = shutil.which("nvcc") or str(root / "usr/local/cuda/bin/nvcc")
    if not Path(compiler).is_file():
        return Line("machine", "CUDA toolkit", "note", "none; only building pycuda needs one")
    done = subprocess.run(
        [compiler, "--version"], capture_output=True, text=True, check=False, timeout=LIMIT_S
    )
    match = re.search(r"release ([\d.]+)", done.stdout)
    return Line("machine", "CUDA toolkit", "ok", f"{match[1] if match else 'here'} ({compiler})")
