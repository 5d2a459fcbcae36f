"""Opening a Keras file: without running any code from it, unless the user says so."""

from __future__ import annotations

import math
import runpy
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.utils import python_utils

from edge_sr.errors import ModelFileError
from edge_sr.files import parse_json
from training import models  # noqa: F401 - registers our own layers

# below: CVE-2025-8747, -9905 and -9906 run code in spite of safe_mode, and CVE-2026-0897 takes
# all memory. 3.12 is the last for Python 3.10 and still has CVE-2026-1462 (TFSMLayer), fixed in
# 3.13.2: such layers are refused here, whatever Keras would do.
OLDEST_KERAS = (3, 12, 1)
TO_RUN = ": give edge-sr export the file that defines it with --custom-objects FILE.py; it is run"
RUN_CODE = {"Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"}
FUNC_LOAD = python_utils.func_load
LARGEST = 4 << 30  # bytes that the archive may unpack to


def open_model(
    path: Path, *, custom_objects: Path | None = None, trust: bool = False
) -> keras.Model:
    """Open a network, weights and all, without its training state.

    Args:
        custom_objects: a Python file of the user's, which is run: its classes and functions are
            the model's own layers.
        trust: open files that can run code as well: Lambda layers, and ``.h5``.

    Raises:
        ModelFileError: not a ``.keras`` file, or it needs code that is not ours or Keras's own
            (Lambda layers, unregistered classes, pickles), or Keras is older than 3.12.1; or the
            user's file fails.
    """
    version = tuple(int(part) for part in keras.__version__.split(".")[:3] if part.isdecimal())
    if version < OLDEST_KERAS:
        raise ModelFileError(
            f"keras is {keras.__version__}; 3.12.1 or later is needed to open model files safely: "
            "pip install --upgrade keras"
        )
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file; expected a .keras file")
    old = path.suffix in (".h5", ".hdf5")
    if old and not trust:
        raise ModelFileError(
            f"{path}: .h5 files can run code when they are opened: if you trust where it comes "
            "from, give edge-sr export --trust; or save it with model.save('name.keras') in Keras 3"
        )
    if not old and (path.suffix != ".keras" or not zipfile.is_zipfile(path)):
        raise ModelFileError(
            f"{path}: not a .keras file; save it with model.save('name.keras') in Keras 3"
        )
    found = {} if custom_objects is None else run_file(custom_objects)
    try:
        if not old:
            _check_archive(path, found, trust=trust)
        if trust:
            _name_for_lambdas(found)
        return keras.saving.load_model(
            path, custom_objects=found, compile=False, safe_mode=not trust
        )
    except Exception as error:  # Keras, h5py and zipfile raise what they like
        raise ModelFileError(f"{path}: {_refusal(_reason(error), trust=trust)}") from error


def _name_for_lambdas(found: dict[str, Any]) -> None:
    """Let functions that a trusted file holds see the packages that such functions use.

    Keras stores the code of a Lambda layer, not the names around it, and runs it among the names
    of its own module.
    """
    known = {"keras": keras, "layers": keras.layers, "ops": keras.ops, "K": keras.backend}
    known |= {"np": np, "numpy": np, "tf": tf, "tensorflow": tf, "math": math}
    for name, value in {**known, **found}.items():
        vars(python_utils).setdefault(name, value)
    python_utils.func_load = _func_load


def _func_load(code: Any, defaults: Any = None, closure: Any = None, globs: Any = None) -> Any:
    """Keras's, with the default arguments that JSON made a list of."""
    return FUNC_LOAD(code, tuple(defaults) if defaults else None, closure, globs)


def _reason(error: BaseException) -> str:
    """The first line of the error that Keras wrapped into others."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def run_file(path: Path) -> dict[str, Any]:
    """Run a Python file of the user's; its public classes and functions, by name.

    Raises:
        ModelFileError: it is missing, or fails.
    """
    if path.suffix != ".py" or not path.is_file():
        raise ModelFileError(f"{path}: no such file; expected a .py file with the model's layers")
    try:
        found = runpy.run_path(str(path), run_name="custom_objects")
    except (Exception, SystemExit) as error:  # it is the user's code
        raise ModelFileError(f"{path}: fails when it is run ({error!r:.200})") from error
    return {
        name: value for name, value in found.items() if callable(value) and not name.startswith("_")
    }


def _refusal(reason: str, *, trust: bool) -> str:
    """What Keras says, and the option that helps."""
    if trust or "can run code" not in reason:
        what = "cannot open it" if trust else "refuses to open it safely"
        return reason if reason.endswith(TO_RUN) else f"Keras {what} ({reason})"
    return (
        f"{reason}: if you trust where it comes from, give edge-sr export --trust; better, replace "
        "that layer by a registered one"
    )


def _check_archive(path: Path, own: Collection[str], *, trust: bool) -> None:
    """Raise ValueError before Keras sees an archive that is too large or names unknown layers.

    Args:
        own: names of the user's classes.
        trust: layers that can run code are allowed.
    """
    with zipfile.ZipFile(path) as archive:
        total = sum(item.file_size for item in archive.infolist())
        if total > LARGEST:
            raise ValueError(f"it unpacks to {total >> 20} MiB; expected at most {LARGEST >> 20}")
        config = parse_json(archive.read("config.json"))
    found = {name.rpartition(">")[2] for _, name in _class_names(config)} & RUN_CODE
    unknown = [
        name
        for module, name in _class_names(config)
        if module == ""
        and not keras.saving.get_registered_object(name)
        and name.rpartition(">")[2] not in own
    ]
    if unknown:
        raise ValueError(f"{unknown[0].rpartition('>')[2]} is no layer of Keras{TO_RUN}")
    if found and not trust:
        raise ValueError(f"it holds {', '.join(sorted(found))}, which can run code")


def _class_names(config: Any) -> Iterator[tuple[str, str]]:
    """(module, class) of all that the configuration names, at any depth.

    The module is "" for classes that are not Keras's own; then the name has its package, if any.
    """
    waiting = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            name = item.get("class_name")
            if isinstance(name, str):
                home = _home(item)
                yield home, name if home else str(item.get("registered_name") or name)
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _home(item: dict[str, Any]) -> str:
    module = item.get("module", "keras")
    if module is None:
        return "" if item.get("registered_name") else "keras"
    return str(module) if str(module).partition(".")[0] in ("keras", "builtins") else ""
