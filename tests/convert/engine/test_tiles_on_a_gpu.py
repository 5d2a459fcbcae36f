"""`build_engine --tiles` on a machine with a GPU, on doubles: two engines, two sidecars."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from convert.build_engine import main
from convert.onnx.specialise import specialise
from edge_sr import zoo
from edge_sr.cuda.driver import Gpu
from edge_sr.model.build_request import _foreign
from edge_sr.model.engine_facts import Machine, facts_of, seal, tiles_path
from edge_sr.model.sidecar import load_sidecar, sha256_of, sidecar_path, write_sidecar
from tests.convert.engine.device import Device, engines

Built = Callable[..., Any]
WORDS = ("--size", "352x200", "--tiles")


def test_a_tile_engine_is_built_beside_the_engine(device: Device, build: Built) -> None:
    code, out, err = build(*WORDS)
    assert code == 0, err
    path, tiles = (Path(line.partition(": ")[0]) for line in out.splitlines())
    assert tiles == tiles_path(path)
    assert device.asked("profile") == [[[n, 168, 160, 1] for n in (1, 8, 16)]]
    assert device.opened == 2
    whole, card = load_sidecar(path), load_sidecar(tiles)
    assert (whole.width, whole.height, card.width, card.height) == (352, 200, 160, 168)
    assert (card.output_width, card.output_height, card.scale) == (320, 336, "2")
    main_facts, facts = facts_of(whole), facts_of(card)
    assert (main_facts.batch, facts.batch, facts.rim) == (1, 16, 16)
    assert facts.onnx_sha256 == main_facts.onnx_sha256
    assert facts.cache_key != main_facts.cache_key
    assert facts.verified["frames"] >= 8  # type: ignore[index]
    assert "tiles of 160x168 -> 320x336, up to 16 at once" in err
    code, out, err = build(*WORDS)
    assert (code, err.count("(reused)")) == (0, 3)  # the fp16 file as well
    assert device.asked("build") == [None, None]
    tiles.write_bytes(b"damaged")
    code, _, err = build(*WORDS)
    assert (code, err.count("is not used and will be built again")) == (0, 1)
    assert device.asked("build") == [None] * 3
    load_sidecar(tiles)


def test_an_engine_that_is_there_gets_its_tiles(device: Device, build: Built) -> None:
    assert build("--size", "352x200")[0] == 0
    assert [path.name for path in engines() if ".tiles." in path.name] == []
    assert build(*WORDS, "--json")[0] == 0
    assert device.asked("build") == [None, None]
    code, out, _ = build(*WORDS, "--json")
    found = json.loads(out)
    assert (code, found["reused"], found["tiles"]["reused"]) == (0, True, True)
    assert Path(found["tiles"]["file"]) == tiles_path(Path(found["file"]))
    assert found["tiles"]["engine"]["batch"] == 16


def test_both_are_copied_and_replaced_together(
    device: Device, build: Built, tmp_path: Path
) -> None:
    output = tmp_path / "mine.engine"
    words = [*WORDS, "--output", str(output)]
    assert build(*words)[0] == 0
    names = {path.name for path in tmp_path.glob("mine*")}
    expected = {"mine.engine", "mine.engine.json", "mine.tiles.engine", "mine.tiles.engine.json"}
    assert names == expected
    assert load_sidecar(tiles_path(output)).name == "mine.tiles"
    facts_of(load_sidecar(tiles_path(output)))
    assert f"{output}: exists; use --force" in build(*words)[2]
    output.unlink()
    assert f"{tiles_path(output)}: exists; use --force" in build(*words)[2]
    assert build(*words, "--force")[0] == 0
    code, _, err = build("--size", "352x208", "--output", str(output), "--force")
    assert code == 0
    assert "mine.tiles.engine: is of an earlier build; build it again with --tiles" in err


def test_tiles_that_differ_from_onnx_runtime_are_not_kept(device: Device, build: Built) -> None:
    assert build("--size", "352x200")[0] == 0
    device.noise = 9
    code, _, err = build(*WORDS)
    assert code == 1
    assert "the engine does not give what ONNX Runtime gives" in err
    assert [path.name for path in engines() if path.name.endswith(".tiles.engine")] == []
    assert len([path for path in engines() if path.suffix == ".engine"]) == 1


def test_tiles_from_before_the_gpu_are_tried_when_there_is_one(
    device: Device, build: Built
) -> None:
    _, out, _ = build(*WORDS)
    tiles = tiles_path(Path(out.partition(": ")[0]))
    card = load_sidecar(tiles)
    write_sidecar(tiles, seal(card, replace(facts_of(card), verified="skipped: no GPU")))
    code, _, err = build(*WORDS)
    assert (code, err.count("was not tried on a GPU yet")) == (0, 1)
    assert not isinstance(facts_of(load_sidecar(tiles)).verified, str)


def test_the_cache_lists_tiles_and_removes_them_with_their_engine(
    device: Device, build: Built, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = build(*WORDS)
    path = Path(out.partition(": ")[0])
    assert main(["--list-cache"]) == 0
    assert "fp16, tiles of 160x168, 16 at once, TensorRT 10.3" in capsys.readouterr().out
    assert main(["--prune"]) == 0
    assert capsys.readouterr().out.count("removed") == 0
    path.unlink()
    sidecar_path(path).unlink()
    assert main(["--prune"]) == 0
    assert "the engine that it was for is gone" in capsys.readouterr().out
    assert not tiles_path(path).exists()
    assert not sidecar_path(tiles_path(path)).exists()
    assert build(*WORDS)[0] == 0
    device.set_gpu(Gpu("AGX Orin", "8.7", "12.6", True))
    assert main(["--prune"]) == 0
    assert capsys.readouterr().out.count("removed") == 2


def test_tiles_are_no_engine_of_another_machine_for_frames_of_their_size(
    device: Device, build: Built
) -> None:
    assert build(*WORDS)[0] == 0
    machine = Machine(flavour="tensorrt", version="10.3.0.30")
    assert _foreign("edge-unet-s-x2.fp16", (200, 352), machine)
    assert not _foreign("edge-unet-s-x2.fp16", (168, 160), machine)


@pytest.mark.parametrize(
    ("words", "code", "found"),
    [
        (["--sizes", "64x48,128x96,256x192", "--tiles"], 2, "--tiles and --sizes were both given"),
        ([*WORDS, "--dla", "0"], 2, "--tiles and --dla were both given"),
        (
            ["--size", "640x150", "--tiles"],
            1,
            "frames of 640x150 are too small for its tiles of 160x166; expected two",
        ),
        (["--size", "200x200", "--tiles"], 1, "frames of 200x200 are too small"),
        ([*WORDS, "--target", "600x400"], 1, "result is resized to 600x400, which tiles cannot be"),
    ],
)
def test_what_tiles_are_not_for_is_refused_before_anything_is_built(
    words: list[str],
    code: int,
    found: str,
    device: Device,
    build: Built,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if code == 2:
        with pytest.raises(SystemExit) as caught:
            build(*words)
        assert caught.value.code == 2
        assert found in capsys.readouterr().err
    else:
        result, _, err = build(*words)
        assert (result, found in err) == (1, True), err
    assert device.asked("build") == []


def see_everything(model: onnx.ModelProto) -> onnx.ModelProto:
    """The mean of the frame is added to each of its pixels."""
    graph = model.graph
    place = next(n for n, node in enumerate(graph.node) if node.output[0] == "restore_add")
    graph.initializer.append(numpy_helper.from_array(np.float32(50), "much"))
    graph.node[place].input[0] = "raised"
    for node in (
        helper.make_node("Add", ["head", "more"], ["raised"]),
        helper.make_node("Mul", ["mean", "much"], ["more"]),
        helper.make_node("GlobalAveragePool", ["centre_add"], ["mean"]),
    ):
        graph.node.insert(place, node)
    return model


def count_frames(model: onnx.ModelProto) -> onnx.ModelProto:
    """A Reshape to one frame, as many exporters write it."""
    graph = model.graph
    place = next(n for n, node in enumerate(graph.node) if node.output[0] == "frame_padded")
    graph.initializer.append(numpy_helper.from_array(np.array([1, 1]), "one_frame"))
    graph.node[place].input[0] = "reshaped"
    for node in (
        helper.make_node("Reshape", ["frame_nchw", "one_shape"], ["reshaped"]),
        helper.make_node("Concat", ["one_frame", "frame_sides"], ["one_shape"], axis=0),
    ):
        graph.node.insert(place, node)
    return model


def of_one_size(model: onnx.ModelProto) -> onnx.ModelProto:
    return specialise(model, (200, 352), None)


@pytest.mark.parametrize(
    ("change", "sides", "reason"),
    [
        (see_everything, {}, "far or more; tiles need one that sees 80 at most: leave --tiles"),
        (count_frames, {}, "takes no frames in batches"),
        (of_one_size, {"width": 352, "height": 200}, "takes 352x200 only, and no tiles"),
    ],
)
def test_a_network_that_takes_no_tiles_is_refused(
    change: Callable[[onnx.ModelProto], onnx.ModelProto],
    sides: dict[str, int],
    reason: str,
    device: Device,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = zoo.FOLDER / "edge-unet-s-x2.onnx"
    path = tmp_path / "changed.onnx"
    onnx.save(change(onnx.load(source)), path)
    write_sidecar(path, replace(load_sidecar(source), sha256=sha256_of(path), **sides))
    words = ["--flavour", "tensorrt", "--precision", "fp32", *WORDS]
    assert main(["--model", str(path), *words]) == 1
    said = capsys.readouterr().err
    assert reason in said, said
    assert "leave --tiles out" in said
    assert device.asked("build") == []
