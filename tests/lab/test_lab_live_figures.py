"""lab.soak.live_figures: what it prints; its exit code goes by time, which no test judges."""

from __future__ import annotations

import json

import pytest

from lab.soak.live_figures import main


@pytest.mark.slow
def test_the_rates_of_a_file_job_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["file", "--frames", "20", "--infer-ms", "20"]) in (0, 1)
    rates = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(rates) == {"decode", "infer", "encode", "job", "share"}
    assert all(rate > 0 for rate in rates.values())
    assert rates["infer"] < 1000 / 20
