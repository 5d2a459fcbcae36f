"""The export in a process of its own: a Keras file that crashes or hangs takes nothing with it.

TensorFlow reads a file that somebody else may have made; the process that asked only gets an ONNX
file with its sidecar, or one line of what is wrong.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

from edge_sr.children import how_it_ended, last_line, run_module
from edge_sr.errors import MissingDependencyError, ModelFileError
from edge_sr.extras import install_command

LIMIT = 1800.0  # seconds


def export_in_child(
    source: Path,
    output: Path,
    *,
    size: tuple[int, int] | None,
    input_range: str,
    output_range: str,
    custom_objects: Path | None,
    trust: bool,
    force: bool,
) -> list[str]:
    """`export.export_here` in a child process. Returns its lines for the user.

    Raises:
        MissingDependencyError: TensorFlow is not installed here.
        ModelFileError: what the child says, or how it ended.
    """
    for package in ("keras", "tensorflow", "tf2onnx"):
        if importlib.util.find_spec(package) is None:
            raise MissingDependencyError(
                f"{source}: exporting a Keras file needs {package}: "
                f"{install_command('convert')}, or run python -m convert.export_onnx on another "
                "machine and bring the .onnx file with its .json"
            )
    options = {
        "size": size,
        "input_range": input_range,
        "output_range": output_range,
        "custom_objects": str(custom_objects) if custom_objects else None,
        "trust": trust,
        "force": force,
    }
    asked = [str(source), str(output), json.dumps(options)]
    try:
        done = run_module("convert.keras.export", asked, timeout_s=LIMIT)
    except subprocess.TimeoutExpired as error:
        raise ModelFileError(
            f"{source}: the export was stopped after {LIMIT / 60:.0f} minutes"
        ) from error
    lines = done.stdout.splitlines()
    notes = [line.removeprefix("note: ") for line in lines if line.startswith("note: ")]
    answer = last_line(done.stdout)
    if done.returncode == 1 and answer and not answer.startswith("note: "):
        raise ModelFileError(answer)
    if done.returncode:
        sys.stderr.write(done.stderr)  # TensorFlow's, shown if it matters
        raise ModelFileError(f"{source}: cannot be exported: {how_it_ended(done)}")
    return notes
