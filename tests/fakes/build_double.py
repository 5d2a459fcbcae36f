"""Compile the doubles: the CUDA driver, with stubs for what pycuda links, and a camera."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).parent / "cuda_double.c"
SITE = Path(__file__).parent / "site"  # the fake TensorRT modules, for PYTHONPATH
REFUSAL = """
__attribute__((visibility("default"))) int {name}(void) {{
  double_violate("called, but the double has no such thing", "{name}");
  return 801;
}}
"""


def compiler() -> str | None:
    """The C compiler, if there is one."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def build_double(folder: Path, *, linked_by: Path | None = None) -> Path:
    """Compile ``libcuda.so.1`` into ``folder``, which is then fit for LD_LIBRARY_PATH.

    Args:
        linked_by: an extension module, as pycuda's, whose every driver symbol has to be there.
    """
    library = folder / "libcuda.so.1"
    _compile(library, [SOURCE])
    if linked_by is not None:
        wanted = _symbols(linked_by, "--undefined-only") - _symbols(library, "--defined-only")
        stubs = folder / "refusals.c"
        text = "void double_violate(const char *, const char *);"
        stubs.write_text(text + "".join(REFUSAL.format(name=name) for name in sorted(wanted)))
        _compile(library, [SOURCE, stubs])
    return library


def build_camera(folder: Path) -> Path:
    """Compile the camera double into ``folder``; it is for LD_PRELOAD."""
    library = folder / "v4l2_double.so"
    _compile(library, [Path(__file__).parent / "v4l2_double.c"])
    return library


def _symbols(library: Path, which: str) -> set[str]:
    listing = subprocess.run(
        ["nm", "-D", which, str(library)], capture_output=True, text=True, check=True
    ).stdout
    names = (line.split()[-1].partition("@")[0] for line in listing.splitlines())
    return {name for name in names if name.startswith("cu") and not name.startswith("curand")}


def _compile(library: Path, sources: list[Path]) -> None:
    command = [compiler() or "cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC"]
    command += ["-shared", "-fvisibility=hidden", f"-Wl,-soname,{library.name}", "-pthread"]
    subprocess.run([*command, "-o", str(library), *map(str, sources), "-ldl"], check=True)
