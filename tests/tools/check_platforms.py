"""Whether the extras have wheels for the machines they are for, and which versions those are.

``python tests/tools/check_platforms.py`` asks the package index, through pip's dry run; it needs a
network and some minutes. Where all is well it writes the table of docs/platforms.md again, and its
rows for GPUs into the README.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PROJECT, PAGE = ROOT / "pyproject.toml", ROOT / "docs" / "platforms.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- make check-platforms -->", "<!-- end -->"
# JetPack 6, JetPack 7, and a desktop: the glibc of their Ubuntu
JETSONS = (("3.10", "manylinux_2_35_aarch64"), ("3.12", "manylinux_2_39_aarch64"))
DESKTOPS = tuple((f"3.{minor}", "manylinux_2_35_x86_64") for minor in range(10, 14))
WANTED = {
    "cpu": (*JETSONS, *DESKTOPS),
    "jetson": JETSONS,
    "jetson,check": JETSONS,
    "rtx": DESKTOPS,
    "tensorrt": DESKTOPS,
    "tensorrt-cu13": DESKTOPS,
}
# the rows that the README shows
IN_README = tuple(
    f"| `{extra}` | {python} | "
    for extra, python in (
        ("jetson", "3.10"),
        ("jetson", "3.12"),
        ("rtx", "3.12"),
        ("tensorrt", "3.12"),
        ("tensorrt-cu13", "3.12"),
    )
)
# the package of this name is a source package that only names others: what is asked for instead.
# The libraries of the full TensorRT come from NVIDIA's own index and are not asked for
BEHIND = {
    "tensorrt-rtx-cu12": ("tensorrt-rtx-cu12-bindings", "tensorrt-rtx-cu12-libs"),
    "tensorrt-cu12": ("tensorrt-cu12-bindings",),
    "tensorrt-cu13": ("tensorrt-cu13-bindings",),
}
GLIBC = ("2_35", "2_34", "2_31", "2_28", "2_27", "2_24", "2_17")
SHOWN = ("numpy", "onnxruntime", "av", "cuda-python", "tensorrt")
# the oldest Linux driver: of CUDA 12 by its minor version compatibility, and of CUDA 13
DRIVER = {"cu12": "525", "cu13": "580"}


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


def resolve(wanted: list[str], python: str, platform: str) -> tuple[dict[str, str], str]:
    """(package -> version) that pip would install, and pip's complaint, "" for none."""
    machine = "aarch64" if platform.endswith("aarch64") else "x86_64"
    tags = [platform, *(f"manylinux_{glibc}_{machine}" for glibc in GLIBC)]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--report", "-"]
        command += ["--ignore-installed", "--only-binary", ":all:", "--target", folder]
        command += ["--python-version", python]
        for tag in (*tags, f"manylinux2014_{machine}"):
            command += ["--platform", tag]
        done = subprocess.run([*command, *wanted], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        return {}, "; ".join(lines) or done.stderr.strip()[-300:]
    items = [item["metadata"] for item in json.loads(done.stdout)["install"]]
    return {item["name"].lower().replace("_", "-"): item["version"] for item in items}, ""


def asked(extra: str) -> list[str]:
    """What pip is given for an extra, or for several with commas between."""
    found = []
    for item in requirements(tuple(extra.split(","))):
        name = re.split(r"[<>=!;\[ ]", item)[0]
        found += [item.replace(name, other, 1) for other in BEHIND.get(name, (name,))]
    return found


def complaint_about(extra: str, found: dict[str, str]) -> str:
    """What is wrong with a set of versions; "" where it fits its machine."""
    if extra.startswith("jetson") and not found["numpy"].startswith("1."):
        return f"NumPy {found['numpy']} does not fit JetPack's OpenCV"
    binding = found.get("cuda-python", "12.")
    if not binding.startswith("12."):
        return f"cuda-python {binding} refuses drivers before 580"
    return ""


def row(extra: str, python: str, platform: str, found: dict[str, str]) -> str:
    """One line of the table."""
    shown = [found.get(name, "") for name in SHOWN[:-1]]
    shown.append(next((v for name, v in found.items() if re.match("tensorrt.*bindings", name)), ""))
    major = next((m for m in DRIVER if extra.endswith(m)), "cu12")
    driver = f"{DRIVER[major]} or later" if found.get("cuda-python") else ""
    driver = "L4T's" if extra.startswith("jetson") else driver
    machine = platform.partition("_2_")[2][3:]
    return f"| {' | '.join([f'`{extra}`', python, machine, *shown, driver])} |"


def write_table(rows: list[str], day: str) -> None:
    """Put the rows between the marks of the page, and some of them into the README."""
    head = f"| extra | Python | machine | {' | '.join(SHOWN)} | driver |"
    heads = [f"Resolved on {day}.", "", head, "|---|---|---|" + "---|" * (len(SHOWN) + 1)]
    some = [line for line in rows if line.startswith(IN_README)]
    for path, shown in ((PAGE, rows), (README, some)):
        before, _, rest = path.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        path.write_text("\n".join([before + BEGIN, *heads, *shown, END + after]))


def main() -> int:
    """Returns 0 when all resolve to wheels that fit, and the page is written."""
    rows, failed = [], []
    for extra, machines in WANTED.items():
        for python, platform in machines:
            found, complaint = resolve(asked(extra), python, platform)
            complaint = complaint or complaint_about(extra, found)
            rows.append(row(extra, python, platform, found))
            print(rows[-1] + (f" {complaint}" if complaint else ""), flush=True)
            failed += [f"{extra} for Python {python}: {complaint}"] if complaint else []
    if failed:
        print("\n".join(failed), file=sys.stderr)
        return 1
    write_table(rows, time.strftime("%d %B %Y", time.gmtime()).lstrip("0"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
