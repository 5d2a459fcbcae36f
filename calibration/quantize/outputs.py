"""Which results the CPU's spelling quantises besides the plan's tensors, so that layers fuse."""

from __future__ import annotations

from tqdm import tqdm

from calibration.quantize.cpu import missing_outputs, quantise_for_cpu
from calibration.quantize.judge import Judge
from calibration.quantize.qdq import Plan
from calibration.quantize.range_file import Ranges
from calibration.quantize.thresholds import METHODS


def choose_outputs(
    judge: Judge, plan: Plan, ranges: Ranges, *, max_loss_db: float
) -> dict[str, float]:
    """Tensor -> clip: all of `missing_outputs`, or the cheapest for which the bound holds.

    One range method serves all of them: the one with the least error of the network's result.
    """
    model = judge.network.model
    wanted = missing_outputs(model, plan)
    if not wanted:
        return {}

    def clips(method: str) -> dict[str, float]:
        return {name: ranges.tensors[name][method] for name in wanted}

    def error(outputs: dict[str, float]) -> float:
        return judge.error(quantise_for_cpu(model, plan, outputs))

    every = clips(min(METHODS, key=lambda method: error(clips(method))))

    def holds(outputs: dict[str, float]) -> bool:
        return judge.loss_db(quantise_for_cpu(model, plan, outputs)) <= max_loss_db

    if holds(every):
        return every
    alone = {
        name: error({name: every[name]})
        for name in tqdm(wanted, desc="quantising results", unit="tensor", disable=None)
    }
    cheapest = sorted(wanted, key=lambda name: alone[name])
    few, many = 0, len(cheapest)
    while many - few > 1:
        middle = (few + many) // 2
        good = holds({name: every[name] for name in cheapest[:middle]})
        few, many = (middle, many) if good else (few, middle)
    return {name: every[name] for name in cheapest[:few]}
