"""Whether every runtime dependency has a wheel for Linux aarch64, as a Jetson needs it.

``python tests/tools/check_aarch64.py`` asks the package index; it needs a network.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
EXTRAS = ("cpu", "jetson", "build")
# JetPack 6 and JetPack 7, and the glibc of their Ubuntu
DEVICES = (("3.10", "manylinux_2_35"), ("3.12", "manylinux_2_39"))
OLDER = ("manylinux_2_34", "manylinux_2_31", "manylinux_2_28", "manylinux_2_27", "manylinux_2_24")
OLDEST = ("manylinux_2_17", "manylinux2014")


def requirements(extras: tuple[str, ...]) -> list[str]:
    """The requirements of the project and of these extras, extras of our own resolved."""
    project = tomllib.loads(PROJECT.read_text())["project"]
    found: list[str] = list(project["dependencies"])
    waiting = list(extras)
    while waiting:
        for item in project["optional-dependencies"][waiting.pop()]:
            own = re.fullmatch(r"edge-sr\[([\w,]+)\]", item)
            if own:
                waiting += own[1].split(",")
            elif item not in found:
                found.append(item)
    return found


def resolves(wanted: list[str], python: str, platform: str) -> str:
    """The index's complaint, or nothing when all resolve to wheels."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet"]
        command += ["--only-binary", ":all:", "--target", folder, "--python-version", python]
        for name in (platform, *OLDER, *OLDEST):
            command += ["--platform", f"{name}_aarch64"]
        done = subprocess.run([*command, *wanted], capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return "" if done.returncode == 0 else "; ".join(lines) or done.stderr.strip()[-300:]


def main() -> int:
    """Returns 0 when all resolve."""
    failed = 0
    for extra in EXTRAS:
        wanted = requirements((extra,))
        for python, platform in DEVICES:
            complaint = resolves(wanted, python, platform)
            failed += bool(complaint)
            shown = complaint or f"{len(wanted)} requirements resolve to wheels"
            print(f"[{extra}] Python {python}, {platform}_aarch64: {shown}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
