"""Engines that were built before: found by all that decides whether they still fit.

``$XDG_CACHE_HOME/edge-sr/engines`` (``~/.cache/edge-sr/engines``) holds ``NAME-KEY.engine`` with
its sidecar. An engine is native code: nothing is opened whose sidecar or hash does not fit.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import filelock
import platformdirs

from edge_sr import __version__
from edge_sr.errors import ModelFileError
from edge_sr.model.engine_facts import EngineFacts, Machine, facts_of
from edge_sr.model.sidecar import Sidecar, load_sidecar

REVISION = 2  # of how engines are built: a later one builds cached engines again
LOCK_TIMEOUT_S = 1800.0  # that a second builder waits for the first


def cache_dir() -> Path:
    """edge-sr's cache; not made here."""
    return platformdirs.user_cache_path("edge-sr", appauthor=False)


@dataclass(frozen=True, kw_only=True)
class EngineKey:
    """All that makes one engine differ from another."""

    onnx_sha256: str  # of the file before its size is fixed, hex
    size: str  # "1280x720", or "min,opt,max" of an engine that takes several
    target: str  # "2560x1440" where the result is resized to it; "" for the model's own scale
    flavour: str
    version: str  # TensorRT's, in full
    gpu: str  # "" where the engine is portable
    compute_capability: str  # of the GPU, or all that it was asked to be built for
    cuda_major: str  # of the driver; "" without one
    options: Mapping[str, Any]  # of the builder, where they are not the defaults
    revision: int = REVISION

    @property
    def digest(self) -> str:
        """16 hex digits."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def key_of(
    *,
    onnx_sha256: str,
    size: str,
    machine: Machine,
    target: str = "",
    options: Mapping[str, Any] | None = None,
) -> EngineKey:
    """The key of an engine that ``machine`` builds from this file.

    Args:
        options: of the builder, those that differ from its defaults.
    """
    options = options or {}
    rtx = machine.flavour == "tensorrt-rtx"
    bound = not rtx and options.get("hardware", "none") == "none"
    aimed = ",".join(options.get("compute_capabilities", ())) or "all that it knows"
    return EngineKey(
        onnx_sha256=onnx_sha256,
        size=size,
        target=target,
        flavour=machine.flavour,
        version=machine.version,
        gpu=machine.gpu if bound else "",
        compute_capability=aimed if rtx else machine.compute_capability,
        cuda_major="" if rtx else machine.cuda.partition(".")[0],
        options=options,
    )


def bits_key(bits: int) -> dict[str, Any]:
    """What the key of an engine has besides, for samples of more than 8 bits."""
    return {} if bits == 8 else {"bits": bits}


def batch_key(batch: int) -> dict[str, Any]:
    """What the key of an engine has besides that takes several frames at once, at most so many."""
    return {} if batch == 1 else {"batch": batch}


def converted_path(
    name: str, source_sha256: str, *, precision: str, calibration_sha256: str = ""
) -> Path:
    """Where the ``precision`` form of a float32 ONNX file is, or will be, kept.

    Args:
        name: of the float32 model.
        calibration_sha256: of the frames that int8 was calibrated on; "" for the shipped
            calibration of a shipped model.
    """
    facts = [__version__, source_sha256, precision, calibration_sha256]
    folder = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    return cache_dir() / "onnx" / folder / f"{name}.{precision}.onnx"


def engine_path(name: str, key: EngineKey, *, folder: Path | None = None) -> Path:
    """Where the engine of a model called ``name`` is, or will be."""
    return (folder or cache_dir() / "engines") / f"{name}-{key.digest}.engine"


def find_engine(
    name: str,
    key: EngineKey,
    *,
    folder: Path | None = None,
    notify: Callable[[str], None] | None = None,
) -> tuple[Path, Sidecar, EngineFacts] | None:
    """The cached engine of this key, whole and unchanged; None if it must be built.

    Args:
        notify: gets one line where a cached engine is there but must not be used.
    """
    return read_engine(engine_path(name, key, folder=folder), key, notify=notify)


def read_engine(
    path: Path, key: EngineKey, *, notify: Callable[[str], None] | None = None
) -> tuple[Path, Sidecar, EngineFacts] | None:
    """As `find_engine`, for the engine of this key that is, or will be, at ``path``."""
    if not path.exists() and not path.with_name(path.name + ".json").exists():
        return None
    try:
        sidecar = load_sidecar(path)
        facts = facts_of(sidecar)
        if facts.cache_key != key.digest:
            raise ModelFileError(f"{path}: its sidecar is of another engine")
    except ModelFileError as error:
        if notify:
            notify(f"the cached engine is not used and will be built again: {error}")
        return None
    return path, sidecar, facts


@contextlib.contextmanager
def locked(
    path: Path,
    *,
    timeout_s: float = LOCK_TIMEOUT_S,
    notify: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Hold ``path``.lock: one process at a time makes ``path``.

    The lock is released when its process is gone, killed or not. ``notify`` gets one line
    if another holds it.

    Raises:
        ModelFileError: it cannot be made, or is still held after ``timeout_s``.
    """
    lock = filelock.FileLock(path.with_name(path.name + ".lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            if notify:
                notify(f"another process is building {path.name}; waiting for it")
            lock.acquire(timeout=timeout_s)
    except filelock.Timeout as error:
        raise ModelFileError(
            f"{lock.lock_file}: another process still holds it after {timeout_s:g} s; "
            "end that build, or wait for it"
        ) from error
    except OSError as error:
        raise ModelFileError(
            f"{path.parent}: cannot be written ({error.strerror}); set XDG_CACHE_HOME to a folder "
            "that can"
        ) from error
    try:
        yield
    finally:
        lock.release()
