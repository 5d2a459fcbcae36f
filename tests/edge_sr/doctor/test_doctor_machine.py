"""What the doctor finds out about the machine: board, driver, power mode."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from edge_sr.doctor import machine


def test_a_jetson_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "etc/nv_tegra_release").write_text("# R36 (release), REVISION: 4.3, GCID: 1\n")
    (tmp_path / "proc/device-tree/model").write_text("NVIDIA Jetson Orin Nano\0")
    found = {line.name: line for line in machine.lines(tmp_path)}
    assert found["Jetson"].found == "NVIDIA Jetson Orin Nano, L4T 36.4.3, JetPack 6.2"
    assert found["Jetson"].state == "ok"
    for release, state in (("R35 (release), REVISION: 4.1", "gap"), ("R36", "note"),
                           ("R36 (release), REVISION: 3.0", "gap"),
                           ("R39 (release), REVISION: 2.0", "ok")):  # fmt: skip
        (tmp_path / "etc/nv_tegra_release").write_text(f"# {release}\n")
        assert {line.name: line for line in machine.lines(tmp_path)}["Jetson"].state == state


def test_a_card_without_a_driver_is_a_gap(tmp_path: Path) -> None:
    card = tmp_path / "sys/bus/pci/devices/0000:01:00.0"
    card.mkdir(parents=True)
    (card / "vendor").write_text("0x10de\n")
    (card / "class").write_text("0x030000\n")
    found = {line.name: line for line in machine.lines(tmp_path)}["NVIDIA driver"]
    assert (found.state, found.advice) == ("gap", "sudo ubuntu-drivers install")


NVPMODEL = {
    "Orin Nano Super": (
        "< POWER_MODEL ID=0 NAME=15W >\nCPU_ONLINE CORE_0 1\n< POWER_MODEL ID=1 NAME=25W >\n"
        "< POWER_MODEL ID=2 NAME=MAXN_SUPER >\n< POWER_MODEL ID=3 NAME=7W >\n"
        "< PM_CONFIG DEFAULT=1 >\n",
        (2, "MAXN_SUPER"),
    ),
    "AGX Orin": (
        "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=1 NAME=MODE_15W >\n"
        "< POWER_MODEL ID=2 NAME=MODE_30W >\n< POWER_MODEL ID=3 NAME=MODE_50W >\n",
        (0, "MAXN"),
    ),
    "no MAXN": (
        "< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=1 NAME=7W >\n",
        (0, "15W"),
    ),
    "unknown": ("# nothing\n", None),
}


@pytest.mark.parametrize("board", NVPMODEL)
def test_the_fastest_power_mode_is_the_boards_own(board: str) -> None:
    text, expected = NVPMODEL[board]
    assert machine.fastest_mode(text) == expected


@pytest.mark.parametrize(
    ("board", "now", "advice"),
    [
        ("Orin Nano Super", "15W", "sudo nvpmodel -m 2 && sudo jetson_clocks"),
        ("Orin Nano Super", "MAXN_SUPER", ""),
        ("AGX Orin", "MODE_30W", "sudo nvpmodel -m 0 && sudo jetson_clocks"),
        ("no MAXN", "15W", ""),
        ("unknown", "15W", "sudo nvpmodel -p --verbose"),
    ],
)
def test_power_advice_names_the_mode_of_this_board(
    board: str, now: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvpmodel"
    tool.write_text(f"#!/bin/sh\necho 'NV Power Mode: {now}'\necho 0\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/nvpmodel.conf").write_text(NVPMODEL[board][0])
    found = {line.name: line for line in machine.lines(tmp_path)}["power mode"]
    assert (found.state, found.advice) == ("gap" if advice else "ok", advice)


def test_a_power_tool_that_hangs_or_may_not_be_run_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.shutil, "which", lambda _: "/usr/sbin/nvpmodel")
    for error in (PermissionError(13, "denied"), subprocess.TimeoutExpired("nvpmodel", 10)):

        def fail(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(machine.subprocess, "run", fail)
        (found,) = machine._power_mode(tmp_path)
        assert (found.state, found.advice) == ("gap", "sudo nvpmodel -q")


@pytest.mark.parametrize(
    ("revision", "jetpack"),
    [("R36 (release), REVISION: 4.0", "6.1"), ("R36 (release), REVISION: 4.4", "6.2.1"),
     ("R36 (release), REVISION: 5.0", "6.2.2"), ("R38 (release), REVISION: 2.0", "7.0"),
     ("R39 (release), REVISION: 1.0", "7.2")],
)  # fmt: skip
def test_the_jetpack_of_a_release_is_named(tmp_path: Path, revision: str, jetpack: str) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/nv_tegra_release").write_text(f"# {revision}, GCID: 1\n")
    (found,) = machine._jetson(tmp_path)
    assert found.found.endswith(f", JetPack {jetpack}")
