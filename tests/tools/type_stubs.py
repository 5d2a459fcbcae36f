"""Fetch the type stubs of TensorRT 10 for mypy: ``python tests/tools/type_stubs.py FOLDER``.

The published stubs ask for TensorRT itself, so they are taken without what they depend on, and put
beside the environment: in it, they would look like an installed TensorRT. Five signatures that no
Python can read are mended: parameters called ``in``, and one without a default after some with.
A constant called ``bool`` hides the type of every result that we check, so it is named in full.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

WHEEL = "tensorrt-stubs==10.13.0.35.1"


def main() -> None:
    folder = Path(sys.argv[1])
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade"]
    subprocess.run([*command, "--target", str(folder), WHEEL], check=True)
    for path in folder.rglob("*.pyi"):
        text = path.read_text()
        text = re.sub(r"\bin: (?=list\[)", "in_: ", text)
        text = text.replace("= None, channel_axis: int)", "= None, channel_axis: int = ...)")
        text = text.replace("-> bool:", "-> builtins.bool:").replace(
            "import typing", "import builtins, typing", 1
        )
        path.write_text(text)


if __name__ == "__main__":
    main()
