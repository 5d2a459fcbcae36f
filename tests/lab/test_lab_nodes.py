"""The profile by node."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.nodes import NodeTime, _medians, main, table


def test_a_shipped_model_is_profiled(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--models", "edge-unet-s-x2", "--size", "64x48", "--runs", "9"]) == 0
    out = capsys.readouterr().out
    assert "edge-unet-s-x2, 64x48" in out
    assert "| node | operator | ms | share |" in out  # which nodes are small is the machine's doing
    assert "| **all** |" in out


def test_the_profile_goes_between_its_marks(tmp_path: Path) -> None:
    document = tmp_path / "models.md"
    document.write_text("above\n<!-- nodes -->\n<!-- /nodes -->\nbelow\n")
    options = ["--models", "edge-unet-s-x2", "--size", "64x48", "--runs", "9"]
    assert main([*options, "--write", str(document)]) == 0
    text = document.read_text()
    assert text.startswith("above\n<!-- nodes -->\n2")
    assert "| **all** |" in text
    assert text.endswith("\n<!-- /nodes -->\nbelow\n")


def test_the_warm_up_is_left_out_and_small_nodes_are_summed() -> None:
    def event(name: str, micros: float) -> dict[str, object]:
        args = {"op_name": "Conv"}
        return {"cat": "Node", "name": f"{name}_kernel_time", "dur": micros, "args": args}

    events = [event("a", micros) for micros in (9e6, 9e6, 1000, 3000, 2000)]
    events += [event("b", 1.0) for _ in range(5)] + [{"cat": "Session", "name": "run", "dur": 5}]
    nodes = _medians(events)
    assert nodes == [NodeTime("a", "Conv", 2.0), NodeTime("b", "Conv", 0.001)]
    assert table(nodes).splitlines()[2:] == [
        "| a | Conv | 2.00 | 100.0% |",
        "| 1 others | | 0.00 | 0.0% |",
        "| **all** | | **2.00** | |",
    ]


def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--models", "nothing"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(SystemExit, match="2"):
        main(["--models", "edge-unet-s-x2", "--runs", "0"])
