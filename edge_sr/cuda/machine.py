"""What this machine is to TensorRT: GPU, driver, Jetson release, and which TensorRT it takes."""

from __future__ import annotations

import re
from pathlib import Path

from edge_sr.cuda import driver
from edge_sr.extras import install_command
from edge_sr.model.engine_facts import Machine

RELEASE = Path("/etc/nv_tegra_release")
# that TensorRT-RTX 1.7 has kernels for: for advice where it is not installed. 8.7 is Orin, 9.0
# H100 and H200, 10.0 and 10.3 Blackwell of a data centre
OF_RTX = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")


def l4t_release(path: Path = RELEASE) -> str:
    """Jetson's board support package: "36.4.3"; "" on other machines."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return ""
    found = re.search(r"R(\d+).*?REVISION:\s*([\d.]+)", text)
    return f"{found[1]}.{found[2]}" if found else ""


def this_machine(flavour: str, version: str) -> Machine:
    """This machine with a TensorRT of this flavour and version."""
    gpu, _ = driver.find_gpu()
    return Machine(
        flavour=flavour,
        version=version,
        gpu=gpu.name if gpu else "",
        compute_capability=gpu.compute_capability if gpu else "",
        cuda=gpu.cuda if gpu else "",
        l4t=l4t_release(),
    )


def suitable_flavour() -> str:
    """The TensorRT with kernels for this machine's GPU: "tensorrt" or "tensorrt-rtx".

    JetPack's own on a Jetson; elsewhere TensorRT-RTX, which is on PyPI, where it knows the GPU.
    """
    gpu, _ = driver.find_gpu()
    known = gpu is None or gpu.compute_capability in OF_RTX
    return "tensorrt-rtx" if known and not l4t_release() else "tensorrt"


def install_tensorrt(flavour: str = "") -> str:
    """The command that installs a TensorRT on this machine, for its GPU and driver.

    Args:
        flavour: "tensorrt" or "tensorrt-rtx"; "" for the one that suits.
    """
    if l4t_release():
        package = "sudo apt-get install -y python3-libnvinfer"
        return f"{package}  # and a venv made with --system-site-packages"
    if (flavour or suitable_flavour()) == "tensorrt-rtx":
        return install_command("rtx")
    gpu, _ = driver.find_gpu()
    later = gpu is not None and int(gpu.cuda.partition(".")[0]) >= 13
    return install_command("tensorrt-cu13" if later else "tensorrt")
