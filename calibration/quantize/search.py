"""From ranges to the plan whose loss is within the bound: clips, biases, and who stays out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

from calibration.network.compare import sqnr_db
from calibration.quantize.judge import Judge
from calibration.quantize.placement import (
    Layer,
    anchors,
    last_layers,
    residuals,
    weighted_layers,
    work_shares,
)
from calibration.quantize.qdq import Plan, quantise, tensors_of
from calibration.quantize.ranges import Ranges
from calibration.quantize.repair import correct_biases, round_weights
from calibration.quantize.thresholds import METHODS
from edge_sr.errors import EdgeSRError

HARMLESS = 0.1  # of the bound: what a small last layer may add and still become int8
RETRIED = 12  # layers that are put back, at most
MARGIN = 0.8  # of the bound is aimed at: other pictures lose a little more


class LossError(EdgeSRError):
    """No plan keeps the loss within its bound."""


@dataclass(frozen=True)
class Found:
    """A plan and what it costs."""

    plan: Plan
    loss_db: float
    rows: list[Row]
    methods: dict[str, str]  # tensor -> range method
    best: str = ""  # what is reachable, where no plan keeps the bound


def find_plan(judge: Judge, ranges: Ranges, *, max_loss_db: float) -> Found:
    """The plan with the fewest layers left out whose loss is at most ``max_loss_db``.

    If even the plan with one layer breaks the bound, the plan with all layers is returned with
    its loss: the caller decides.
    """
    model = judge.network.model
    layers = weighted_layers(model)
    last, anchor = last_layers(model), anchors(model)
    inner = [layer for layer in layers if layer.name not in last] or layers
    clips, methods = choose_clips(judge, ranges, [layer.name for layer in inner])
    full = Plan(frozenset(layer.name for layer in inner), clips)
    if not judge.budget.spent(0.5, "weights rounded for the frames"):
        finer = replace(full, levels=round_weights(judge, layers))
        plain_error, finer_error = (judge.error(quantise(model, item)) for item in (full, finer))
        full = finer if finer_error < plain_error else full
    if not judge.budget.spent(0.6, "bias correction"):
        full = correct_biases(judge, full)
    rows = sensitivity(judge, full, layers)
    work = work_shares(judge.network)
    plan, loss_db, best = _leave_worst(judge, full, rows, work, max_loss_db)
    if loss_db <= max_loss_db:
        plan, loss_db = _put_back(judge, full, plan, loss_db, work, max_loss_db)
    for layer in layers:
        if layer.name in last - anchor and loss_db <= max_loss_db and layer not in inner:
            plan, loss_db = _try_last(judge, plan, loss_db, layer, work, max_loss_db)
    return Found(plan, loss_db, explain(rows, plan, last, anchor), methods, best)


def judge_plan(judge: Judge, plan: Plan) -> Found:
    """A plan from elsewhere, as it is: what it costs, layer by layer."""
    model = judge.network.model
    rows = sensitivity(judge, plan, [la for la in weighted_layers(model) if la.name in plan.layers])
    out = [layer for layer in weighted_layers(model) if layer.name not in plan.layers]
    rows += [Row(layer.name, 0.0, 0.0) for layer in out]
    loss_db = judge.loss_db(quantise(model, plan))
    methods = dict.fromkeys(tensors_of(model, plan), "trained")
    last, anchor = last_layers(model), anchors(model)
    return Found(plan, loss_db, explain(rows, plan, last, anchor, "the plan"), methods)


def sensitivity(judge: Judge, plan: Plan, layers: Sequence[Layer]) -> list[Row]:
    """Each layer alone in int8, then each identity that the plan quantises."""
    network = judge.network
    rows = []
    for layer in tqdm(layers, desc="one layer at a time", unit="layer", disable=None):
        if judge.budget.spent(0.7, "what each layer costs alone"):
            rows.append(Row(layer.name, 0.0, 0.0))
            continue
        alone = replace(plan, layers=frozenset([layer.name]), bias_shifts={})
        model = quantise(network.model, alone)
        noise = sqnr_db(network.model, model, network.io, judge.tuning[:2], layer.output)
        rows.append(Row(layer.name, judge.loss_db(model), noise))
    everything = judge.loss_db(quantise(network.model, plan))
    for item in residuals(network.model, plan.layers):
        plain = replace(plan, float_residuals=frozenset([item.name]))
        cost = everything - judge.loss_db(quantise(network.model, plain))
        rows.append(Row(item.name, cost, float("nan")))
    return rows


def _without(plan: Plan, names: Sequence[str]) -> Plan:
    gone = frozenset(names)
    return replace(
        plan,
        layers=plan.layers - gone,
        float_residuals=plan.float_residuals | (gone - plan.layers),
    )


def _leave_worst(
    judge: Judge,
    full: Plan,
    rows: Sequence[Row],
    work: Mapping[str, float],
    bound_db: float,
) -> tuple[Plan, float, str]:
    """Leave out as few of the most expensive rows as the bound, less its margin, asks for.

    Most expensive for the work that they do in int8; identities count as a layer of mean size.
    Found by halving. Where only the bound itself can be kept, that is enough; where not even one
    layer keeps it, all are returned, with a phrase of what is reachable.
    """
    model = judge.network.model
    inside = [row for row in rows if row.name in full.layers or row.is_identity]
    mean = 1 / max(len(work), 1)
    inside.sort(key=lambda row: -row.loss_db / max(work.get(row.name, mean), 1e-9))
    ranked = [row.name for row in inside]
    tried: list[tuple[Plan, float]] = []

    def measure(count: int) -> float:
        plan = _without(full, ranked[:count])
        if not plan.layers:
            return float("inf")
        if count and not judge.budget.spent(0.9, "bias correction"):
            plan = correct_biases(judge, plan)
        tried.append((plan, judge.cost_db(quantise(model, plan))))
        return tried[-1][1]

    if measure(0) <= bound_db * MARGIN:
        return *tried[0], ""
    few, many = 0, len(ranked)
    while many - few > 1:
        if min(cost for _, cost in tried) <= bound_db and judge.budget.spent(1.0, "better plans"):
            break
        middle = (few + many) // 2
        few, many = (few, middle) if measure(middle) <= bound_db * MARGIN else (middle, many)
    for limit in (bound_db * MARGIN, bound_db):
        good = [item for item in tried if item[1] <= limit]
        if good:
            most = max(good, key=lambda item: sum(work[name] for name in item[0].layers))
            return *most, ""
    return tried[0][0], judge.loss_db(quantise(model, tried[0][0])), _reachable(judge, full, tried)


def _reachable(judge: Judge, full: Plan, tried: Sequence[tuple[Plan, float]]) -> str:
    """The best of the plans that were tried, none of which keeps the bound."""
    model = judge.network.model
    plan = min(tried, key=lambda item: (item[1], len(item[0].layers)))[0]
    quantised = quantise(model, plan)
    out = [
        layer.name for layer in weighted_layers(model) if layer.name in full.layers - plan.layers
    ]
    names = ", ".join(out[:6]) + (f" and {len(out) - 6} more" if len(out) > 6 else "")
    return (
        f"the best plan loses {judge.loss_db(quantised):.3f} dB and is "
        f"{judge.nearness(quantised).describe()}, with {len(plan.layers)} layers in int8 and "
        f"{names or 'none'} in float"
    )


def _put_back(
    judge: Judge,
    full: Plan,
    plan: Plan,
    loss_db: float,
    work: Mapping[str, float],
    bound_db: float,
) -> tuple[Plan, float]:
    """Each layer that was left out, put back where the bound still holds; most work first."""
    for name in sorted(full.layers - plan.layers, key=lambda name: -work[name])[:RETRIED]:
        if judge.budget.spent(1.0, "layers put back"):
            break
        tried = replace(plan, layers=plan.layers | {name})
        found = judge.cost_db(quantise(judge.network.model, tried))
        if found <= bound_db * MARGIN:
            plan, loss_db = tried, found
    return plan, loss_db


def _try_last(
    judge: Judge,
    plan: Plan,
    loss_db: float,
    layer: Layer,
    work: Mapping[str, float],
    max_loss_db: float,
) -> tuple[Plan, float]:
    """A last layer may cost as much of the bound as it does of the work."""
    tried = replace(plan, layers=plan.layers | {layer.name})
    found = judge.cost_db(quantise(judge.network.model, tried))
    allowed = max(HARMLESS, work[layer.name]) * max_loss_db
    harmless = found - loss_db <= allowed and found <= max_loss_db * MARGIN
    return (tried, found) if harmless else (plan, loss_db)


LAST = "last layer"
LOSS_BOUND = "loss bound"  # why a layer stays out of int8: with it, too much would be lost


@dataclass(frozen=True)
class Row:
    """One layer (or the identity of a residual addition) quantised alone."""

    name: str
    loss_db: float  # PSNR-Y lost on held-out pictures
    sqnr_db: float  # signal to quantisation noise of its output; nan for an identity
    kept: str = ""  # why it stays out of int8; empty: it is int8

    @property
    def is_identity(self) -> bool:
        """Whether it is the identity of a residual addition, not a layer."""
        return bool(np.isnan(self.sqnr_db))


def table(rows: Sequence[Row]) -> str:
    """The sensitivity of each layer as text, the most expensive first."""
    lines = [f"{'layer':48} {'loss dB':>8} {'SQNR dB':>8}  "]
    for row in sorted(rows, key=lambda item: -item.loss_db):
        noise = "identity" if row.is_identity else f"{row.sqnr_db:8.1f}"
        lines.append(f"{row.name[-48:]:48} {row.loss_db:8.4f} {noise:>8}  {row.kept}")
    return "\n".join(lines)


def explain(
    rows: Sequence[Row],
    plan: Plan,
    last: set[str],
    anchor: set[str],
    otherwise: str = LOSS_BOUND,
) -> list[Row]:
    """The rows with the reason of what the plan leaves out."""
    explained = []
    for row in rows:
        out = row.name in plan.float_residuals
        inside = not out if row.is_identity else row.name in plan.layers
        if inside:
            reason = ""
        elif row.name in anchor:
            reason = "anchor"
        elif row.name in last:
            reason = LAST
        else:
            reason = otherwise
        explained.append(replace(row, kept=reason))
    return explained


ALIKE = 0.02  # clips nearer than this share of each other are not tried twice


def choose_clips(
    judge: Judge, ranges: Ranges, layers: Collection[str]
) -> tuple[dict[str, float], dict[str, str]]:
    """(tensor -> clip, tensor -> method).

    First every method for all tensors at once; from the best of these, one tensor after the other
    tries the other methods and keeps what lessens the error of the result.
    """
    model = judge.network.model

    def error(methods: dict[str, str]) -> float:
        clips = {name: ranges.tensors[name][method] for name, method in methods.items()}
        return judge.error(quantise(model, Plan(frozenset(layers), clips)))

    starts = {method: dict.fromkeys(ranges.tensors, method) for method in METHODS}
    errors = {method: error(start) for method, start in starts.items()}
    best = min(METHODS, key=lambda method: errors[method])
    methods, least = starts[best], errors[best]
    everything = Plan(frozenset(layers), dict.fromkeys(ranges.tensors, 1.0))
    leaders = tensors_of(model, everything)
    groups = sorted(set(leaders.values()), key=list(ranges.tensors).index)
    for group in tqdm(groups, desc="choosing ranges", unit="tensor", disable=None):
        if judge.budget.spent(0.4, "ranges of some tensors"):
            break
        members = [name for name, leader in leaders.items() if leader == group]
        for method in _different(ranges, group, methods[group]):
            tried = methods | dict.fromkeys(members, method)
            found = error(tried)
            if found < least:
                methods, least = tried, found
    return {name: ranges.tensors[name][method] for name, method in methods.items()}, methods


def _different(ranges: Ranges, tensor: str, used: str) -> list[str]:
    """Methods whose clip is none of those tried already."""
    seen = [ranges.tensors[tensor][used]]
    found = []
    for method in METHODS:
        clip = ranges.tensors[tensor][method]
        if all(abs(clip - other) > ALIKE * max(clip, other) for other in seen):
            seen.append(clip)
            found.append(method)
    return found
