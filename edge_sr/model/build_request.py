"""An engine for a model, from the cache; where there is none, the builder is asked for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge_sr import zoo
from edge_sr.children import has_module, read_answer, run_module
from edge_sr.errors import BackendError, MissingDependencyError, ModelFileError
from edge_sr.model.engine_cache import (
    bits_key,
    cache_dir,
    converted_path,
    find_engine,
    key_of,
)
from edge_sr.model.engine_facts import Machine, facts_of
from edge_sr.model.sidecar import Sidecar, load_sidecar


def cached_engine(
    model: Path,
    sidecar: Sidecar,
    *,
    size: tuple[int, int],
    precision: str,
    machine: Machine,
    notify: Callable[[str], None],
) -> Path:
    """The engine of a model file for frames of one size; built first, once, where it is missing.

    Building takes a while and goes on in a process of its own, ``python -m convert.build_engine``,
    whose words go to stderr.

    Args:
        model: an ``.onnx`` file, a shipped one or the user's.
        sidecar: the model's, checked; widened for frames of more than 8 bits.
        size: (rows, columns) of the frames.
        precision: "fp32", "fp16" or "int8".
        machine: this one, with the TensorRT that will open the engine.
        notify: gets lines for the user: why a cached engine is not used, and that one is built.

    Raises:
        MissingDependencyError: the builder is not installed.
        BackendError: it failed; what it said is on stderr.
    """
    found = look_up(model, sidecar, size=size, precision=precision, machine=machine, notify=notify)
    if found:
        return found
    if not (has_module("convert") and has_module("onnx")):
        raise MissingDependencyError(
            f"no {precision} engine of {sidecar.name} is cached for this GPU, and the builder is "
            "not installed: pip install 'edge-sr[build]', or --backend onnxruntime"
        )
    path = _converted(model, sidecar, precision)
    for line in _foreign(path.stem, size, machine) if path else []:
        notify(line)
    notify(
        f"building the {precision} engine of {sidecar.name} for {machine.gpu or 'this GPU'}, "
        f"{size[1]}x{size[0]}: this takes a while, once; it is kept in {cache_dir()}"
    )
    arguments = ["--model", str(model), "--precision", precision, "--size", f"{size[1]}x{size[0]}"]
    arguments += ["--flavour", machine.flavour, "--json"]
    arguments += ["--bits", str(sidecar.bits)] if sidecar.bits > 8 else []
    done = run_module("convert.build_engine", arguments, capture_stderr=False)
    if done.returncode:
        raise BackendError(
            f"no engine could be built for {sidecar.name}; see above, or use --backend onnxruntime"
        )
    answer = read_answer(done, "the engine builder")
    if not isinstance(answer.get("file"), str):
        raise BackendError(f"the engine builder named no file: {answer}")
    return Path(answer["file"])


def _converted(model: Path, sidecar: Sidecar, precision: str) -> Path | None:
    """The ONNX file that the builder makes the engine from; None where only the user knows.

    A shipped model stands for all its files: int8 is calibrated already, in a file of its own.
    """
    if model.resolve().parent == zoo.FOLDER:
        model = zoo.FOLDER / f"{model.name.removesuffix('.onnx').partition('.int8')[0]}.onnx"
        if precision == "int8":
            return model.with_name(f"{model.stem}{zoo.FOR_TENSORRT}")
        sidecar = load_sidecar(model)
    if sidecar.precision == precision:
        return model
    if precision == "int8":
        return None  # calibrated on frames that only its owner can name
    return converted_path(model.stem, sidecar.sha256, precision=precision)


def look_up(
    model: Path,
    sidecar: Sidecar,
    *,
    size: tuple[int, int],
    precision: str,
    machine: Machine,
    notify: Callable[[str], None],
) -> Path | None:
    """The cached engine of a model, or None; found by the digests of what it is made from."""
    path = _converted(model, sidecar, precision)
    if path is None:
        return None
    try:
        converted = load_sidecar(path)
    except ModelFileError:
        return None  # not made yet, or damaged: the builder makes it again
    key = key_of(
        onnx_sha256=converted.sha256,
        size=f"{size[1]}x{size[0]}",
        machine=machine,
        options=bits_key(sidecar.bits),
    )
    found = find_engine(converted.name, key, notify=notify)
    return found[0] if found else None


def _foreign(stem: str, size: tuple[int, int], machine: Machine) -> list[str]:
    """Why the latest engine of this model and size that is in the cache does not fit here."""
    paths = (cache_dir() / "engines").glob(f"{stem}-*.engine")
    for path in sorted(paths, key=lambda item: -item.stat().st_mtime):
        try:
            card = load_sidecar(path)
            facts = facts_of(card)
        except ModelFileError:
            continue
        difference = facts.mismatch(machine)
        if difference and facts.batch == 1 and (card.height, card.width) == size:
            seconds = facts.build_seconds
            took = f"{seconds / 60:.0f} minutes" if seconds > 90 else f"{seconds:.0f} s"
            return [f"{path.name}: {difference}: rebuilding (it took {took} there)"]
    return []
