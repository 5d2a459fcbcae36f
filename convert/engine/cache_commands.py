"""Looking into the cache of engines, and clearing it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from convert.engine import trt
from edge_sr.cuda import driver
from edge_sr.cuda.machine import this_machine
from edge_sr.errors import MissingDependencyError, ModelFileError
from edge_sr.model.engine_cache import cache_dir, locked
from edge_sr.model.engine_facts import FLAVOURS, EngineFacts, facts_of
from edge_sr.model.sidecar import Sidecar, load_sidecar, sidecar_path


def list_cache() -> str:
    """A table of all engines, damaged ones too."""
    folder = cache_dir() / "engines"
    rows = [
        f"{path.name}\n    {_about(card, facts) if card and facts else why}, {_mib(path)}"
        for path, card, facts, why in _engines(folder)
    ]
    kept = sum(path.stat().st_size for path in cache_dir().rglob("*") if path.is_file())
    return "\n".join(
        [*rows, f"{folder}: {len(rows)} engines; the cache has {kept / 2**20:.1f} MiB"]
    )


def prune(*, everything: bool) -> str:
    """Remove engines that this machine cannot open, and leftovers of killed builds; or all.

    What another process is building is left alone.
    """
    home, folder = cache_dir(), cache_dir() / "engines"
    before = _bytes(home)
    lines = []
    for path, _, facts, why in _engines(folder):
        why = "all were to go" if everything else why or _stale(facts) or _alone(path)
        if why:
            lines.append(f"removed {path.name}: {why}" if _remove(path) else _busy(path))
    for left in folder.glob(".*.part"):
        path = folder / f"{left.name[1:].rsplit('.', 2)[0]}.engine"
        with contextlib.suppress(ModelFileError), locked(path, timeout_s=0):
            shutil.rmtree(left)
    for left in folder.glob("*.refused"):
        left.unlink(missing_ok=True)
    if everything:
        for name in ("onnx", "frames", "timing"):
            shutil.rmtree(home / name, ignore_errors=True)
    after = _bytes(home)
    lines.append(f"{home}: {(before - after) / 2**20:.1f} MiB freed, {after / 2**20:.1f} MiB kept")
    return "\n".join(lines)


def _remove(path: Path) -> bool:
    """Whether an engine could be removed; it cannot while it is being built."""
    try:
        with locked(path, timeout_s=0):
            path.unlink(missing_ok=True)
            sidecar_path(path).unlink(missing_ok=True)
    except ModelFileError:
        return False
    return True


def _busy(path: Path) -> str:
    return f"left {path.name}: it is being built"


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _engines(
    folder: Path,
) -> Iterator[tuple[Path, Sidecar | None, EngineFacts | None, str]]:
    for path in sorted(folder.glob("*.engine")):
        try:
            card = load_sidecar(path)
            yield path, card, facts_of(card), ""
        except ModelFileError as error:
            yield path, None, None, f"damaged: {error}"


def _stale(facts: EngineFacts | None) -> str:
    """Why this machine cannot open an engine; "" where it can, or could with its GPU."""
    if facts is None:
        return "damaged"
    try:
        version = str(trt.load(facts.flavour).__version__)
    except MissingDependencyError:
        return f"{FLAVOURS[facts.flavour]} is not installed here any more"
    machine = this_machine(facts.flavour, version)
    if driver.find_gpu()[0] is None:
        return "" if version == facts.version else f"of {FLAVOURS[facts.flavour]} {facts.version}"
    return facts.mismatch(machine) or ""


def _alone(path: Path) -> str:
    """Why a tile engine is of no use; "" where it is, and of other engines."""
    stem, tiles, _ = path.name.partition(".tiles.engine")
    if tiles and not path.with_name(f"{stem}.engine").exists():
        return "the engine that it was for is gone"
    return ""


def _about(card: Sidecar, facts: EngineFacts) -> str:
    sizes = [f"{columns}x{rows}" for rows, columns in facts.sizes.values()]
    size = " to ".join(sizes[::2]) or f"{card.width}x{card.height}"
    size = size if facts.batch == 1 else f"tiles of {size}, {facts.batch} at once"
    tried = "not tried yet" if isinstance(facts.verified, str) else "tried"
    return f"{card.precision}, {size}, {facts.built}, {tried}"


def _mib(path: Path) -> str:
    return f"{path.stat().st_size / 2**20:.1f} MiB"
