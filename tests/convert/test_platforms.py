"""JetPack's table, and what the owner of a Jetson reads."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import Any

import pytest

from convert.engine.options import BuildOptions
from convert.engine.platforms import JETPACKS, about_jetson, check_version, jetpack_of, numbers
from edge_sr.errors import BackendError, UsageError
from edge_sr.model.engine_facts import Machine


@pytest.mark.parametrize(
    ("l4t", "name"),
    [
        ("35.4.1", "5.1"),
        ("36.3.0", "6.0"),
        ("36.4.0", "6.1"),
        ("36.4.3", "6.2"),
        ("36.4.7", "6.2"),
        ("36.5.0", "6.2.2"),
        ("38.2.1", "7.0"),
        ("39.2.0", "7.2"),
    ],
)
def test_the_board_support_package_names_the_jetpack(l4t: str, name: str) -> None:
    found = jetpack_of(l4t)
    assert found is not None
    assert found.name == name


def test_unknown_releases_are_not_guessed() -> None:
    assert jetpack_of("32.7.1") is None
    assert jetpack_of("") is None
    assert jetpack_of("3") is None
    assert len({item.l4t for item in JETPACKS}) == len(JETPACKS)


def test_only_versions_before_10_are_refused() -> None:
    for version in ("10.0.1.6", "10.16.2.10", "11.4.0.106"):
        check_version("tensorrt", version, l4t="")
    check_version("tensorrt-rtx", "1.7.1.116", l4t="")
    with pytest.raises(BackendError, match=r"JetPack 6\.0: update to JetPack 6\.1"):
        check_version("tensorrt", "8.6.2.3", l4t="36.3.0")


@pytest.fixture
def power(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert command == ["nvpmodel", "-q"]
        return subprocess.CompletedProcess(command, 0, "NV Power Mode: MAXN_SUPER\n2\n")

    monkeypatch.setattr(subprocess, "run", run)


def test_a_jetson_hears_of_its_jetpack_and_power_mode(power: None) -> None:
    lines = about_jetson("tensorrt", "10.3.0", "/usr/lib/tensorrt.py", l4t="36.4.3")
    assert lines[0] == "Jetson with JetPack 6.2 (L4T 36.4.3), TensorRT 10.3.0"
    assert len(lines) == 2
    assert lines[1].startswith("power mode MAXN_SUPER; it and the clocks decide")


def test_a_tensorrt_that_hides_jetpacks_is_warned_of(power: None) -> None:
    lines = about_jetson("tensorrt", "11.4.0.106", "/venv/tensorrt/__init__.py", l4t="36.4.3")
    assert lines[1].startswith("warning: JetPack 6.2 brings TensorRT 10.3, but 11.4.0.106 is")
    assert "/venv/tensorrt/__init__.py" in lines[1]
    assert "pip uninstall tensorrt" in lines[1]


def test_a_later_tensorrt_that_is_for_a_jetpack_is_not_warned_of(power: None) -> None:
    """Release notes of TensorRT 11.4.1: for JetPack 7.2.2 and later."""
    lines = about_jetson("tensorrt", "11.4.1.15", "/usr/lib/tensorrt.py", l4t="39.2.2")
    assert len(lines) == 2
    assert "warning" in about_jetson("tensorrt", "11.4.0.106", "/x.py", l4t="39.2.0")[1]


def test_other_machines_hear_nothing() -> None:
    assert about_jetson("tensorrt", "10.3.0", None, l4t="") == []


def test_a_jetson_without_nvpmodel_gets_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert (
        "unknown (nvpmodel -q does not say)"
        in about_jetson("tensorrt", "10.3", "", l4t="36.4.3")[-1]
    )


def test_versions_are_compared_as_numbers() -> None:
    assert numbers("10.13.0.35") > numbers("10.3.0.26")
    assert numbers("10.0.0b6") == (10, 0, 0)
    assert numbers("dev") == ()


ORIN = Machine(flavour="tensorrt", version="10.3.0.26", gpu="Orin", l4t="36.4.3")


@pytest.mark.parametrize(
    ("options", "change", "words"),
    [
        ({"hardware": "ampere-plus"}, {}, "on a Jetson; build on each board"),
        ({"hardware": "same-compute-capability"}, {"l4t": ""}, "came with 10.13"),
        ({"compute_capabilities": ("8.6",)}, {}, "is TensorRT-RTX's"),
        ({"dla": 0}, {"version": "10.13.3.9"}, "has no DLA"),
        ({"dla": 0}, {"version": "11.2.1"}, "has no DLA"),
        ({"dla": 0}, {"version": "11.4.0.106"}, "has no DLA"),
    ],
    ids=str,
)
def test_options_that_a_machine_lacks_are_refused(
    options: dict[str, Any], change: dict[str, str], words: str
) -> None:
    with pytest.raises(BackendError, match=words):
        BuildOptions(**options).check(replace(ORIN, **change))  # type: ignore[arg-type]


def test_options_that_a_machine_has_pass() -> None:
    BuildOptions(dla=0, version_compatible=True).check(ORIN)
    BuildOptions(dla=0).check(replace(ORIN, version="11.4.1.1"))
    desktop = replace(ORIN, l4t="", version="10.13.0.35")
    BuildOptions(hardware="same-compute-capability").check(desktop)


@pytest.mark.parametrize(
    "options",
    [{"workspace_mib": 0}, {"optimization_level": 6}, {"compute_capabilities": ("89",)}],
    ids=str,
)
def test_options_out_of_range_are_wrong_usage(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="expected"):
        BuildOptions(**options)


def test_only_options_that_were_set_are_in_the_key() -> None:
    assert BuildOptions().key == {}
    assert BuildOptions(optimization_level=0, dla=0).key == {"optimization_level": 0, "dla": 0}
