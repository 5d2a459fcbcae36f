"""Choosing, tensor by tensor, the range method whose int8 network is nearest to float32."""

from __future__ import annotations

from collections.abc import Collection

from tqdm import tqdm

from calibration.quantize.judge import Judge
from calibration.quantize.qdq import Plan, quantise, tensors_of
from calibration.quantize.ranges import Ranges
from calibration.quantize.thresholds import METHODS

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
