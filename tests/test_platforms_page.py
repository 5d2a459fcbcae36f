"""docs/platforms.md is the table that `make check-platforms` writes, of today's requirements."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from source import ROOT

from tests.tools import check_platforms
from tests.tools.check_platforms import (
    BEGIN,
    END,
    IN_README,
    SHOWN,
    WANTED,
    complaint_about,
    requirements,
)

PAGE = (ROOT / "docs" / "platforms.md").read_text()
TABLE = PAGE.partition(BEGIN)[2].partition(END)[0]
ROWS = [
    [cell.strip(" `") for cell in line.strip("|").split("|")]
    for line in TABLE.splitlines()
    if line.startswith("| `")
]


def test_the_readme_shows_the_rows_for_gpus() -> None:
    shown = (ROOT / "README.md").read_text().partition(BEGIN)[2].partition(END)[0].splitlines()
    rows = [line for line in TABLE.splitlines() if line.startswith(IN_README)]
    assert [line for line in shown if line.startswith("| `")] == rows
    assert len(rows) == len(IN_README)
    assert [line for line in shown if line not in rows] == [
        line for line in TABLE.splitlines() if not line.startswith("| `")
    ]


def test_every_extra_and_machine_has_a_row() -> None:
    wanted = {
        (extra, python, "aarch64" if "aarch64" in platform else "x86_64")
        for extra, machines in WANTED.items()
        for python, platform in machines
    }
    assert {tuple(row[:3]) for row in ROWS} == wanted
    assert len(ROWS) == len(wanted)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row[:3]))
def test_the_versions_are_the_ones_that_are_asked_for(row: list[str]) -> None:
    extra, python, _, *versions, driver = row
    shown = dict(zip(SHOWN, versions, strict=True))
    known = {name: version for name, version in shown.items() if version}
    assert complaint_about(extra, known) == ""
    environment = {"python_version": python}
    found = set()
    for item in map(Requirement, requirements(tuple(extra.split(",")))):
        name = "tensorrt" if item.name.startswith("tensorrt") else item.name
        if name in known and (item.marker is None or item.marker.evaluate(environment)):
            assert item.specifier.contains(known[name]), f"{item}, and the table has {known[name]}"
            found.add(name)
    assert found == set(known)
    if extra.startswith("jetson"):
        assert (driver, shown["tensorrt"]) == ("L4T's", "")
    else:
        wanted = {"cpu": "", "tensorrt-cu13": "580 or later"}
        assert driver == wanted.get(extra, "525 or later")


@pytest.mark.parametrize(
    ("extra", "found", "complaint"),
    [
        ("jetson", {"numpy": "1.26.4", "cuda-python": "12.9.10"}, ""),
        ("jetson", {"numpy": "2.2.6", "cuda-python": "12.9.10"}, "NumPy 2.2.6 does not fit"),
        ("rtx", {"numpy": "2.2.6", "cuda-python": "13.0.1"}, "refuses drivers before 580"),
        ("cpu", {"numpy": "2.2.6"}, ""),
    ],
)
def test_versions_that_do_not_fit_are_a_complaint(
    extra: str, found: dict[str, str], complaint: str
) -> None:
    said = complaint_about(extra, found)
    assert re.search(complaint, said)
    assert bool(said) == bool(complaint)


def test_the_page_is_written_between_its_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    readme = tmp_path / "README.md"
    for path in (page, readme):
        path.write_text(f"before {BEGIN} old {END} after")
    monkeypatch.setattr(check_platforms, "PAGE", page)
    monkeypatch.setattr(check_platforms, "README", readme)
    short = f"{IN_README[0]}x |"
    check_platforms.write_table([short, "| row |"], "1 May 2027")
    assert readme.read_text().endswith(f"---|\n{short}\n{END} after")
    text = page.read_text()
    assert text.startswith(f"before {BEGIN}\nResolved on 1 May 2027.\n\n| extra |")
    assert text.endswith(f"| row |\n{END} after")
