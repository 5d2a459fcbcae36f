"""What this machine is to TensorRT: its GPU, its driver, its Jetson release. Needs no package."""

from __future__ import annotations

import re
from pathlib import Path

from edge_sr.cuda import driver
from edge_sr.model.engine_facts import Machine

RELEASE = Path("/etc/nv_tegra_release")


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
