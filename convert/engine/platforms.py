"""JetPack <-> TensorRT <-> CUDA <-> Python, and what a Jetson says of itself.

Sources, read in November 2026: docs.nvidia.com/jetson/archives (release notes of each JetPack),
docs.pytorch.org/TensorRT (JetPack page), github.com/rbonghi/jetson_stats (L4T table). None of it
was tried on a Jetson here.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from edge_sr.cuda.machine import install_tensorrt, l4t_release
from edge_sr.errors import BackendError


@dataclass(frozen=True)
class JetPack:
    """One release, and what it brings."""

    name: str
    l4t: str  # the first numbers of its board support packages
    cuda: str
    tensorrt: str  # the first numbers of its version
    python: str  # that TensorRT's bindings are for
    boards: str
    later: str = ""  # an own TensorRT from this version on fits it too

    def takes(self, version: str) -> bool:
        """Whether a version of TensorRT is the one that it brings, or another that is for it."""
        own = f"{version}.".startswith(f"{self.tensorrt}.")
        return own or bool(self.later and numbers(version) >= numbers(self.later))


JETPACKS = (
    JetPack("5.1", "35", "11.4", "8.5", "3.8", "Xavier, Orin"),
    JetPack("6.0", "36.2", "12.2", "8.6", "3.10", "Orin"),
    JetPack("6.0", "36.3", "12.2", "8.6", "3.10", "Orin"),
    JetPack("6.1", "36.4.0", "12.6", "10.3", "3.10", "Orin"),
    JetPack("6.2", "36.4", "12.6", "10.3", "3.10", "Orin"),
    JetPack("6.2.2", "36.5", "12.6", "10.3", "3.10", "Orin"),
    JetPack("7.0", "38.2", "13.0", "10.13", "3.12", "Thor"),
    JetPack("7.1", "38.4", "13.0", "10.13", "3.12", "Thor"),
    # TensorRT 11.4.1 is for JetPack 7.2.2 and later (its release notes)
    JetPack("7.2", "39", "13.2", "10.16", "3.12", "Orin, Thor", later="11.4.1"),
)
OLDEST = (10, 0)  # TensorRT with strongly typed networks


def jetpack_of(l4t: str) -> JetPack | None:
    """The release that a board support package belongs to: "36.4.3" -> JetPack 6.2."""
    return next(
        (item for item in JETPACKS if f"{l4t}.".startswith(f"{item.l4t.rstrip('.')}.")), None
    )


def check_version(flavour: str, version: str, *, l4t: str | None = None) -> None:
    """Refuse a TensorRT without strongly typed networks.

    Raises:
        BackendError: TensorRT below 10.
    """
    if flavour != "tensorrt" or numbers(version)[:2] >= OLDEST:
        return
    found = jetpack_of(l4t_release() if l4t is None else l4t)
    way = (
        f"this is JetPack {found.name}: update to JetPack 6.1 or later, or stay on ONNX Runtime "
        "with edge-sr run --backend onnxruntime"
        if found
        else f"update to TensorRT 10 or later: {install_tensorrt('tensorrt')}"
    )
    raise BackendError(
        f"TensorRT is {version}; expected 10.0 or later, the first with strongly typed networks; "
        f"{way}"
    )


def numbers(version: str) -> tuple[int, ...]:
    """ "10.3.0.26" -> (10, 3, 0, 26); what follows the numbers is cut off."""
    parts = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        parts.append(int(digits))
    return tuple(parts)


def about_jetson(
    flavour: str, version: str, module_file: str | None, *, l4t: str | None = None
) -> list[str]:
    """Lines for the owner of a Jetson: its JetPack, TensorRT's fit, power mode and clocks.

    Empty on other machines.
    """
    l4t = l4t_release() if l4t is None else l4t
    if not l4t:
        return []
    found = jetpack_of(l4t)
    name = f"JetPack {found.name}" if found else "an unknown JetPack"
    lines = [f"Jetson with {name} (L4T {l4t}), TensorRT {version}"]
    if found and flavour == "tensorrt" and not found.takes(version):
        lines.append(
            f"warning: JetPack {found.name} brings TensorRT {found.tensorrt}, but {version} is "
            f"imported, from {module_file}: one from PyPI hides JetPack's and may not support this "
            "board; pip uninstall tensorrt, and use a venv made with --system-site-packages"
        )
    lines.append(_power())
    return lines


def _power() -> str:
    try:
        done = subprocess.run(
            ["nvpmodel", "-q"],  # noqa: S607 - JetPack's own
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
        mode = next(
            line.partition(":")[2].strip()
            for line in done.stdout.splitlines()
            if line.startswith("NV Power Mode")
        )
    except (OSError, subprocess.TimeoutExpired, StopIteration):
        mode = "unknown (nvpmodel -q does not say)"
    return (
        f"power mode {mode}; it and the clocks decide the timings that the builder chooses by: "
        "for the fastest engine set the mode you will run in, then sudo jetson_clocks"
    )
