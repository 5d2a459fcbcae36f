"""Layers that TensorRT's variant cannot afford in int8, given back to the CPU's.

Behind a ReLU the CPU's variant has twice the levels (see cpu.py), so that it loses less with the
same layers, and can take more of them for the same bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tqdm import tqdm

from calibration.quantize.cpu import cpu_plan, missing_outputs, quantise_for_cpu, results
from calibration.quantize.judge import Judge
from calibration.quantize.placement import work_shares
from calibration.quantize.qdq import Plan
from calibration.quantize.ranges import Ranges
from calibration.quantize.repair import correct_biases
from calibration.quantize.search import LAST, LOSS_BOUND, MARGIN, Row
from calibration.quantize.thresholds import METHODS

Variant = tuple[Plan, dict[str, float]]  # a plan, and the results quantised besides its tensors


def plan_for_cpu(
    judge: Judge, plan: Plan, ranges: Ranges, rows: Sequence[Row], *, max_loss_db: float
) -> Variant:
    """The plan with as many of the layers put back that were left out for the bound as it bears.

    The cheapest for their work come first; how many is found by halving. The margin of the search
    is kept.

    Args:
        rows: what each layer costs, and why it stays out.
    """
    work = work_shares(judge.network)
    mean = 1 / max(len(work), 1)
    out = [row for row in rows if row.kept in (LOSS_BOUND, LAST)]
    out.sort(key=lambda row: row.loss_db / max(work.get(row.name, mean), 1e-9))
    model = judge.network.model

    def with_outputs(tried: Plan) -> Variant:
        return tried, choose_outputs(judge, tried, ranges, max_loss_db=max_loss_db)

    def put_back(count: int) -> Variant | None:
        names = frozenset(row.name for row in out[:count])
        tried = replace(
            plan, layers=plan.layers | names, float_residuals=plan.float_residuals - names
        )
        found = with_outputs(correct_biases(judge, tried))
        loss_db = judge.cost_db(quantise_for_cpu(model, *found))
        return (
            found if loss_db <= MARGIN * max_loss_db and integers(found) > integers(best) else None
        )

    def integers(found: Variant) -> int:
        return len(cpu_plan(model, *found).layers)

    best = with_outputs(plan)
    few, many = 0, len(out) + 1
    while many - few > 1 and not judge.budget.spent(1.0, "more layers for the CPU"):
        middle = len(out) if not few and many > len(out) else (few + many) // 2
        found = put_back(middle)
        few, many, best = (middle, many, found) if found else (few, middle, best)
    return best


def choose_outputs(
    judge: Judge, plan: Plan, ranges: Ranges, *, max_loss_db: float
) -> dict[str, float]:
    """Tensor -> clip: all of `missing_outputs`, or the cheapest for their work within the bound.

    One range method serves all of them: the one with the least error of the network's result for
    which the bound holds.
    """
    model = judge.network.model
    wanted = missing_outputs(model, plan)
    if not wanted:
        return {}

    def clips(method: str) -> dict[str, float]:
        return {name: ranges.tensors[name][method] for name in wanted}

    def error(outputs: dict[str, float]) -> float:
        return judge.error(quantise_for_cpu(model, plan, outputs))

    def holds(outputs: dict[str, float]) -> bool:
        return judge.cost_db(quantise_for_cpu(model, plan, outputs)) <= max_loss_db

    ranked = sorted(map(clips, METHODS), key=error)
    for every in ranked:
        if holds(every):
            return every
    every = ranked[0]
    if judge.budget.spent(1.0, "results in int8 on the CPU"):
        return {}
    alone = {
        name: error({name: every[name]})
        for name in tqdm(wanted, desc="quantising results", unit="tensor", disable=None)
    }
    work, behind = work_shares(judge.network), results(model)
    gain = {tensor: work[layer] for layer, tensor in behind.items()}
    cheapest = sorted(wanted, key=lambda name: alone[name] / max(gain[name], 1e-9))
    few, many = 0, len(cheapest)
    while many - few > 1:
        middle = (few + many) // 2
        good = holds({name: every[name] for name in cheapest[:middle]})
        few, many = (middle, many) if good else (few, middle)
    found = {name: every[name] for name in cheapest[:few]}
    for name in cheapest[many:]:
        if judge.budget.spent(1.0, "results in int8 on the CPU"):
            break
        more = found | {name: every[name]}
        found = more if holds(more) else found
    return found
