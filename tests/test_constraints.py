"""constraints.txt pins what pyproject.toml asks for, at no less than its minimum."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parent.parent
CI_EXTRAS = ("cpu", "openvino", "media", "convert", "train", "bench", "serve", "dev")
PYTHONS = ("3.10", "3.11", "3.12", "3.13")


def pins() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def asked() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for name in CI_EXTRAS for line in extras[name])]
    return [item for item in map(Requirement, lines) if item.name != "edge-sr"]


@pytest.mark.parametrize("python", PYTHONS)
def test_every_requirement_has_one_pin_that_satisfies_it(python: str) -> None:
    place = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
    }
    found = {
        canonicalize_name(pin.name): pin
        for pin in pins()
        if pin.marker is None or pin.marker.evaluate(place)
    }
    for item in asked():
        if item.marker is not None and not item.marker.evaluate(place):
            continue
        pin = found.get(canonicalize_name(item.name))
        assert pin is not None, f"{item.name} is not pinned for Python {python}"
        (number,) = (part.version for part in pin.specifier)
        assert item.specifier.contains(number, prereleases=True), f"{pin} is not {item}"


def test_pins_are_exact() -> None:
    assert [str(pin) for pin in pins() if [part.operator for part in pin.specifier] != ["=="]] == []
