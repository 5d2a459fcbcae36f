"""A converted ONNX file -> a TensorRT engine in the cache: built, counted, tried, sealed, whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import onnx

from calibration.frames.frames import fit, open_frames, spread
from calibration.network.compare import Bounds, Tally
from calibration.network.frame_io import FrameIO, Image, read_frame_io
from calibration.network.session import open_session, run
from convert.command import Size, size_text
from convert.engine import census
from convert.engine.child import Job
from convert.engine.flavours import engine_home, timing_path
from convert.engine.platforms import numbers
from convert.engine.run_child import Int8RefusedError, build
from convert.engine.spec import EngineSpec, make_facts, make_sidecar, warn
from convert.onnx.runners import EngineRunner
from convert.onnx.specialise import convolutions, free_batch, specialise
from edge_sr.cuda import driver
from edge_sr.errors import BackendError, ModelFileError
from edge_sr.model.engine_cache import (
    batch_key,
    bits_key,
    cache_dir,
    engine_path,
    key_of,
    locked,
    read_engine,
)
from edge_sr.model.engine_facts import EngineFacts, seal, tiles_path
from edge_sr.model.onnx_file import refuse_external_data
from edge_sr.model.sidecar import Sidecar, sidecar_path, write_sidecar
from edge_sr.model.wide import widen
from edge_sr.quality import standard_border

Notify = Callable[[str], None]
REFUSED = ".refused"  # in the place of an engine: why int8 is not tried again


@dataclass(frozen=True)
class Engine:
    """An engine in the cache."""

    path: Path
    sidecar: Sidecar
    facts: EngineFacts
    reused: bool


def get_engine(spec: EngineSpec, *, notify: Notify, beside: Path | None = None) -> Engine:
    """The engine from the cache, or a new one, which is then in the cache.

    Args:
        beside: of a tile engine: the engine of whole frames that it is for.
        notify: gets lines for the user while it goes on.

    Raises:
        BackendError: TensorRT refuses or fails, or the engine is not what was asked for.
        Int8RefusedError: this TensorRT cannot build int8 on this GPU; it is not tried again.
        ModelFileError: a file cannot be read or written, or the lock is not free in time.
    """
    spec.options.check(spec.machine)
    taken = (spec.sidecar.height, spec.sidecar.width)
    if None not in taken and spec.size != taken:
        raise ModelFileError(
            f"{spec.onnx.name}: takes {taken[1]}x{taken[0]} only, not {spec.sizes_text}: leave "
            "the size out"
        )
    key = key_of(
        onnx_sha256=spec.sidecar.sha256,
        size=spec.sizes_text,
        target=size_text(spec.target) if spec.target else "",
        machine=spec.machine,
        options=spec.options.key | bits_key(spec.bits) | batch_key(spec.batch),
    )
    path = tiles_path(beside) if beside else engine_path(spec.sidecar.name, key)
    found = read_engine(path, key, notify=notify)
    if found and not _untried(found[2]):
        return Engine(*found, True)
    with locked(path, notify=notify):
        found = read_engine(path, key)  # another process may have built it
        if found:
            return _tried(spec, Engine(*found, True), notify)
        refused = path.with_suffix(REFUSED)
        if refused.is_file():
            raise Int8RefusedError(refused.read_text())
        try:
            return _build(spec, path, key.digest, notify)
        except Int8RefusedError as error:
            refused.write_text(str(error))
            raise
        except OSError as error:
            raise ModelFileError(
                f"{path}: cannot be written ({error.strerror or error})"
            ) from error


def _untried(facts: EngineFacts) -> bool:
    here = _opens_here(facts.compute_capabilities, facts.gpu, portable=facts.portable)
    return isinstance(facts.verified, str) and here


def _opens_here(capabilities: Sequence[str], gpu_name: str, *, portable: bool) -> bool:
    """Whether the GPU of this machine, if it has one, is one that the engine is built for."""
    gpu, _ = driver.find_gpu()
    if gpu is None or gpu_name not in ("", gpu.name):
        return False
    if portable:
        return numbers(gpu.compute_capability) >= min(map(numbers, capabilities))
    return gpu.compute_capability in capabilities


def _tried(spec: EngineSpec, engine: Engine, notify: Notify) -> Engine:
    """Try an engine that was built before there was a GPU, and write down the result."""
    if not _untried(engine.facts):
        return engine
    notify("the cached engine was not tried on a GPU yet; trying it")
    model = _model(spec)
    verified = try_engine(engine.path, engine.sidecar, model, spec.frames, spec.usual)
    facts = replace(engine.facts, verified=verified)
    sidecar = seal(engine.sidecar, facts)
    write_sidecar(engine.path, sidecar)
    return Engine(engine.path, sidecar, facts, True)


def _build(spec: EngineSpec, path: Path, digest: str, notify: Notify) -> Engine:
    model = _model(spec)
    for left in path.parent.glob(f".{path.stem}.[0-9]*.part"):  # of a build that was killed
        shutil.rmtree(left)
    work = path.with_name(f".{path.stem}.{os.getpid()}.part")
    work.mkdir()
    part = work / path.name
    try:
        reply = _run(spec, model, part, notify)
        found = census.Census(
            reply["layers"], reply["convolutions"], reply["source"], reply.get("names", {})
        )
        wanted = convolutions(model)
        for line in census.check(found, wanted, precision=spec.sidecar.precision):
            notify(line)
        warn(spec, found, notify)
        facts = make_facts(spec, reply, digest)
        sidecar = make_sidecar(spec, reply["result"], part, path)
        if _untried(facts) or driver.find_gpu()[0] is None:
            verified = try_engine(part, seal(sidecar, facts), model, spec.frames, spec.usual)
        else:
            verified = f"skipped: this machine's GPU cannot open {facts.built}"
        facts = replace(facts, verified=verified)
        sidecar = seal(sidecar, facts)
        write_sidecar(part, sidecar)
        os.replace(part, path)
        os.replace(sidecar_path(part), sidecar_path(path))
        _sync(path.parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Engine(path, sidecar, facts, False)


def _model(spec: EngineSpec) -> onnx.ModelProto:
    """The file with its sizes fixed, for samples of 8 bits."""
    refuse_external_data(spec.onnx)
    model = specialise(onnx.load(spec.onnx, load_external_data=False), spec.size, spec.target)
    if spec.batches:
        free_batch(model)
    return model


def _run(spec: EngineSpec, model: onnx.ModelProto, part: Path, notify: Notify) -> dict[str, Any]:
    fixed = part.with_suffix(".onnx")
    data = model.SerializeToString()
    fixed.write_bytes(data if spec.bits == 8 else _wide(spec, data))
    timing = timing_path(spec.machine, cache_dir())
    gpu_name, capabilities = engine_home(spec.machine, spec.options)
    job = Job(
        onnx=str(fixed),
        engine=str(part),
        flavour=spec.machine.flavour,
        options=asdict(spec.options),
        sizes=[list(size) for size in spec.sizes or ()],
        batches=list(spec.batches or ()),
        timing_cache=str(timing) if timing.name else "",
        inspect=_opens_here(
            capabilities, gpu_name, portable=spec.options.hardware == "ampere-plus"
        ),
        log=str(spec.log.resolve()) if spec.log else "",
    )
    return build(job, notify)


def _wide(spec: EngineSpec, data: bytes) -> bytes:
    try:
        return widen(data, spec.bits)
    except ValueError as error:
        what = f"cannot take samples of {spec.bits} bits ({error}); leave --bits out"
        raise ModelFileError(f"{spec.onnx.name}: {what}") from error


def _sync(folder: Path) -> None:
    """See a rename on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


