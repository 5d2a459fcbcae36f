"""What was left out for TensorRT's variant comes back for the CPU's where the bound bears it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calibration.frames.frames import open_frames
from calibration.network.load import load_network
from calibration.quantize.check_rules import broken_cpu_rules, int8_layers
from calibration.quantize.cpu import quantise_for_cpu
from calibration.quantize.cpu_search import plan_for_cpu
from calibration.quantize.judge import Judge, Nearness, split
from calibration.quantize.qdq import Plan
from calibration.quantize.ranges import Ranges, measure_ranges
from calibration.quantize.search import LOSS_BOUND, Row
from tests.calibration.networks import save_luma, save_pictures

WHOLE = frozenset({"body0", "body1", "body2"})
COSTS = {"body0": 0.2, "body1": 0.1, "body2": 0.3}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Judge, Ranges]:
    folder = tmp_path_factory.mktemp("put-back")
    save_luma(folder / "x2.onnx")
    save_pictures(folder / "frames", 8)
    network, frames = load_network(folder / "x2.onnx"), open_frames(folder / "frames")
    return Judge(network, frames), measure_ranges(network, split(frames)[0])


def plans(ranges: Ranges, out: set[str]) -> tuple[Plan, list[Row]]:
    clips = {name: thresholds["minmax"] for name, thresholds in ranges.tensors.items()}
    rows = [Row(n, COSTS[n], 30.0, LOSS_BOUND if n in out else "") for n in sorted(WHOLE)]
    return Plan(WHOLE - out, clips), rows


def layers_within(measured: tuple[Judge, Ranges], out: set[str], bound_db: float) -> set[str]:
    judge, ranges = measured
    plan, rows = plans(ranges, out)
    found, outputs = plan_for_cpu(judge, plan, ranges, rows, max_loss_db=bound_db)
    model = quantise_for_cpu(judge.network.model, found, outputs)
    assert broken_cpu_rules(model) == []
    assert judge.loss_db(model) <= bound_db
    return set(int8_layers(model))


def test_all_come_back_where_the_bound_is_wide(measured: tuple[Judge, Ranges]) -> None:
    assert layers_within(measured, {"body0", "body2"}, 5.0) == WHOLE


def test_none_where_it_is_as_tight_as_before(measured: tuple[Judge, Ranges]) -> None:
    judge, ranges = measured
    plan, rows = plans(ranges, {"body0", "body2"})
    before, outputs = plan_for_cpu(
        judge, plan, ranges, [replace(row, kept="") for row in rows], max_loss_db=5.0
    )
    assert before == plan
    bound_db = judge.loss_db(quantise_for_cpu(judge.network.model, before, outputs))
    assert layers_within(measured, {"body0", "body2"}, bound_db + 1e-6) == {"body1"}


def test_the_cheapest_come_first(
    measured: tuple[Judge, Ranges], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The measured loss is replaced by a sum of known costs, so that exactly one layer fits."""
    judge, _ = measured

    def known(model: object, *, integer: bool = False) -> float:
        return sum(COSTS[name] for name in int8_layers(model))

    monkeypatch.setattr(judge, "loss_db", known)
    assert layers_within(measured, {"body0", "body2"}, 0.4) == {"body0", "body1"}


def test_what_stays_out_for_another_reason_stays(measured: tuple[Judge, Ranges]) -> None:
    judge, ranges = measured
    plan, rows = plans(ranges, {"body0"})
    rows = [replace(row, kept="anchor" if row.kept else "") for row in rows]
    found, _ = plan_for_cpu(judge, plan, ranges, rows, max_loss_db=5.0)
    assert found.layers == WHOLE - {"body0"}


def test_a_floor_broken_by_few_samples_is_named() -> None:
    """49.7 dB alone would read as within the floor of 45."""
    text = Nearness(49.7, 0.9975).describe()
    assert text == (
        "49.7 dB from fp32 on the worst picture, where 0.25% of the samples differ by over 8 levels"
    )
    assert "levels" not in Nearness(49.7, 0.9995).describe()
