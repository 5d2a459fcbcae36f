"""Which file of a model runs here, in which runtime and precision: by measuring, not by belief."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from edge_sr import zoo
from edge_sr.backend import DEVICE, ON_CPU, cpu, installed_on_cpu
from edge_sr.errors import ModelFileError, UsageError
from edge_sr.model.fastest import Candidate, measure
from edge_sr.model.resolver import Resolved, resolve
from edge_sr.model.sidecar import Sidecar

CHOICES = ("auto", "fp32", "bf16", "fp16", "int8", "int8-bf16")
MAX_LOSS_DB = 0.05  # PSNR-Y: what loses more is not chosen for its speed
LEAST_PIXELS = 320 * 180  # of a frame: measuring takes longer than many smaller ones


def find_model(
    model: str,
    ratio: Fraction,
    *,
    precision: str | None,
    size: tuple[int, int],
    backend: str,
    threads: int | None = None,
    bits: int = 8,
    device: str | None = None,
) -> Resolved:
    """The file that is to be opened for a model, with which backend, and in which precision.

    Args:
        precision: of CHOICES; None for fp16 with TensorRT and fp32 elsewhere. "auto" is the
            fastest on a CPU that loses 0.05 dB at most.
        size: (columns, rows) of the frames to come.
        backend: "auto" takes a cached engine of TensorRT where there is one, and else the faster
            of the runtimes that are installed for the CPU.
        bits: of their samples. Above 8 the wide variant of an ``.onnx`` file is opened, where it
            has luma; RGB models and engines that were named are opened as they are.
        device: of OpenVINO; None for the CPU.

    Raises:
        ModelFileError, BackendError, MissingDependencyError, UsageError.
    """
    if precision is not None and precision not in CHOICES:
        raise UsageError(f"precision is {precision!r}; expected {', '.join(CHOICES)}")
    if device is not None and (backend != "openvino" or not DEVICE.fullmatch(device)):
        raise UsageError(
            f"device is {device!r} with --backend {backend}; --backend openvino takes CPU, GPU or "
            "NPU, and TensorRT the number of a GPU"
        )
    wanted = None if precision == "auto" else precision
    bf16 = wanted is not None and wanted.endswith("bf16")
    source = (wanted or "fp32").removesuffix("-bf16")
    if bf16 or (source == "fp16" and backend in ("auto", "tensorrt")):
        source = "int8" if source == "int8" else "fp32"  # an fp16 engine is built from fp32
    path, sidecar = zoo.find(model, ratio, precision=source)
    sidecar = _variant(path, sidecar, bits)
    if bf16:
        if backend not in ("auto", "openvino"):
            raise UsageError(f"precision {wanted} is OpenVINO's: use --backend openvino")
        return _in_bf16(path, sidecar)
    engine = sidecar.precision if sidecar.precision != "fp32" else wanted or "fp16"
    resolved = resolve(path, sidecar, backend=backend, size=size, precision=engine)
    if resolved.backend not in ON_CPU:
        return resolved
    if wanted == "fp16":
        path, sidecar = zoo.find(model, ratio, precision=wanted)
        return replace(resolved, path=path, sidecar=_variant(path, sidecar, bits))
    if device not in (None, "CPU"):
        return resolved
    if precision is None:
        return resolved
    choice = _fastest(resolved, model, ratio, size, backend, threads, keep=wanted is not None)
    return replace(choice, why="; ".join(filter(None, [choice.why, resolved.why])))


def _variant(path: Path, sidecar: Sidecar, bits: int) -> Sidecar:
    """The facts of what is opened for samples of so many bits."""
    fixed = bits == 8 or path.suffix == ".engine" or sidecar.channels != 1
    return sidecar if fixed else sidecar.widened(bits)


def _in_bf16(path: Path, sidecar: Sidecar) -> Resolved:
    if sidecar.precision not in ("fp32", "int8"):
        raise UsageError(f"{path}: holds {sidecar.precision}; bf16 needs a file of fp32 or int8")
    if sidecar.bits > 8:
        raise UsageError(f"bf16 holds 8 bits of a sample, and the frames have {sidecar.bits}")
    return Resolved(path, sidecar, "openvino", bf16=True)


def _fastest(
    resolved: Resolved,
    model: str,
    ratio: Fraction,
    size: tuple[int, int],
    backend: str,
    threads: int | None,
    *,
    keep: bool,
) -> Resolved:
    """The fastest combination on this CPU whose loss is small enough.

    Args:
        keep: leave the precision as it is, and choose the runtime only.
    """
    width, height = size
    names = [backend] if backend in ON_CPU else installed_on_cpu() or [ON_CPU[0]]
    files, why_not = [(resolved.path, resolved.sidecar)], ""
    named = Path(model).suffix in (".onnx", ".engine") or resolved.sidecar.precision != "fp32"
    if not (keep or named):
        small, why_not = _small(model, ratio)
        if small:
            files.append((small[0], _variant(*small, resolved.sidecar.bits)))
    found = candidates(files, names, keep=keep)
    first = found[0]
    if len(found) == 1:
        fixed = "the file that was named" if named else "the only choice here"
        why = "" if keep else f"{first.label}: {why_not or fixed}"
        return Resolved(first.path, first.sidecar, first.backend, why)
    if width * height < LEAST_PIXELS:
        why = f"{first.label}: {width}x{height} is too small to be worth measuring"
        return Resolved(first.path, first.sidecar, first.backend, why)
    measured, before = measure(found, width=width, height=height, threads=threads)
    lost = [
        item.sidecar.quality.get("int8_loss_db", 0.0) + result.lost_db
        for item, result in zip(found, measured, strict=True)
    ]
    times = {
        place: result.seconds
        for place, result in enumerate(measured)
        if result.seconds is not None and (place == 0 or lost[place] <= MAX_LOSS_DB)
    }
    if not times:  # opening it will say why
        return Resolved(first.path, first.sidecar, first.backend)
    best = min(times, key=times.__getitem__)
    item = found[best]
    why = _reason(found, times, best, lost[best], why_not)
    if before:
        why += " (measured earlier)"
    return Resolved(item.path, item.sidecar, item.backend, why, bf16=item.bf16)


def candidates(
    files: list[tuple[Path, Sidecar]], backends: list[str], *, keep: bool = False
) -> list[Candidate]:
    """What can be measured against each other; the first one is what all are compared with.

    Left out is what would lose too much: int8 in OpenVINO on x86 without VNNI, where its sums
    overflow; bfloat16 for samples of more than the 8 bits that it holds, and where no float32 file
    shows what it loses.

    Args:
        files: of one network; the float one first.
        keep: leave the precision of the files as it is.
    """
    flags = cpu.flags()
    vnni = any("vnni" in flag for flag in flags) or not cpu.is_x86()
    found = [
        Candidate(path, sidecar, backend)
        for path, sidecar in files
        for backend in backends
        if backend != "openvino" or sidecar.precision != "int8" or vnni
    ]
    whole = files[0][1]
    half = not keep and "openvino" in backends and bool(cpu.BF16 & flags)
    if half and whole.precision == "fp32" and whole.bits == 8:
        found += [Candidate(path, sidecar, "openvino", bf16=True) for path, sidecar in files]
    return found or [Candidate(*files[0], backends[0])]


def _small(model: str, ratio: Fraction) -> tuple[tuple[Path, Sidecar] | None, str]:
    """The int8 file of a shipped model if it is good enough, or None and why not."""
    try:
        path, sidecar = zoo.find(model, ratio, precision="int8")
    except ModelFileError:
        return None, "no int8 file is shipped"
    lost = sidecar.quality.get("int8_loss_db")
    if lost is None or lost > MAX_LOSS_DB:
        text = "an unknown loss" if lost is None else f"{lost:.3f} dB lost"
        return None, f"int8 has {text}, {MAX_LOSS_DB:g} allowed"
    return (path, sidecar), ""


def _reason(
    found: list[Candidate], times: dict[int, float], best: int, lost: float, why_not: str
) -> str:
    """One line: what was chosen, and by how much."""
    if best == 0:
        others = [place for place in times if place]
        if not others:
            return f"{found[0].label}: nothing else runs here"
        next_best = min(others, key=times.__getitem__)
        text = f"{found[next_best].label} takes {times[next_best] / times[0]:.2f} of its time here"
        return "; ".join(filter(None, [f"{found[0].label}: {text}", why_not]))
    text = (
        f"takes {times[best] / times[0]:.2f} of the time of {found[0].label} here"
        if (0 in times)
        else "is the fastest here"
    )
    return f"{found[best].label}: {text}" + (f", and loses {lost:.3f} dB" if lost else "")
