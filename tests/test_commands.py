"""Every command that a document shows is run, or says in a comment which hardware it needs.

A document is one folder, with tiny files under the names it uses; its commands run in its order.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import shlex
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from shell_commands import ROOT, Command, commands, less, run
from stand_ins import make_files

from edge_sr.cli.main import build_parser
from tests.tools.check_platforms import requirements

# what a test does not do, and why
ELSEWHERE = {
    "make ": "test_readme.py looks the targets up; CI runs `make test`, which is this",
    "python3 -m venv ": "tests run in the environment that `make` has made",
    ".venv/bin/edge-sr ": "the same as edge-sr, in an environment of its own",
    "pip install pip-audit ": "asks an advisory service over the network",
    "python -m convert.zoo ": "makes the shipped files again: hours",
    "python -m lab.targets ": "measures for an hour, and writes into the document",
    "python -m lab.on_video ": "needs rival networks; test_lab_on_video.py runs it on one",
    "python -m lab.search ": "measures and trains for hours, and writes into the document",
    "python -m lab.external_models ": "needs rivals; test_lab_external_models.py runs it on one",
    "python -m lab.nodes ": "measures for minutes, and writes into the document",
    "python -m training.make_pool ": "films for minutes; test_pool.py runs it on small frames",
    "python -m training.evaluate_video ": "test_evaluate_video.py runs it on small frames",
    "python -m training.draw ": "draws for minutes; test_draw.py draws small pictures",
    "python -m training.scenes.vivid ": "sharpens what make_pool filmed; test_vivid.py does it",
    "python -m training.held_out ": "needs pictures of its list; test_held_out.py has such",
    "python -m training.train --recipe training/recipes/edge-unet-s-live-x2-second": "test_pool.py",
    "python -m training.train --recipe lab/recipes/edge-unet-l-x2-tenth": "test_draw.py",
    "python -m training.train --recipe training/recipes/unet-2020": "takes clips of 1280x720 alone",
}
PROGRAMS = ("edge-sr ", "python -m ")
PIP = re.compile(r"(?:\.venv/bin/)?pip install '\.\[([\w,]+)\]'")
PAGES = {page.name: page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
# of extras for devices: `dev` installs the bindings of cuda-python, and a NumPy for all packages
DEVICE_ONLY = {"cuda-python", "numpy<2"}
LEFT = {  # document: what its commands leave behind
    "README.md": (
        *("film-x2.mp4", "bigger/0.png", "mine.onnx", "rows.jsonl"),
        "runs/edge-unet-s-x2-fine/best.keras",
    ),
    "benchmarks.md": ("report/report.html",),
    "engines.md": ("other.engine", "other.engine.json"),
    "int8.md": ("s.int8.onnx", "ranges.json", "x2-qat.int8.onnx"),
    "training.md": ("mine.onnx", "mean.keras", "runs/from-frames/last.npz"),
}


def is_run(command: Command) -> bool:
    left_out = command.needs or command.line.startswith(tuple(ELSEWHERE)) or PIP.match(command.line)
    return not left_out


def shown(page: str) -> list[Command]:
    return commands(PAGES[page].read_text())


@pytest.mark.slow
@pytest.mark.parametrize("page", [name for name in PAGES if any(map(is_run, shown(name)))])
def test_what_a_document_shows_works(page: str, tmp_path: Path) -> None:
    for package in ("keras", "onnx", "skimage", "tensorrt_rtx"):
        pytest.importorskip(package, reason="pip install 'edge-sr[convert,train,bench,dev]'")
    make_files(tmp_path)
    for command in filter(is_run, shown(page)):
        printed = run(less(command.line), tmp_path)
        assert "Traceback" not in printed, f"$ {command.line}\n{printed}"
    for name in LEFT.get(page, ()):
        assert (tmp_path / name).exists(), name


def test_what_needs_a_gpu_or_a_camera_says_so() -> None:
    for page in PAGES:
        for command in shown(page):
            if re.search(r"--backend tensorrt|--camera", command.line):
                assert command.needs, f"{page}: {command.line}"


@pytest.mark.parametrize(
    "line",
    sorted(
        {c.line for page in PAGES for c in shown(page) if c.needs and c.line.startswith(PROGRAMS)}
    ),
)
def test_what_needs_a_device_has_options_that_exist(line: str) -> None:
    words = shlex.split(line, comments=True)
    if words[0] == "edge-sr":
        assert callable(build_parser().parse_args(words[1:]).command)
        return
    pytest.importorskip("onnx", reason="pip install 'edge-sr[convert,bench]'")
    name = f"{words[2]}.__main__" if words[2] == "bench" else words[2]
    assert importlib.import_module(name).build_parser().parse_args(words[3:])


def test_few_commands_of_the_readme_are_not_run() -> None:
    left = {item.line.split(" -")[0] for item in shown("README.md") if not is_run(item)}
    assert {line for line in left if not line.startswith(("make ", "pip ", "python3 -m venv"))} == {
        "python3",
        "edge-sr run 0",
        "edge-sr run film.mp4",
    }


@pytest.mark.parametrize(
    "line", sorted({c.line for page in PAGES for c in shown(page) if PIP.match(c.line)})
)
def test_pip_brings_what_is_installed_here(line: str) -> None:
    extras = PIP.match(line)
    assert extras is not None
    for text in requirements(tuple(extras[1].split(","))):
        item = Requirement(text)
        if DEVICE_ONLY.isdisjoint({item.name, str(item)}) and (
            item.marker is None or item.marker.evaluate()
        ):
            version = importlib.metadata.version(item.name)
            assert item.specifier.contains(version, prereleases=True), f"{item}: {version}"
    for other in shlex.split(line)[2:]:
        assert other.startswith(".") or other == "cuda-python<13"
