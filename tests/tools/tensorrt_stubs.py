"""Make TensorRT's type stubs readable: ``build/stubs/tensorrt*`` for mypy.

`tensorrt-stubs` 10.13 holds five lines that are not Python, and no py.typed; its own requirements
(TensorRT itself) is not on PyPI alone, so it is fetched without them.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGE, VERSION = "tensorrt-stubs", "10.13.0.35.1"
CORRECTED = {
    " in: list[": " in_: list[",  # a keyword as a parameter's name
    "-> bool:": "-> builtins.bool:",  # a constant of the module is called bool
    "import numpy\nimport typing\n": "import builtins\nimport numpy\nimport typing\n",
    "power: Weights = None, channel_axis: int)": "power: Weights = None, channel_axis: int = 0)",
}


def main(folder: Path = Path("build/stubs")) -> None:
    """Write the corrected copies into ``folder``; fetch the package where it is missing."""
    source = folder.with_name("tensorrt-stubs")
    if not (source / "tensorrt").is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
        subprocess.run([*command, str(source), f"{PACKAGE}=={VERSION}"], check=True)
    for package in ("tensorrt", "tensorrt_bindings"):
        target = folder / package
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for path in (source / package).glob("*.pyi"):
            text = path.read_text()
            for wrong, right in CORRECTED.items():
                text = text.replace(wrong, right)
            (target / path.name).write_text(text)
    found = importlib.metadata.distributions(path=[str(source)])
    print(f"{folder}: {', '.join(f'{item.name} {item.version}' for item in found)}")


if __name__ == "__main__":
    main()
