"""A converted ONNX file -> a TensorRT engine in the cache: built, counted, tried, sealed, whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_sr import __version__
from edge_sr.engine_cache import cache_dir, engine_path, find_engine, key_of, locked
from edge_sr.engine_facts import EngineFacts, Machine, seal
from edge_sr.errors import ModelFileError
from edge_sr.machine import find_gpu
from edge_sr.sidecar import Sidecar, sha256_of, sidecar_path, write_sidecar

from . import census
from .flavour import engine_home, timing_path
from .options import BuildOptions
from .sizes import Size, words

if TYPE_CHECKING:
    from onnx import ModelProto

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Request:
    """One engine that is wanted."""

    onnx: Path  # with uint8 frames at its ends, already of the precision wanted
    sidecar: Sidecar
    machine: Machine
    size: Size | None  # (rows, columns); None with ``sizes``
    sizes: tuple[Size, Size, Size] | None = None  # min, opt, max
    target: Size | None = None  # of the result, where it is resized
    options: BuildOptions = field(default_factory=BuildOptions)
    frames: Path | None = None  # to try it on; None for the set that edge-sr brings
    log: Path | None = None  # for all that the builder says

    @property
    def size_text(self) -> str:
        """ "1280x720", or three of them."""
        some = [self.size] if self.size else list(self.sizes or ())
        return ",".join(words(size) for size in some)


@dataclass(frozen=True)
class Engine:
    """An engine in the cache."""

    path: Path
    sidecar: Sidecar
    facts: EngineFacts
    reused: bool


def get_engine(request: Request, *, tell: Tell) -> Engine:
    """The engine from the cache, or a new one, which is then in the cache.

    Args:
        tell: gets lines for the user while it goes on.

    Raises:
        BackendError: TensorRT refuses or fails, or the engine is not what was asked for.
        ModelFileError: a file cannot be read or written, or the lock is not free in time.
    """
    request.options.check(request.machine)
    key = key_of(
        onnx_sha256=request.sidecar.sha256,
        size=request.size_text,
        target=words(request.target) if request.target else "",
        machine=request.machine,
        options=request.options.key,
    )
    path = engine_path(request.sidecar.name, key)
    found = find_engine(request.sidecar.name, key, tell=tell)
    if found and not _untried(found[2]):
        return Engine(*found, True)
    with locked(path, tell=tell):
        found = find_engine(request.sidecar.name, key)  # another process may have built it
        if found:
            return _tried(request, Engine(*found, True), tell)
        try:
            return _build(request, path, key.digest, tell)
        except OSError as error:
            raise ModelFileError(
                f"{path}: cannot be written ({error.strerror or error})"
            ) from error


def _untried(facts: EngineFacts) -> bool:
    return isinstance(facts.verified, str) and find_gpu()[0] is not None


def _tried(request: Request, engine: Engine, tell: Tell) -> Engine:
    """Try an engine that was built before there was a GPU, and write down the result."""
    if not _untried(engine.facts):
        return engine
    from .try_engine import try_engine

    tell("the cached engine was not tried on a GPU yet; trying it")
    model = _model(request)
    verified = try_engine(engine.path, engine.sidecar, model, request.frames)
    facts = replace(engine.facts, verified=verified)
    sidecar = seal(engine.sidecar, facts)
    write_sidecar(engine.path, sidecar)
    return Engine(engine.path, sidecar, facts, True)


def _build(request: Request, path: Path, digest: str, tell: Tell) -> Engine:
    from .specialise import convolutions
    from .try_engine import try_engine

    model = _model(request)
    parts = f".{path.stem}.*.part.engine*"
    for left in path.parent.glob(parts):  # of a build that was killed
        left.unlink(missing_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part.engine")
    try:
        reply = _run(request, model, part, tell)
        found = census.Census(reply["layers"], reply["convolutions"], reply["source"])
        wanted = convolutions(model)
        census.check(found, wanted, precision=request.sidecar.precision)
        _warn(request, found, tell)
        facts = _facts(request, reply, digest)
        sidecar = _sidecar(request, reply["result"], part, path)
        verified = try_engine(part, seal(sidecar, facts), model, request.frames)
        facts = replace(facts, verified=verified)
        sidecar = seal(sidecar, facts)
        write_sidecar(part, sidecar)
        os.replace(part, path)
        os.replace(sidecar_path(part), sidecar_path(path))
        _sync(path.parent)
    finally:
        for left in path.parent.glob(parts):
            left.unlink(missing_ok=True)
    return Engine(path, sidecar, facts, False)


def _warn(request: Request, found: census.Census, tell: Tell) -> None:
    """Say so where the file's own exceptions outweigh its precision."""
    total = sum(found.convolutions.values())
    have = found.convolutions.get(request.sidecar.precision, 0)
    if 2 * have < total:
        tell(
            f"warning: only {have} of {total} convolutions are {request.sidecar.precision}, the "
            f"others are {census.tell(found.convolutions)}: the conversion kept them out because "
            "they lose too much; do not expect the speed of a network that is whole"
        )


