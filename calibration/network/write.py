"""Writing a converted file and its sidecar, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import onnxruntime

from calibration.network.graph_size import count_macs, count_parameters
from calibration.network.load import Network
from edge_sr.errors import ModelFileError
from edge_sr.files import whole_file
from edge_sr.model.sidecar import Sidecar, load_sidecar, sha256_of, sidecar_path, write_sidecar

BEST_DB = 120.0  # what a PSNR of infinity is written as


def check_output(output: Path, *, force: bool) -> None:
    """Refuse an output that cannot or should not be written, before any work is done.

    Raises:
        ModelFileError: not an .onnx name, exists without ``force``, or its folder is missing.
    """
    if output.suffix != ".onnx":
        raise ModelFileError(f"{output}: expected a name that ends in .onnx")
    if not output.parent.is_dir():
        raise ModelFileError(f"{output.parent}: no such folder; make it first")
    if output.exists() and not force:
        raise ModelFileError(f"{output}: exists; use --force to replace it")


def write_model(
    output: Path,
    model: onnx.ModelProto,
    network: Network,
    *,
    precision: str,
    quality: Mapping[str, float],
    conversion: Mapping[str, Any],
    calibration_sha256: str | None = None,
) -> Sidecar:
    """Write ``model``, made from ``network``, and the sidecar with its history.

    Args:
        quality: figures of this file, in dB; the source's are not its own and are left out.
        conversion: what was kept in higher precision and why; goes into the training record.

    Raises:
        ModelFileError: it cannot be written, or an edge-sr source has no sidecar.
    """
    source = _source_sidecar(network)
    with whole_file(output, error=ModelFileError) as part:
        onnx.save(model, part)
        sidecar = replace(
            source,
            name=output.stem,
            precision=precision,
            sha256=sha256_of(part),
            made_from=network.path.name,
            made_from_sha256=network.sha256,
            calibration_sha256=calibration_sha256,
            quality={key: min(value, BEST_DB) for key, value in quality.items()},
            training=source.training | {"conversion": dict(conversion)},
            tools=source.tools | {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__},
        )
    write_sidecar(output, sidecar)
    return sidecar


def _source_sidecar(network: Network) -> Sidecar:
    """The source's own sidecar; of an external float file, what its graph holds."""
    if network.io.frames or sidecar_path(network.path).is_file():
        return load_sidecar(network.path)
    rows, columns = network.io.size or (720, 1280)
    size = network.io.size
    return Sidecar(
        name=network.path.stem,
        architecture="unknown",
        scale=str(network.io.scale),
        color=network.io.color,
        width=size[1] if size else None,
        height=size[0] if size else None,
        output_width=None,
        output_height=None,
        precision="fp32",
        parameters=count_parameters(network.model),
        macs_720p=count_macs(network.model, rows, columns),
        sha256=network.sha256,
        made_from=network.path.name,
        made_from_sha256=network.sha256,
    )
