"""float32 network + ranges -> int8 Q/DQ network, in two spellings of one plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import onnx
from onnx import version_converter

from calibration.frames.frames import FrameSet
from calibration.quantize.cpu import quantise_for_cpu
from calibration.quantize.judge import Judge, split
from calibration.quantize.network import Network, opset_of
from calibration.quantize.outputs import choose_outputs
from calibration.quantize.put_back import plan_for_cpu
from calibration.quantize.qdq import Plan, quantise
from calibration.quantize.range_file import Ranges, load_ranges
from calibration.quantize.rows import Row
from calibration.quantize.search import Found, LossError, find_plan, judge_plan
from calibration.quantize.trained_plan import load_trained_plan
from calibration.ranges import measure_ranges
from convert.onnx.check_cpu import broken_cpu_rules
from convert.onnx.check_placement import broken_rules
from convert.onnx.fp16 import make_half
from convert.onnx.half import to_half
from convert.onnx.rounding import rounded
from edge_sr.errors import ModelFileError

HALF_SCALES = 19  # the first opset in which scales may be float16


@dataclass(frozen=True)
class Quantised:
    """An int8 network and what is known of it."""

    around_fp32: onnx.ModelProto  # for ONNX Runtime
    around_fp16: onnx.ModelProto  # for TensorRT, strongly typed
    loss_db: float  # PSNR-Y lost against float32 on held-out frames, ONNX Runtime's spelling
    loss_here_db: float  # the same with ONNX Runtime's integer kernels on this CPU
    loss_fp16_db: float  # of TensorRT's spelling, tensors rounded as on a GPU
    found: Found  # the plan of TensorRT's spelling, and what each layer costs there
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
) -> Quantised:
    """Search a plan within the bound and write it in both spellings.

    Three of four frames give ranges, the fourth judges.

    Args:
        ranges_path: ranges of this network over these frames, to reuse.
        plan_path: placement and scales of quantisation-aware training, instead of a search.

    Raises:
        ModelFileError: the ranges or the plan are of another network or other frames.
        LossError: no plan keeps the bound, and ``allow_loss`` is not given.
        EdgeSRError: the frames do not fit, or the network cannot be run.
    """
    kept, _ = split(frames)
    if ranges_path is not None:
        ranges = load_ranges(ranges_path)
        ranges.check(network, frames)
    else:
        ranges = measure_ranges(network, kept)
    judge = Judge(network, frames)
    if plan_path is not None:
        found = judge_plan(judge, load_trained_plan(plan_path, network))
    else:
        found = find_plan(judge, ranges, max_loss_db=max_loss_db)
    if found.loss_db > max_loss_db and not allow_loss:
        raise LossError(
            f"{network.path}: int8 loses {found.loss_db:.3f} dB, {max_loss_db:g} allowed; "
            f"dearest layers: {_dearest(found.rows)}; use fp16, or --allow-loss"
        )
    singles = make_half(network, judge.tuning).kept
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
    return Quantised(
        around_fp32=single,
        around_fp16=half,
        loss_db=judge.loss_db(single),
        loss_here_db=judge.loss_db(single, integer=True),
        loss_fp16_db=judge.loss_db(rounded(newer, keep=singles)),
        found=replace(found, plan=plan),
        cpu_plan=cpu_plan,
        ranges=ranges,
    )


def _dearest(rows: list[Row]) -> str:
    worst = sorted(rows, key=lambda row: -row.loss_db)[:3]
    return ", ".join(f"{row.name} {row.loss_db:.3f}" for row in worst)


def raise_opset(network: Network) -> onnx.ModelProto:
    """The same graph at the opset that knows float16 scales, node names kept.

    Raises:
        ModelFileError: an operator has no form there.
    """
    model = network.model
    if opset_of(model) >= HALF_SCALES:
        return model
    try:
        newer = version_converter.convert_version(model, HALF_SCALES)
    except Exception as error:  # the converter's errors have no common public class
        reason = str(error).strip().splitlines()[0]
        raise ModelFileError(
            f"{network.path}: cannot be raised to opset {HALF_SCALES} for fp16 scales ({reason})"
        ) from error
    newer.ir_version = max(newer.ir_version, 9)
    names = [node.name for node in model.graph.node]
    if len(newer.graph.node) == len(names):
        for node, name in zip(newer.graph.node, names, strict=True):
            node.name = name
    return newer
