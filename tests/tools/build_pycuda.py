"""Build pycuda against the CUDA driver double into a throw-away folder: 2 minutes, no GPU.

``python tests/tools/build_pycuda.py build/pycuda``; the tests on the double then run with pycuda
too. CUDA's and cuRAND's headers come from the registry.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "fakes"))
from build_double import build_double

HEADERS = [
    "nvidia-cuda-runtime-cu12",
    "nvidia-cuda-nvcc-cu12",
    "nvidia-cuda-profiler-api-cu12",
    "nvidia-curand-cu12",
]
PYCUDA = "pycuda==2026.1"


def main() -> None:
    folder = Path(sys.argv[1]).absolute()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target"]
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        build_double(work)
        (work / "libcuda.so").symlink_to("libcuda.so.1")
        subprocess.run([*pip, str(folder), "--no-deps", *HEADERS], check=True)
        nvidia = folder / "nvidia"
        (work / "libcurand.so").symlink_to(nvidia / "curand/lib/libcurand.so.10")
        paths = [str(path) for path in nvidia.glob("*/include")]
        environment = {
            **os.environ,
            "CPATH": os.pathsep.join(paths),
            "LIBRARY_PATH": str(work),
            "LD_LIBRARY_PATH": str(work),
        }
        subprocess.run(
            [*pip, str(folder), "--no-deps", "--no-cache-dir", PYCUDA], check=True, env=environment
        )
        subprocess.run([*pip, str(folder), "pytools"], check=True)


if __name__ == "__main__":
    main()
