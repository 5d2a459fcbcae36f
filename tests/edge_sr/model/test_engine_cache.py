"""The engine cache: all of the key counts, nothing damaged is used, one builder at a time."""

from __future__ import annotations

import json
import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_sr.errors import ModelFileError
from edge_sr.model.engine_cache import (
    EngineKey,
    cache_dir,
    engine_path,
    find_engine,
    key_of,
    locked,
)
from edge_sr.model.engine_facts import Machine, seal
from edge_sr.model.sidecar import sha256_of, write_sidecar
from tests.edge_sr.model.test_engine_facts import ON_ORIN
from tests.edge_sr.model.test_engine_seal import sidecar

KEY = EngineKey(
    onnx_sha256="ab" * 32,
    size="64x48",
    target="",
    flavour="tensorrt",
    version="10.3.0.26",
    gpu="Orin",
    compute_capability="8.7",
    cuda_major="12",
    options={},
)


def put(folder: Path, key: EngineKey = KEY) -> Path:
    path = engine_path("x", key, folder=folder)
    path.write_bytes(bytes(range(256)) * 40)
    facts = replace(ON_ORIN, cache_key=key.digest)
    write_sidecar(path, seal(replace(sidecar(), sha256=sha256_of(path)), facts))
    return path


@pytest.mark.parametrize(
    "change",
    [
        {"onnx_sha256": "cd" * 32},
        {"size": "48x64"},
        {"target": "1920x1080"},
        {"flavour": "tensorrt-rtx"},
        {"version": "10.3.0.30"},
        {"gpu": "Thor"},
        {"compute_capability": "8.6"},
        {"cuda_major": "13"},
        {"options": {"optimization_level": 5}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_of_the_key_counts(change: dict[str, Any], tmp_path: Path) -> None:
    path = put(tmp_path)
    found = find_engine("x", KEY, folder=tmp_path)
    assert found is not None
    assert found[0] == path
    assert find_engine("x", replace(KEY, **change), folder=tmp_path) is None


def test_each_gpu_of_a_machine_has_engines_of_its_own() -> None:
    rtx4090 = Machine(
        flavour="tensorrt",
        version="10.16.1.11",
        gpu="NVIDIA GeForce RTX 4090",
        compute_capability="8.9",
        cuda="12.8",
    )
    l40 = replace(rtx4090, gpu="NVIDIA L40")  # of the same compute capability

    def digest(machine: Machine, **options: str) -> str:
        return key_of(onnx_sha256="a", size="64x48", machine=machine, options=options).digest

    assert digest(rtx4090) != digest(l40)
    same = "same-compute-capability"
    assert digest(rtx4090, hardware=same) == digest(l40, hardware=same)
    on_rtx = [replace(machine, flavour="tensorrt-rtx") for machine in (rtx4090, l40)]
    assert len({digest(machine) for machine in on_rtx}) == 1  # it is portable


def test_an_engine_under_another_key_is_not_taken(tmp_path: Path) -> None:
    other = replace(KEY, gpu="Thor")
    path, wrong = put(tmp_path), engine_path("x", other, folder=tmp_path)
    path.rename(wrong)
    path.with_name(path.name + ".json").rename(wrong.with_name(wrong.name + ".json"))
    lines: list[str] = []
    assert find_engine("x", other, folder=tmp_path, notify=lines.append) is None
    assert "is of another engine" in lines[0]


def test_damage_at_100_places_of_engine_and_sidecar_is_never_used(tmp_path: Path) -> None:
    path = put(tmp_path)
    for file in (path, path.with_name(path.name + ".json")):
        whole = file.read_bytes()
        for place in range(0, len(whole), len(whole) // 100):
            lines: list[str] = []
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            found = find_engine("x", KEY, folder=tmp_path, notify=lines.append)
            if found is not None:  # a space that became another character JSON skips: same facts
                assert json.loads(file.read_bytes()) == json.loads(whole), place
            else:
                assert len(lines) == 1
                assert "\n" not in lines[0]
                assert lines[0].startswith("the cached engine is not used and will be built again")
            file.write_bytes(whole[:place])  # cut short
            assert find_engine("x", KEY, folder=tmp_path) is None or file.read_bytes() == whole
        file.unlink()
        assert find_engine("x", KEY, folder=tmp_path) is None
        file.write_bytes(whole)
    assert find_engine("x", KEY, folder=tmp_path) is not None


def hold(path: Path, ready: Any, go: Any) -> None:
    with locked(path):
        ready.set()
        go.wait(30)


def test_a_second_builder_waits_and_gives_up_in_time(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, go = context.Event(), context.Event()
    path = tmp_path / "x.engine"
    child = context.Process(target=hold, args=(path, ready, go))
    child.start()
    try:
        assert ready.wait(30)
        lines: list[str] = []
        with pytest.raises(ModelFileError, match="still holds it"), locked(path, timeout_s=0):
            pass
        go.set()
        with locked(path, timeout_s=30, notify=lines.append):
            pass
    finally:
        go.set()
        child.join()


def test_the_lock_goes_with_a_killed_process(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, go = context.Event(), context.Event()
    child = context.Process(target=hold, args=(tmp_path / "x.engine", ready, go))
    child.start()
    assert ready.wait(30)
    child.kill()
    child.join()
    with locked(tmp_path / "x.engine", timeout_s=1):
        pass


def test_a_cache_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelFileError, match="set XDG_CACHE_HOME"), locked(tmp_path / "file" / "x"):
        pass


def test_the_cache_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "edge-sr"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # the specification: ignore it
    assert cache_dir() == Path.home() / ".cache" / "edge-sr"
