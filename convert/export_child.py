"""Exporting a Keras file in a process of its own: TensorFlow's memory and words end with it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from edge_sr.errors import MissingDependencyError, ModelFileError


def export_in_child(source: Path, output: Path, value_range: str) -> None:
    """Write the ONNX form of a Keras file with its sidecar, as `export_onnx.export` does.

    Raises:
        MissingDependencyError: TensorFlow is not installed here.
        ModelFileError: the export fails, in its own words.
    """
    for package in ("keras", "tensorflow", "tf2onnx"):
        if importlib.util.find_spec(package) is None:
            raise MissingDependencyError(
                f"{source}: exporting a Keras file needs {package}: pip install "
                "'edge-sr[convert]', or run python -m convert.export_onnx on another machine and "
                "bring the .onnx file with its .json"
            )
    command = [sys.executable, "-m", "convert.export_onnx", "--model", str(source)]
    command += ["--output", str(output), "--range", value_range, "--force"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        ours = [line for line in said if line.startswith("export: ")]
        reason = (ours or said or [f"it ended with code {done.returncode}"])[-1]
        raise ModelFileError(reason.removeprefix("export: "))
