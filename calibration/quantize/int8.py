"""float32 network + ranges -> int8 Q/DQ network, in two variants of one plan."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from calibration.frames.frames import FrameSet
from calibration.network.budget import Budget
from calibration.network.fp16 import make_half
from calibration.network.half import to_half
from calibration.network.load import Network, raise_opset
from calibration.network.rounding import rounded
from calibration.quantize.check_rules import broken_cpu_rules, broken_rules
from calibration.quantize.cpu import quantise_for_cpu
from calibration.quantize.cpu_search import choose_outputs, plan_for_cpu
from calibration.quantize.equalise import equalise
from calibration.quantize.judge import NEAR_DB, NEAR_LEVELS, NEAR_SHARE, Judge, Nearness, split
from calibration.quantize.placement import residuals, weighted_layers
from calibration.quantize.qdq import Plan, quantise, tensors_of
from calibration.quantize.ranges import Ranges, load_ranges, measure_ranges
from calibration.quantize.search import Found, LossError, Row, find_plan, judge_plan
from edge_sr.errors import ModelFileError
from edge_sr.model.sidecar import load_sidecar, sidecar_path

logger = logging.getLogger(__name__)
FOR_HALF = 0.2  # of the minutes, on top of them: finding what fp16 around the layers cannot hold


@dataclass(frozen=True)
class Quantised:
    """An int8 network and what is known of it."""

    around_fp32: onnx.ModelProto  # for ONNX Runtime
    around_fp16: onnx.ModelProto  # for TensorRT, strongly typed
    loss_db: float  # PSNR-Y lost against float32 on held-out frames, ONNX Runtime's variant
    loss_here_db: float  # the same with ONNX Runtime's integer kernels on this CPU
    loss_fp16_db: float  # of TensorRT's variant, tensors rounded as on a GPU
    nearness: Nearness  # to float32, of ONNX Runtime's variant
    found: Found  # the plan of TensorRT's variant, and what each layer costs there
    cpu_plan: Plan  # of ONNX Runtime's: the same, and what it can bear besides
    ranges: Ranges


def quantise_network(
    network: Network,
    frames: FrameSet,
    *,
    ranges_path: Path | None = None,
    plan_path: Path | None = None,
    max_loss_db: float = 0.05,
    allow_loss: bool = False,
    minutes: float | None = None,
    floor_db: float = NEAR_DB,
) -> Quantised:
    """Search a plan within the bound and write it in both variants.

    Three of four frames give ranges, the fourth judges. Channels are equalised first, where no
    ranges and no plan of the network as it is are given.

    Args:
        ranges_path: ranges of this network over these frames, to reuse.
        plan_path: placement and scales of quantisation-aware training, instead of a search.

    Raises:
        ModelFileError: the ranges or the plan are of another network or other frames.
        LossError: no plan keeps the bound, and ``allow_loss`` is not given.
        EdgeSRError: the frames do not fit, or the network cannot be run.
    """
    judge = Judge(network, frames, minutes=minutes, floor_db=floor_db)
    if ranges_path is not None:
        ranges = load_ranges(ranges_path)
        ranges.check(network, frames)
    else:
        if plan_path is None:
            network = judge.network = equalise(judge)
        ranges = measure_ranges(network, split(frames)[0])
    if plan_path is not None:
        found = judge_plan(judge, load_trained_plan(plan_path, network))
    else:
        found = find_plan(judge, ranges, max_loss_db=max_loss_db)
    if (found.loss_db > max_loss_db or found.best) and not allow_loss:
        best = found.best or f"most expensive layers: {_most_expensive(found.rows)}"
        raise LossError(
            f"{network.path}: int8 loses {found.loss_db:.3f} dB with all layers, {max_loss_db:g} "
            f"allowed{_floor(floor_db)}; {best}; use fp16, or --allow-loss"
        )
    rest = None if minutes is None else minutes * FOR_HALF
    singles = make_half(network, judge.tuning, budget=Budget.of_minutes(rest)).kept
    plan = replace(found.plan, layers=found.plan.layers - set(singles))
    newer = raise_opset(replace(network, model=quantise(network.model, plan)))
    half = to_half(newer, keep=singles)
    if plan_path is not None:
        cpu_plan, outputs = plan, choose_outputs(judge, plan, ranges, max_loss_db=max_loss_db)
    else:
        cpu_plan, outputs = plan_for_cpu(judge, plan, ranges, found.rows, max_loss_db=max_loss_db)
    single = quantise_for_cpu(network.model, cpu_plan, outputs)
    if lines := [*broken_rules(half), *broken_cpu_rules(single)]:
        raise ModelFileError(f"{network.path}: placement is wrong ({lines[0]}); please report")
    if judge.budget.left_out:
        logger.warning(
            "%s: stopped after %g minutes; the best plan so far is used, without: %s",
            network.path.name,
            minutes,
            "; ".join(judge.budget.left_out),
        )
    return Quantised(
        around_fp32=single,
        around_fp16=half,
        loss_db=judge.loss_db(single),
        loss_here_db=judge.loss_db(single, integer=True),
        loss_fp16_db=judge.loss_db(rounded(newer, keep=singles)),
        nearness=judge.nearness(single),
        found=replace(found, plan=plan),
        cpu_plan=cpu_plan,
        ranges=ranges,
    )


def _floor(floor_db: float) -> str:
    if not floor_db:
        return ""
    near = f"{NEAR_SHARE:.1%} of the samples within {NEAR_LEVELS} levels"
    return f", and {floor_db:g} dB from fp32 asked for, with {near}"


def _most_expensive(rows: list[Row]) -> str:
    worst = sorted(rows, key=lambda row: -row.loss_db)[:3]
    return ", ".join(f"{row.name} {row.loss_db:.3f}" for row in worst)


def load_trained_plan(path: Path, network: Network) -> Plan:
    """Read ``best.plan.json`` of `training.qat` for the network exported from ``best.keras``.

    Raises:
        ModelFileError: it cannot be read, or belongs to other weights.
    """
    try:
        content = json.loads(path.read_text())
        wanted, found = str(content["keras_sha256"]), content["plan"]
        clips = {str(name): float(clip) for name, clip in found["clips"].items()}
        plan = Plan(
            frozenset(map(str, found["layers"])),
            clips,
            frozenset(map(str, found["float_residuals"])),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(
            f"{path}: cannot be read as a plan of training.qat ({error!r})"
        ) from error
    made_from = (
        load_sidecar(network.path).made_from_sha256
        if sidecar_path(network.path).is_file()
        else "unknown"
    )
    if made_from != wanted:
        raise ModelFileError(
            f"{path}: is of weights {wanted[:12]}; {network.path} was made from {made_from[:12]}: "
            "export the best.keras that lies beside the plan"
        )
    known = {layer.name for layer in weighted_layers(network.model)}
    missing = plan.layers - known
    if not missing:
        missing = frozenset(tensors_of(network.model, plan)) - set(clips)
    if missing or not all(clip > 0 for clip in clips.values()):
        what = f"knows nothing of {sorted(missing)[0]}" if missing else "has a clip of 0"
        raise ModelFileError(f"{path}: {what}; train again with the plan of this network")
    names = {item.name for item in residuals(network.model, plan.layers)}
    return Plan(plan.layers, clips, plan.float_residuals & names)
