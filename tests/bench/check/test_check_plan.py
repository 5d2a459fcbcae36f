"""The plan of `device-check`: every step has a result, whatever becomes of its process."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from clocks import Clock

from bench.check import plan
from bench.check.options import Options
from bench.check.page import Pages, summary
from bench.check.plan import Outcome, Step, cuda_steps, engine_steps, run_plan
from bench.check.step import STEPS
from edge_sr.errors import ModelFileError

OPTIONS = Options(size=(64, 48), frames=10, timed=5)
GOOD = json.dumps({"good": True, "lines": ["fine"], "figure": 1})


class Processes:
    """Stands for the processes of the steps: what each prints, and how it ends."""

    def __init__(self, patch: pytest.MonkeyPatch, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any], float]] = []
        patch.setattr(plan, "run_module", self.run)

    def run(
        self, _module: str, words: list[str], *, text: str, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        self.asked.append((words[0], json.loads(text), timeout_s))
        out, code, err = self.answers[words[0]]
        if isinstance(out, Exception):
            raise out
        return subprocess.CompletedProcess(words, code, out, err)


def test_each_end_of_a_process_is_a_result(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: Clock
) -> None:
    failed = json.dumps({"good": False, "lines": ["7 wrong"]})
    no_kernels = "TensorRT-RTX 1.7 cannot build for compute capability 9.0 of this NVIDIA H200"
    Processes(
        monkeypatch,
        a=(GOOD, 0, ""),
        b=(failed, 0, "one\ntwo\n"),
        c=("", -11, "deep inside\n"),
        d=(json.dumps({"skipped": "no TensorRT is installed"}), 0, ""),
        e=(subprocess.TimeoutExpired("e", 120), 0, ""),
        f=(json.dumps({"good": False, "lines": ["see above"]}), 0, f"note\n{no_kernels}\n"),
    )
    pages = Pages(tmp_path / "out", OPTIONS, minutes=10)
    steps = [Step(name, name.upper()) for name in "abcdef"]
    outcomes = run_plan(steps, OPTIONS, minutes=10, keep=pages.write)
    states = [outcome.state for outcome in outcomes]
    assert states == ["good", "failed", "failed", "cannot run", "failed", "cannot run"]
    assert outcomes[0].found == {"figure": 1}
    assert outcomes[1].log == ["one", "two"]
    assert "SIGSEGV" in outcomes[2].lines[0]
    assert outcomes[3].lines == ["no TensorRT is installed"]
    assert outcomes[4].lines == ["no answer within 120 s"]
    assert outcomes[5].lines == [no_kernels]
    assert summary(outcomes) == "1 good, 3 failed, 2 cannot run"
    page = (tmp_path / "out/device-check.md").read_text()
    assert "| B | FAILED | 0.0 |" in page
    assert "## D: cannot run\n\n- no TensorRT is installed" in page
    assert "one\ntwo" in page


def test_what_is_known_is_on_the_disk_before_a_step_begins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: Clock
) -> None:
    """The machine may hang or lose power in any step."""
    pages = Pages(tmp_path, OPTIONS, minutes=10)
    Processes(monkeypatch, a=(GOOD, 0, ""))
    monkeypatch.setattr(plan, "run_module", interrupting(plan.run_module, "b"))
    with pytest.raises(KeyboardInterrupt):
        run_plan([Step("a", "A"), Step("b", "B")], OPTIONS, minutes=10, keep=pages.write)
    found = json.loads((tmp_path / "device-check.json").read_text())
    assert [(step["name"], step["state"]) for step in found["steps"]] == [
        ("a", "good"),
        ("b", "running"),
    ]
    assert found["options"] == {"size": [64, 48], "frames": 10, "timed": 5}


def interrupting(run: Any, name: str) -> Any:
    def wrapped(module: str, words: list[str], **named: Any) -> Any:
        if words[0] == name:
            raise KeyboardInterrupt
        return run(module, words, **named)

    return wrapped


def test_the_time_is_bounded(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    processes = Processes(monkeypatch, a=(GOOD, 0, ""), engine=(GOOD, 0, ""))
    inner = processes.run

    def slow(*words: Any, **named: Any) -> Any:
        time.sleep(50)
        return inner(*words, **named)

    monkeypatch.setattr(plan, "run_module", slow)
    steps = [Step("a", "A"), *engine_steps(["m"], ["fp16", "int8"]), Step("a", "A")]
    outcomes = run_plan(steps, OPTIONS, minutes=2, keep=lambda _: None)
    assert [limit for _, _, limit in processes.asked] == [120, 70, 20]
    assert [outcome.state for outcome in outcomes] == ["good", "good", "good", "not run"]
    assert outcomes[3].lines == ["the 2 minutes were over"]
    assert processes.asked[2][1]["precision"] == "int8"


def test_every_step_of_the_plan_exists() -> None:
    assert [step.name for step in cuda_steps()] == list(STEPS)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ModelFileError, match="cannot be made"):
        Pages(tmp_path / "out", OPTIONS, minutes=1)


def test_the_page_has_a_table_of_an_engines_times(tmp_path: Path) -> None:
    table = [["graphs", "slots"], ["no", "1"], ["yes", "2"]]
    outcome = Outcome("engine", "m, fp16", "good", 3.0, ["fp16"], [], {"table": table})
    pages = Pages(tmp_path, OPTIONS, minutes=1)
    pages.write([outcome])
    page = (tmp_path / "device-check.md").read_text()
    assert "| graphs | slots |\n|---|---|\n| no | 1 |\n| yes | 2 |" in page
