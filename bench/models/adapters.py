"""Rival networks, described in a TOML file, with the same uint8 frame input and output as ours.

::

    folder = "../peers"              # of the files; relative to this file

    [defaults]                       # for every model below
    layout = "nchw"                  # or "nhwc"
    color = "rgb"                    # or "luma"
    range = 1.0                      # the network's value for white: 1.0 or 255
    scale = "2"                      # output side / input side

    [[model]]
    name = "ETDS-T"
    file = "ETDS-T_M5C16_x2.onnx"
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.models.params import count, load_graph
from bench.models.wrap import wrap_network
from bench.toml_file import read_toml
from edge_sr.errors import ModelFileError, UsageError
from edge_sr.files import parse_ratio
from edge_sr.model.sidecar import COLORS, LARGEST_SCALE, Sidecar, sha256_of

LAYOUTS = ("nchw", "nhwc")
DEFAULTS: dict[str, Any] = {"layout": "nchw", "color": "rgb", "range": 1.0, "scale": "2"}
FIELDS = {"name", "file", *DEFAULTS}


@dataclass(frozen=True, kw_only=True)
class Rival:
    """One description, checked."""

    name: str
    file: Path
    layout: str  # "nchw" or "nhwc"
    color: str  # "luma" or "rgb"
    peak: float  # the network's value for white
    scale: str  # output side / input side, a fraction


def read_rivals(path: Path) -> list[Rival]:
    """Read the descriptions of a TOML file.

    Raises:
        ModelFileError: unreadable, or an entry is not as the example in this file's docstring.
        MissingDependencyError: Python 3.10 without tomli.
    """
    text = read_toml(path)
    folder = path.parent / str(text.get("folder", "."))
    defaults = text.get("defaults", {})
    models = text.get("model", [])
    unknown = set(text) - {"folder", "defaults", "model"}
    if unknown or not isinstance(defaults, dict) or not isinstance(models, list) or not models:
        raise ModelFileError(
            f"{path}: expected folder, [defaults] and [[model]] entries"
            + (f"; found {', '.join(sorted(unknown))}" if unknown else "")
        )
    return [_rival(path, folder, DEFAULTS | defaults | entry) for entry in models]


def choose_rivals(path: Path, names: set[str]) -> list[Rival]:
    """Those of a file's rivals that are called ``names``.

    Raises:
        UsageError: the file lacks one.
        ModelFileError, MissingDependencyError: as `read_rivals`.
    """
    found = [rival for rival in read_rivals(path) if rival.name in names]
    if missing := names.difference(rival.name for rival in found):
        raise UsageError(f"{path}: has no {', '.join(sorted(missing))}")
    return found


def prepare(rival: Rival, folder: Path) -> tuple[Path, Sidecar]:
    """Write the network with frame input and output into ``folder``, and return its sidecar.

    Raises:
        ModelFileError: the file is missing, not ONNX, or not of one float input and output.
    """
    model = load_graph(rival.file)
    wrapped = wrap_network(
        model,
        name=rival.name,
        layout=rival.layout,
        channels=COLORS[rival.color],
        peak=rival.peak,
    )
    path = folder / f"{rival.name}.onnx"
    path.write_bytes(wrapped.SerializeToString())
    counts = count(path, 1280, 720)
    return path, Sidecar(
        name=rival.name,
        architecture="rival",
        scale=rival.scale,
        color=rival.color,
        width=None,
        height=None,
        output_width=None,
        output_height=None,
        precision="fp32",
        parameters=counts.parameters,
        macs_720p=counts.macs,
        sha256=sha256_of(rival.file),
        made_from=rival.file.name,
        made_from_sha256=sha256_of(rival.file),
    )


def _rival(path: Path, folder: Path, entry: dict[str, Any]) -> Rival:
    name = entry.get("name")
    where = f"{path}: model {name!r}"
    if set(entry) - FIELDS or not {"name", "file"} <= set(entry):
        raise ModelFileError(f"{where}: expected the keys {', '.join(sorted(FIELDS))}")
    checks = {
        "name": (isinstance(name, str) and name and "/" not in name, "a name without slashes"),
        "file": (isinstance(entry["file"], str), "a file name"),
        "layout": (entry["layout"] in LAYOUTS, " or ".join(LAYOUTS)),
        "color": (entry["color"] in COLORS, " or ".join(COLORS)),
        "range": (entry["range"] in (1, 255), "1.0 or 255, the value for white"),
        "scale": (_is_scale(entry["scale"]), 'a fraction of 1 to 16 in quotes, as "3/2"'),
    }
    for key, (good, expected) in checks.items():
        if not good:
            raise ModelFileError(f"{where}: {key} is {entry[key]!r}; expected {expected}")
    return Rival(
        name=str(name),
        file=folder / entry["file"],
        layout=entry["layout"],
        color=entry["color"],
        peak=float(entry["range"]),
        scale=entry["scale"],
    )


def _is_scale(value: object) -> bool:
    try:
        return isinstance(value, str) and 1 <= parse_ratio(value) <= LARGEST_SCALE
    except ValueError:
        return False
