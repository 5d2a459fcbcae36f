"""Writing the int8 variant of a float32 file, with its sidecar."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from calibration.frames.frames import FrameSet, open_frames
from calibration.network.load import Network, load_network
from calibration.network.write import check_output, write_model
from calibration.quantize.check_rules import int8_layers
from calibration.quantize.int8 import Quantised, quantise_network
from calibration.quantize.judge import NEAR_DB
from calibration.quantize.qdq import tensors_of
from calibration.quantize.search import LossError
from edge_sr.model.sidecar import Sidecar

logger = logging.getLogger(__name__)


def to_int8(
    source: Path,
    output: Path,
    *,
    frames: Path | None = None,
    ranges: Path | None = None,
    plan: Path | None = None,
    around: str = "fp32",
    max_loss_db: float = 0.05,
    allow_loss: bool = False,
    minutes: float | None = None,
    floor_db: float = NEAR_DB,
    force: bool = False,
) -> tuple[Sidecar, Quantised]:
    """Write the int8 form of a float32 file. Returns its sidecar, and all that was found.

    Args:
        frames: a folder of calibration frames; None for the set that edge-sr brings.
        ranges: a file of ``calibration.ranges`` over the same frames, to reuse.
        plan: ``best.plan.json`` of ``training.qat``; nothing is searched then.
        around: what is not int8: "fp32" for ONNX Runtime on a CPU, "fp16" for TensorRT.
        max_loss_db: PSNR-Y that may be lost; the most expensive layers stay out of int8 for it.
        allow_loss: write the file even if the bound cannot be kept.
        minutes: that the search may take, about; the best plan so far is used then.
        floor_db: PSNR against float32 that the worst picture must have; 0: any.

    Raises:
        LossError: the bound cannot be kept, or only with no layer in int8.
        EdgeSRError: a file cannot be read, converted or written.
    """
    check_output(output, force=force)
    network = load_network(source)
    opened = open_frames(frames).guarded(network.io)
    result = quantise_network(
        network,
        opened,
        ranges_path=ranges,
        plan_path=plan,
        max_loss_db=max_loss_db,
        allow_loss=allow_loss,
        minutes=minutes,
        floor_db=floor_db,
    )
    if not int8_layers(variant(result, around)):
        raise LossError(
            f"{source}: no layer can be int8 within {max_loss_db:g} dB with {around} around it; "
            f"the file would be {around} all through: use that, or a larger --max-loss-db"
        )
    sidecar = write_int8(output, network, opened, result, around=around, max_loss_db=max_loss_db)
    return sidecar, result


def write_int8(
    output: Path,
    network: Network,
    frames: FrameSet,
    result: Quantised,
    *,
    around: str,
    max_loss_db: float,
    measured: Mapping[str, float] | None = None,
) -> Sidecar:
    """Write one variant of what `quantise_network` found over ``frames``.

    Args:
        measured: figures of this file, reported beside its loss.

    Raises:
        ModelFileError: it cannot be written.
    """
    half, model = around == "fp16", variant(result, around)
    plan = result.found.plan if half else result.cpu_plan
    loss_db = result.loss_fp16_db if half else result.loss_db
    if loss_db > max_loss_db:  # the search bounds its own measure, before the rest is made fp16
        logger.warning(
            "%s: loses %.3f dB, with %s around the int8 layers; %g was allowed",
            *(output.name, loss_db, around, max_loss_db),
        )
    here = {} if half else {"int8_onnxruntime_loss_db": round(result.loss_here_db, 4)}
    near = {"int8_worst_psnr_db": round(result.nearness.psnr_db, 2)}
    quality = (
        {"int8_loss_db": round(loss_db, 4)}
        | here
        | (near if not half else {})
        | dict(measured or {})
    )
    return write_model(
        output,
        model,
        network,
        precision="int8",
        quality=quality,
        conversion={
            "around": around,
            "max_loss_db": max_loss_db,
            "frames": "edge-sr's own set" if frames.is_default else "the user's",
            "own_set_beside": bool(frames.guard),
            "frames_counted": result.ranges.frames,
            "range_methods": {
                name: method
                for name, method in result.found.methods.items()
                if name in tensors_of(network.model, plan)
            },
            "bias_correction": bool(plan.bias_shifts),
            "kept_out_of_int8": kept_out(result, around),
        },
        calibration_sha256=frames.sha256,
    )


def variant(result: Quantised, around: str) -> onnx.ModelProto:
    """The int8 network with "fp16" or "fp32" around its int8 layers."""
    return result.around_fp16 if around == "fp16" else result.around_fp32


def kept_out(result: Quantised, around: str) -> dict[str, dict[str, Any]]:
    """Layer of one variant's file that is not int8 -> why, and what it would cost in dB."""
    inside = set(int8_layers(variant(result, around)))
    plan = result.found.plan if around == "fp16" else result.cpu_plan
    found = {}
    for row in result.found.rows:
        why = row.kept
        if row.name in inside or (row.is_identity and row.name not in plan.float_residuals):
            why = ""
        elif not (why or row.is_identity):
            why = "the CPU computes it faster, or nearer, in float"
        if why:
            found[row.name] = {"why": why, "loss_db": round(row.loss_db, 4)}
    return found
