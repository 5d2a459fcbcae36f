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

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.models.params import count
from bench.toml_file import read_toml
from edge_sr.children import has_module, how_it_ended, last_line, run_module
from edge_sr.errors import MissingDependencyError, ModelFileError, UsageError
from edge_sr.files import parse_ratio
from edge_sr.model.sidecar import COLORS, LARGEST_SCALE, Sidecar, load_sidecar, sha256_of

if TYPE_CHECKING:
    import onnx

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

    @property
    def import_options(self) -> list[str]:
        """The description as options of ``convert.import_onnx`` and ``convert.precision``."""
        options = ["--layout", self.layout, "--channels", self.color, "--scale", self.scale]
        return [*options, "--range", f"0..{self.peak:g}"]


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
    """Write the network with uint8 frame input and output into ``folder``; return its sidecar.

    ``python -m convert.import_onnx`` does it, in a child process. The sidecar's ``sha256`` is that
    of the original file, so that rows of one network stay together.

    Raises:
        ModelFileError: the file is missing, or it is no network as it is described.
        MissingDependencyError: the converter is not installed.
    """
    if not has_module("convert"):
        raise MissingDependencyError(
            "rivals need the converter: pip install 'edge-sr[bench,convert]'"
        )
    path = folder / f"{rival.name}.onnx"
    options = [*rival.import_options, "--force", "--output", str(path)]
    done = run_module("convert.import_onnx", [str(rival.file), *options])
    if done.returncode:
        reason = last_line(done.stderr).removeprefix("import: ")
        raise ModelFileError(f"{rival.name}: {reason or how_it_ended(done)}")
    card = load_sidecar(path)
    _transpose_bytes(path)
    counts = count(path, 1280, 720)
    sidecar = replace(
        card,
        name=rival.name,
        architecture="rival",
        parameters=counts.parameters,
        macs_720p=counts.macs,
        sha256=sha256_of(rival.file),
        made_from=rival.file.name,
        made_from_sha256=sha256_of(rival.file),
    )
    return path, sidecar


def _transpose_bytes(path: Path) -> None:
    """Let an imported file reorder the axes of its frames as bytes, not as floats.

    The importer converts to float first, because TensorRT cannot transpose uint8. Rivals run in
    ONNX Runtime, where 8-bit transposes are faster: their times are the best they can have (ETDS-T
    at 1280x720: 5 % less).
    """
    import onnx

    model = onnx.load(path, load_external_data=False)
    makers = {name: node for node in model.graph.node for name in node.output}
    readers = {name: node for node in model.graph.node for name in node.input}
    first, last = readers[model.graph.input[0].name], makers[model.graph.output[0].name]
    second, almost = readers[first.output[0]], makers[last.input[0]]
    if (first.op_type, second.op_type) == ("Cast", "Transpose"):
        _swap(first, second)
    if (almost.op_type, last.op_type) == ("Transpose", "Cast"):
        _swap(almost, last)
    path.write_bytes(model.SerializeToString())


def _swap(one: onnx.NodeProto, other: onnx.NodeProto) -> None:
    """Exchange what two nodes in a row do; their tensors stay."""
    kind, attributes = one.op_type, list(one.attribute)
    one.op_type = other.op_type
    del one.attribute[:]
    one.attribute.extend(other.attribute)
    other.op_type = kind
    del other.attribute[:]
    other.attribute.extend(attributes)


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
