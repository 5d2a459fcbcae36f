"""The export in a process of its own: a Keras file that crashes or hangs takes nothing with it.

TensorFlow reads a file that somebody else may have made; the process that asked only gets an ONNX
file with its sidecar, or one line of what is wrong.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from edge_sr.errors import MissingDependencyError, ModelFileError

# the parent's own search path: a folder the user stands in must not be imported from
START = (
    "import os, sys; sys.path[:] = sys.argv[1].split(os.pathsep); "
    "from convert.keras.export import main; sys.exit(main(sys.argv[2:]))"
)
LIMIT = 1800.0  # seconds


def export_in_child(
    source: Path,
    output: Path,
    *,
    size: tuple[int, int] | None,
    value_range: str,
    force: bool,
) -> None:
    """`export.export_here` in a child process.

    Raises:
        MissingDependencyError: TensorFlow is not installed here.
        ModelFileError: what the child says, or how it ended.
    """
    for package in ("keras", "tensorflow", "tf2onnx"):
        if importlib.util.find_spec(package) is None:
            raise MissingDependencyError(
                f"{source}: exporting a Keras file needs {package}: pip install "
                "'edge-sr[convert]', or run python -m convert.export_onnx on another machine and "
                "bring the .onnx file with its .json"
            )
    asked = [str(source), str(output), json.dumps([size, value_range, force])]
    paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    command = [sys.executable, "-c", START, paths, *asked]
    try:
        done = subprocess.run(command, capture_output=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired as error:
        raise ModelFileError(
            f"{source}: the export was stopped after {LIMIT / 60:.0f} minutes"
        ) from error
    answer = done.stdout.decode(errors="replace").strip().splitlines()
    if done.returncode == 1 and answer:
        raise ModelFileError(answer[-1])
    if done.returncode:
        sys.stderr.write(done.stderr.decode(errors="replace"))  # TensorFlow's, shown if it matters
        how = signal.Signals(-done.returncode).name if done.returncode < 0 else done.returncode
        raise ModelFileError(
            f"{source}: the process that read it ended with {how}; is there enough memory, and "
            "is the file whole?"
        )
