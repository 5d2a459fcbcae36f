"""Opening a ``.keras`` file without running any code from it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from edge_sr.errors import ModelFileError
from edge_sr.files import parse_json
from training import models  # noqa: F401 - registers our own layers

# below: CVE-2025-8747, -9905 and -9906 run code in spite of safe_mode, and CVE-2026-0897 takes
# all memory. 3.12 is the last for Python 3.10 and still has CVE-2026-1462 (TFSMLayer), fixed in
# 3.13.2: such layers are refused here, whatever Keras would do.
OLDEST_KERAS = (3, 12, 1)
RUN_CODE = {"Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"}
LARGEST = 4 << 30  # bytes that the archive may unpack to


def open_model(path: Path) -> keras.Model:
    """Open a network, weights and all, without its training state.

    Raises:
        ModelFileError: not a ``.keras`` file, or it needs code that is not ours or Keras's own
            (Lambda layers, unregistered classes, pickles), or Keras is older than 3.12.1.
    """
    version = tuple(int(part) for part in keras.__version__.split(".")[:3] if part.isdecimal())
    if version < OLDEST_KERAS:
        raise ModelFileError(
            f"keras is {keras.__version__}; 3.12.1 or later is needed to open model files safely: "
            "pip install --upgrade keras"
        )
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file; expected a .keras file")
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise ModelFileError(
            f"{path}: not a .keras file (.h5, SavedModel and pickles are refused: they can run "
            "code); save it with model.save('name.keras') in Keras 3"
        )
    try:
        _check_archive(path)
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras, h5py and zipfile raise what they like
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelFileError(
            f"{path}: Keras refuses to open it safely ({reason}); Lambda layers and custom "
            "classes cannot be exported: use registered layers"
        ) from error


def _check_archive(path: Path) -> None:
    """Raise ValueError before Keras sees an archive that is too large or names such a layer."""
    with zipfile.ZipFile(path) as archive:
        total = sum(item.file_size for item in archive.infolist())
        if total > LARGEST:
            raise ValueError(f"it unpacks to {total >> 20} MiB; expected at most {LARGEST >> 20}")
        found = set(_class_names(parse_json(archive.read("config.json")))) & RUN_CODE
    if found:
        raise ValueError(f"it holds {', '.join(sorted(found))}, which can run code")


def _class_names(config: Any) -> Iterator[str]:
    """Every class that the configuration names, at any depth."""
    waiting = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if isinstance(item.get("class_name"), str):
                yield item["class_name"].rpartition(">")[2]
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