def _model(request: Request) -> ModelProto:
    """What TensorRT reads: the file with its sizes fixed."""
    import onnx

    from .specialise import specialise

    return specialise(onnx.load(request.onnx), request.size, request.target)


def _run(request: Request, model: ModelProto, part: Path, tell: Tell) -> dict[str, Any]:
    from .build_child import Job
    from .run_child import build

    with tempfile.TemporaryDirectory(prefix="edge-sr-onnx-") as folder:
        fixed = Path(folder) / request.onnx.name
        fixed.write_bytes(model.SerializeToString())
        timing = timing_path(request.machine, cache_dir())
        job = Job(
            onnx=str(fixed),
            engine=str(part),
            flavour=request.machine.flavour,
            options=asdict(request.options),
            sizes=[list(size) for size in request.sizes or ()],
            timing_cache=str(timing) if timing.name else "",
            inspect=find_gpu()[0] is not None,
            log=str(request.log or ""),
        )
        return build(job, tell)


def _facts(request: Request, reply: Mapping[str, Any], digest: str) -> EngineFacts:
    gpu, capabilities = engine_home(request.machine, request.options)
    rtx = request.machine.flavour == "tensorrt-rtx"
    names = ("min", "opt", "max")
    return EngineFacts(
        flavour=request.machine.flavour,
        version=request.machine.version,
        gpu=gpu,
        compute_capabilities=capabilities,
        cuda="" if rtx else request.machine.cuda,
        l4t=request.machine.l4t,
        options=reply["options"],
        census=reply["layers"],
        census_source=reply["source"],
        onnx_sha256=request.sidecar.sha256,
        cache_key=digest,
        sizes=dict(zip(names, request.sizes, strict=True)) if request.sizes else {},
        build_seconds=reply["seconds"],
    )


def _sidecar(request: Request, result: list[int], part: Path, path: Path) -> Sidecar:
    """The engine's own facts; what was measured of the ONNX file stays with the ONNX file."""
    source = request.sidecar
    rows, columns = request.size or (None, None)
    out: tuple[int | None, int | None] = (None, None)
    scale = source.scale
    if request.size:
        out = (result[1], result[2])
        ratios = {Fraction(a, b) for a, b in zip(out, request.size, strict=True)}
        scale = str(ratios.pop()) if len(ratios) == 1 else scale
    return replace(
        source,
        name=path.stem,
        scale=scale,
        width=columns,
        height=rows,
        output_width=out[1],
        output_height=out[0],
        sha256=sha256_of(part),
        made_from=request.onnx.name,
        made_from_sha256=source.sha256,
        quality={},
        tools=source.tools
        | {"edge_sr": __version__, request.machine.flavour: request.machine.version},
    )


def _sync(folder: Path) -> None:
    """See a rename on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
