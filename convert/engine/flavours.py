"""All in which TensorRT 10, TensorRT 11 and TensorRT-RTX differ to the builder."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from convert.engine import trt
from convert.engine.options import BuildOptions
from convert.engine.platforms import check_version
from edge_sr.cuda import driver
from edge_sr.cuda.machine import install_tensorrt, this_machine
from edge_sr.errors import BackendError, MissingDependencyError, UsageError
from edge_sr.model.engine_facts import FLAVOURS, Machine

LEVEL = 3  # TensorRT's own default optimisation level
WORKSPACE_SHARE = 0.5  # of the free memory, where none is given


def choose_flavour(asked: str) -> tuple[Machine, str]:
    """The TensorRT to build with on this machine, and the file it is imported from.

    Args:
        asked: "tensorrt", "tensorrt-rtx", or "auto": TensorRT where there is a GPU and it is
            installed, else TensorRT-RTX, which builds without one.

    Raises:
        MissingDependencyError: none is installed.
        BackendError: it is too old, or there is no GPU that it needs.
    """
    if asked not in ("auto", *FLAVOURS):
        raise UsageError(f"flavour is {asked!r}; expected auto, {', '.join(FLAVOURS)}")
    gpu, why_not = driver.find_gpu()
    flavour = asked
    if asked == "auto":
        why = {name: _why_not(name) for name in FLAVOURS}
        installed = [name for name in FLAVOURS if not why[name]]
        if not installed:
            broken = next((line for line in why.values() if "is not installed" not in line), "")
            raise MissingDependencyError(
                broken or f"no TensorRT is installed: {install_tensorrt()}"
            )
        flavour = installed[0] if gpu or len(installed) == 1 else "tensorrt-rtx"
    module = trt.load(flavour)
    version = str(module.__version__)
    check_version(flavour, version)
    if flavour == "tensorrt" and gpu is None:
        raise BackendError(
            f"{why_not}, and TensorRT builds on the GPU that it builds for: run this on the "
            "device, or build with --flavour tensorrt-rtx for desktop GPUs (no GPU needed)"
        )
    return this_machine(flavour, version), str(module.__file__)


def _why_not(flavour: str) -> str:
    """Why a flavour cannot be used here; "" where it can."""
    try:
        trt.load(flavour)
    except MissingDependencyError as error:
        return str(error)
    return ""


def typed_flags() -> int:
    """Flags for `create_network`: strongly typed. TensorRT 11 knows no other kind."""
    flags = trt.NetworkDefinitionCreationFlag
    return 1 << int(flags.STRONGLY_TYPED) if hasattr(flags, "STRONGLY_TYPED") else 0


def configure(
    builder: trt.Builder,
    config: trt.IBuilderConfig,
    options: BuildOptions,
    flavour: str,
    timing_cache: Path,
) -> dict[str, Any]:
    """Set everything on the builder's config. Returns the options as they are used.

    Raises:
        BackendError: this TensorRT or GPU lacks one of them.
    """
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED  # names and types to read back
    level = LEVEL if options.optimization_level is None else options.optimization_level
    config.builder_optimization_level = level
    used: dict[str, Any] = {"optimization_level": level}
    workspace = options.workspace_mib
    if workspace is None and (free := driver.free_mib()):
        workspace = int(free * WORKSPACE_SHARE)
    if workspace is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace * 2**20)
        used["workspace_mib"] = workspace
    config.clear_flag(trt.BuilderFlag.TF32)  # on by default: fp32 would be computed in 19 bits
    if flavour == "tensorrt-rtx":
        if hasattr(trt.BuilderFlag, "REQUIRE_USER_ALLOCATION"):
            # release notes of TensorRT-RTX 1.2: an engine without it cannot be captured
            needed = trt.BuilderFlag.REQUIRE_USER_ALLOCATION
            config.set_flag(needed)
            used["user_allocation"] = bool(config.get_flag(needed))
        return used | _aim(config, options)
    if options.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
        used["version_compatible"] = True
    if options.hardware != "none":
        name = options.hardware.replace("-", "_").upper()
        config.hardware_compatibility_level = getattr(trt.HardwareCompatibilityLevel, name)
        used |= {"hardware": options.hardware, "portable": options.hardware == "ampere-plus"}
    if options.dla is not None:
        used |= _use_dla(builder, config, options.dla)
    _recall_timing(config, timing_cache)
    return used


def rtx_capabilities(module: Any = None) -> tuple[str, ...]:
    """Compute capabilities that the installed TensorRT-RTX builds for: ("7.5", "8.0", ...)."""
    known = (module or trt.load("tensorrt-rtx")).ComputeCapability
    names = [name[2:] for name in dir(known) if re.fullmatch(r"SM\d{2,3}", name)]
    return tuple(f"{name[:-1]}.{name[-1]}" for name in sorted(names, key=int))


def check_capabilities(machine: Machine, asked: tuple[str, ...]) -> None:
    """Refuse GPUs that the installed TensorRT-RTX has no kernels for, before anything is made.

    Args:
        asked: the compute capabilities to build for; () for the default.

    Raises:
        BackendError: one of them, or this machine's own GPU where none was asked for.
    """
    if machine.flavour != "tensorrt-rtx":
        return
    known = rtx_capabilities()
    wrong = [item for item in asked if item not in known]
    refusal = f"TensorRT-RTX {machine.version} cannot build for compute capability"
    if wrong:
        raise BackendError(f"{refusal} {', '.join(wrong)}; expected {', '.join(known)}")
    if not asked and machine.compute_capability and machine.compute_capability not in known:
        raise BackendError(
            f"{refusal} {machine.compute_capability} of this {machine.gpu}; it knows "
            f"{', '.join(known)}: use --flavour tensorrt ({install_tensorrt()}), or "
            "--compute-capability for another GPU"
        )


def _aim(config: Any, options: BuildOptions) -> dict[str, Any]:
    """Choose the GPUs that a TensorRT-RTX engine is for: all that it knows, where none is asked.

    Its own default leaves Turing (7.5) out.
    """
    asked = options.compute_capabilities or rtx_capabilities()
    known: Any = trt
    config.num_compute_capabilities = len(asked)
    for place, item in enumerate(asked):
        capability = getattr(known.ComputeCapability, f"SM{item.replace('.', '')}")
        config.set_compute_capability(capability, place)
    return {"portable": False, "compute_capabilities": list(asked)}


def _use_dla(builder: trt.Builder, config: trt.IBuilderConfig, core: int) -> dict[str, Any]:
    cores = int(getattr(builder, "num_DLA_cores", 0))  # not in TensorRT 11.0 to 11.3
    if core not in range(cores):
        raise BackendError(
            f"DLA core {core} was asked for; this device has "
            + (f"cores 0 to {cores - 1}" if cores else "no DLA: leave --dla out")
        )
    config.default_device_type = trt.DeviceType.DLA
    config.DLA_core = core
    config.set_flag(trt.BuilderFlag.GPU_FALLBACK)
    return {"dla": core}


def _recall_timing(config: trt.IBuilderConfig, path: Path) -> None:
    """Give the builder what it measured before on this device; a damaged file is forgotten."""
    if not path.name:
        return
    try:
        known = path.read_bytes()
    except FileNotFoundError:
        known = b""
    cache = config.create_timing_cache(known)
    if cache is None or not config.set_timing_cache(cache, ignore_mismatch=False):
        path.unlink(missing_ok=True)
        config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)


def remember_timing(config: trt.IBuilderConfig, path: Path) -> None:
    """Keep what the builder measured, whole or not at all."""
    cache = config.get_timing_cache() if path.name else None
    if cache is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(memoryview(cache.serialize()))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def timing_path(machine: Machine, folder: Path) -> Path:
    """One file for each device and version; none for TensorRT-RTX, which times nothing."""
    if machine.flavour == "tensorrt-rtx":
        return Path()
    device = "".join(letter if letter.isalnum() else "-" for letter in machine.gpu)
    return folder / "timing" / f"{machine.version}-{device}-{machine.compute_capability}.cache"


def engine_home(machine: Machine, options: BuildOptions) -> tuple[str, tuple[str, ...]]:
    """(GPU name, compute capabilities) that an engine is bound to; no name where it is portable."""
    if machine.flavour == "tensorrt-rtx":
        return "", options.compute_capabilities or rtx_capabilities()
    if options.hardware == "ampere-plus":
        return "", ("8.0",)
    if options.hardware == "same-compute-capability":
        return "", (machine.compute_capability,)
    return machine.gpu, (machine.compute_capability,)
