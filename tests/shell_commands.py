"""Commands that a document shows, and running them as a shell does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
LEFT_OUT = re.compile(r"\s# needs (.+)$")
LESS = {  # the same command with less to do: tests look at what comes out, not at how good it is
    "python -m bench run ": "--size 64x36 --runs 2 --seconds 0.2 --images Set5/",
    "python -m training.train ": "--steps 2",
    "python -m training.qat ": "--steps 2",
    "python -m calibration.sensitivity --model x2.onnx ": "--frames frames/",
}


@dataclass(frozen=True)
class Command:
    """One line of a document; ``needs`` is what its comment says it cannot do without."""

    line: str
    needs: str = ""


def commands(text: str) -> list[Command]:
    """What the ``console`` blocks of a document show behind ``$``, in order."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                needs = LEFT_OUT.search(line)
                found.append(Command(line[2:], needs[1] if needs else ""))
    return found


def less(line: str) -> str:
    """The line, with options of LESS behind it."""
    more = [options for start, options in LESS.items() if line.startswith(start)]
    return " ".join([line, *more])


def run(line: str, folder: Path) -> str:
    """Run a line in bash, edge-sr and python being this environment's; returns what it printed.

    Home and cache are inside the folder.
    """
    python = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{python}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder / "home"),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, f"$ {line}\nexit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr
