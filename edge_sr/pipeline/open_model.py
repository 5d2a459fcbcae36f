"""The model of a job, opened for the size of its input."""

from __future__ import annotations

import logging
from dataclasses import replace
from fractions import Fraction

from edge_sr import zoo
from edge_sr.backend import DEVICE, ON_CPU
from edge_sr.model.external import model_file
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.target import output_size
from edge_sr.types import Size
from edge_sr.upscaler import Upscaler, open_nearest

logger = logging.getLogger(__name__)


def with_model_file(spec: JobSpec) -> JobSpec:
    """The job with the imported form of an external model as its model; others as they are.

    Raises:
        UsageError: options of external models for one that is none.
        ModelFileError, MissingDependencyError: it cannot be imported.
    """
    return replace(
        spec,
        model=model_file(spec.model, spec.import_options),
        range=None,
        input_range=None,
        output_range=None,
        layout=None,
        channels=None,
        output_name=None,
        custom_objects=None,
        trust=False,
    )


def takes_depth(spec: JobSpec) -> bool:
    """Whether the model of a job can be opened for samples of more than 8 bits.

    Models of luma can; engines have the depth that they were built for; models of RGB take 8 bits.

    Raises:
        ModelFileError, MissingDependencyError: there is no such model.
    """
    sidecar = zoo.find(spec.model, spec.scale or Fraction(2))[1]
    return sidecar.bits > 8 if spec.model.endswith(".engine") else sidecar.channels == 1


def open_upscaler(
    spec: JobSpec, size: Size, *, bits: int = 8, measured: bool = False
) -> tuple[Upscaler, Size]:
    """The model for an input of this size, and the size of the result; logs what was chosen.

    Args:
        bits: of a sample of the input.
        measured: where neither backend nor precision was given, take the fastest combination on
            this CPU; it takes seconds to measure when it is not known yet.

    Raises:
        EdgeSRError: the model cannot be opened, or the target is not larger than the input.
    """
    width, height = size
    wanted = output_size(width, height, scale=spec.scale, target=spec.target)
    ratio = Fraction(2)
    if wanted is not None:
        ratio = max(Fraction(wanted[0], width), Fraction(wanted[1], height))
    free = measured and spec.backend == "auto" and spec.precision is None
    upscaler = open_nearest(
        spec.model,
        ratio=ratio,
        precision="auto" if free else spec.precision,
        size=size,
        backend=spec.backend,
        threads=spec.threads,
        slots=spec.slots,
        graphs=spec.graphs,
        tile=spec.tile,
        device=_openvino_device(spec),
        bits=bits,
    )
    native = Size(*upscaler.sidecar.output_size(width, height))
    result = Size(*(wanted or native))
    backend = upscaler.backend
    runs = f"{upscaler.sidecar.name} ({backend.precision}) on {backend.name}"
    if spec.backend == "nearest":
        runs = "nearest neighbour, no network"
    logger.info("%s, %s: %s -> %s", runs, backend.device, size, result)
    if upscaler.why:
        logger.info("%s", upscaler.why)
    if result.width > native.width or result.height > native.height:
        factor = float(upscaler.sidecar.ratio)
        logger.info("beyond the model's x%g: the rest of the way is bicubic", factor)
    across, down = result.width * height, result.height * width
    if across != down and abs(across / down - 1) > 0.01:
        logger.info("the target %s has another shape than the input: it is stretched", result)
    return upscaler, result


def open_other(spec: JobSpec, name: str, size: Size, first: Upscaler) -> Upscaler:
    """Another model of the same run, by name: on the CPU as `first` was opened, not measured again.

    Raises:
        EdgeSRError: the model cannot be opened.
    """
    backend, precision = spec.backend, None
    if first.backend.name in ON_CPU:
        backend = first.backend.name
        if first.backend.precision.endswith("bf16"):
            precision = "int8-bf16" if name.endswith(".int8") else "bf16"
    return Upscaler.open(
        name,
        size=size,
        precision=precision,
        backend=backend,
        threads=spec.threads,
        slots=spec.slots,
        graphs=spec.graphs,
        tile=spec.tile,
        device=_openvino_device(spec),
        bits=first.sidecar.bits,
    )


def _openvino_device(spec: JobSpec) -> str | None:
    """What `--device` says, unless it names a GPU of CUDA, which the command line has bound."""
    return spec.device if spec.device and DEVICE.fullmatch(spec.device) else None