BOUNDS = {"fp32": Bounds(55.0, 2), "fp16": Bounds(48.0, None), "int8": Bounds(40.0, None)}
COUNT = 8  # frames
AGAIN = "run the same command on the device to have it tried there"


def try_engine(
    path: Path, sidecar: Sidecar, model: onnx.ModelProto, frames: Path | None, size: Size
) -> dict[str, Any] | str:
    """What running it showed, or "skipped: why".

    Args:
        model: the network that the engine was built from, its sizes fixed.
        frames: a folder of pictures; None for the set that edge-sr brings.
        size: (rows, columns) that they are cut or mirrored to.

    Raises:
        BackendError: the results differ by more than the precision explains.
    """
    gpu, why_not = driver.find_gpu()
    if gpu is None:
        return f"skipped: {why_not}; {AGAIN}"
    io = read_frame_io(path, model)
    session = open_session(model)
    tally = Tally(standard_border(float(io.scale)))
    given = pictures(frames, io, size)
    with EngineRunner(path, sidecar) as engine:
        for image, found in zip(given, engine.run_all(given), strict=True):
            tally.add(io.fetch(run(session, io.feed(image))[0]), found)
    result = tally.result()
    if broken := BOUNDS[sidecar.precision].broken(result):
        raise BackendError(
            f"on {gpu.name} the engine does not give what ONNX Runtime gives: {'; '.join(broken)}. "
            "It was not kept; please report this with the log of --verbose"
        )
    return {
        "frames": result.frames,
        "psnr_db": round(min(result.psnr_db, 120.0), 2),
        "max_difference": result.max_difference,
        "gpu": gpu.name,
    }


def pictures(frames: Path | None, io: FrameIO, size: Size) -> list[Image]:
    """Up to 8 frames, uint8 (H, W, C), spread over the set, mirrored or cut to one size."""
    opened = open_frames(frames)
    opened.paths = [opened.paths[place] for place in spread(len(opened.paths), COUNT)]
    whole = replace(io, size=None)
    return [fit(image, size) for _, image in opened.read(whole)]
