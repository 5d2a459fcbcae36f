"""The GPU runtime on a CUDA driver double: `on_double/case_*.py`, in a process of its own.

The double is a libcuda.so.1 on host memory, made here with the C compiler; the bindings are the
real ones. pycuda is tested where `make pycuda-double` has built it, as `.ci/run` does.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from clocks import HANG_S

ROOT = Path(__file__).parents[3]
CASES = Path(__file__).parent / "on_double"
SLOW = ("case_bench",)
PYCUDA = ROOT / "build" / "pycuda"
sys.path.insert(0, str(ROOT / "tests" / "fakes"))

from build_double import SITE, build_double, compiler  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        compiler() is None or sys.platform != "linux", reason="needs Linux and a C compiler"
    ),
]


@pytest.fixture(scope="session")
def doubles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """The environment of a process on the double, for each binding that is here."""
    found = {}
    if importlib.util.find_spec("cuda") and importlib.util.find_spec("cuda.bindings"):
        folder = tmp_path_factory.mktemp("double")
        build_double(folder)
        found["cuda-python"] = _environment("cuda-python", [folder], [])
    for extension in (PYCUDA / "pycuda").glob("_driver*.so"):
        folder = tmp_path_factory.mktemp("double-pycuda")
        build_double(folder, linked_by=extension)
        libraries = [folder, PYCUDA / "nvidia" / "curand" / "lib"]
        found["pycuda"] = _environment("pycuda", libraries, [PYCUDA])
    return found


def _environment(binding: str, libraries: list[Path], packages: list[Path]) -> dict[str, str]:
    paths = [ROOT, SITE, *packages]
    return {
        **os.environ,
        "EDGE_SR_CUDA": binding,
        "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "OMP_NUM_THREADS": "1",
    }


def run(case: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(case)]
    done = subprocess.run(
        command,
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=8 * HANG_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]


@pytest.mark.parametrize("binding", ["cuda-python", "pycuda"])
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(path, marks=pytest.mark.slow if path.stem in SLOW else ())
        for path in sorted(CASES.glob("case_*.py"))
    ],
    ids=lambda path: path.stem,
)
def test_on_the_double(
    case: Path, binding: str, doubles: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    if binding not in doubles:
        pytest.skip(f"{binding} is not here (pycuda: make pycuda-double)")
    run(case, {**doubles[binding], "XDG_CACHE_HOME": str(tmp_path)})
