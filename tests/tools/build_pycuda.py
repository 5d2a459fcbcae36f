"""Build pycuda against the CUDA driver double: two minutes, no GPU; a finished build is kept.

``python tests/tools/build_pycuda.py build/pycuda``; the tests on the double then run with pycuda
too. pycuda's source and the headers of CUDA and cuRAND come from the package index. Where that
does not answer, one line says so and the status is 0: the tests are skipped. A build that fails is
an error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
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
NEEDS = ["pytools"]
STAMP = "built-from"  # beside the packages: written last


def main() -> int:
    folder = Path(sys.argv[1]).absolute()
    made_of = f"{PYCUDA} {sysconfig.get_config_var('EXT_SUFFIX')}\n"
    stamp = folder / STAMP
    if stamp.is_file() and stamp.read_text() == made_of:
        print(f"{folder}: {PYCUDA} is there")
        return 0
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # renamed when it is whole
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="pycuda-") as name:
        work = Path(name)
        if not _fetch(work / "fetched"):
            print(f"{PYCUDA} or CUDA's headers cannot be fetched: its tests are skipped")
            return 0
        _build(work)
        (work / "site" / STAMP).write_text(made_of)
        (work / "site").replace(folder)
    return 0


def _pip(*words: str, **environment: str) -> bool:
    command = [sys.executable, "-m", "pip", *words, "--quiet", "--disable-pip-version-check"]
    return subprocess.run(command, env={**os.environ, **environment}, check=False).returncode == 0


def _fetch(folder: Path) -> bool:
    """Download the source distribution and the wheels of everything else."""
    to = ("--dest", str(folder))
    return (
        _pip("download", *to, "--no-deps", "--no-binary", "pycuda", PYCUDA)
        and _pip("download", *to, "--no-deps", *HEADERS)
        and _pip("download", *to, *NEEDS)
    )


def _build(work: Path) -> None:
    """Install what was fetched into ``site``, with the double in the place of the driver."""
    install = ("install", "--target", str(work / "site"), "--find-links", str(work / "fetched"))
    if not _pip(*install, "--no-index", "--no-deps", *HEADERS) or not _pip(
        *install, "--no-index", *NEEDS
    ):
        raise SystemExit("CUDA's headers could not be installed")
    build_double(work)
    (work / "libcuda.so").symlink_to("libcuda.so.1")
    nvidia = work / "site" / "nvidia"
    (work / "libcurand.so").symlink_to(nvidia / "curand/lib/libcurand.so.10")
    (source,) = (work / "fetched").glob("pycuda-*.tar.gz")
    built = _pip(
        *install,
        "--no-deps",
        "--no-cache-dir",
        str(source),
        CPATH=os.pathsep.join(str(path) for path in nvidia.glob("*/include")),
        LIBRARY_PATH=str(work),
        LD_LIBRARY_PATH=str(work),
    )
    if not built:
        raise SystemExit(f"{PYCUDA} does not build against the CUDA driver double")


if __name__ == "__main__":
    sys.exit(main())
