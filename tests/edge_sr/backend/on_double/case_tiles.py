"""Stillness with engines: a tile engine beside the engine computes what changed, in batches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import double
import numpy as np
import onnx
import pytest
import tensorrt
from frames import SILENT, UNSURVIVABLE
from numpy.typing import NDArray
from plans import write_engine, write_tiles

from convert.engine.build import try_engine
from convert.onnx.specialise import free_batch, specialise
from edge_sr import zoo
from edge_sr.backend.tensorrt.backend import TensorRTBackend
from edge_sr.errors import BackendError, FrameError
from edge_sr.media.frame import Frame
from edge_sr.model.engine_facts import facts_of, tile_sides, tiles_path
from edge_sr.model.sidecar import load_sidecar, sidecar_path, write_sidecar
from edge_sr.session.base import Session
from edge_sr.session.plan import CostModel
from edge_sr.types import Size
from edge_sr.upscaler import Upscaler

SIZE = Size(352, 200)
UNKNOWN = 999
Luma = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def by_pixels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tiles are taken or not by their pixels alone: no times of this machine."""
    for name in ("note_whole", "note_tiles", "note_refused"):
        monkeypatch.setattr(CostModel, name, lambda *_: None)
    tensorrt.batches.clear()
    yield
    tensorrt.tiles["wrong"] = 0
    tensorrt.refuse.clear()


def engines(folder: Path, size: Size = SIZE, scale: str = "2", **facts: Any) -> Path:
    """An engine for frames of one size, and its tile engine beside it."""
    path, _ = write_engine(folder, model=f"edge-unet-s-x{scale}", size=size)
    write_tiles(path, rim=16, **facts)
    return path


@contextmanager
def opened(path: Path, slots: int = 2) -> Iterator[Upscaler]:
    sidecar = load_sidecar(path)
    with Upscaler(TensorRTBackend(path, sidecar, slots=slots, graphs="off"), sidecar) as upscaler:
        yield upscaler


def frame(luma: Luma) -> Frame:
    rows, columns = luma.shape
    chroma = np.full((rows // 2, columns // 2), 128, np.uint8)
    return Frame((luma, chroma, chroma), 0, Fraction(1, 25))


def background(size: Size) -> Luma:
    return np.random.default_rng(5).integers(0, 256, (size.height, size.width), np.uint8)


def moving(size: Size, count: int = 8) -> list[Luma]:
    """A bright square that moves over a picture that holds still, to the frame's last pixels."""
    found = []
    for number in range(count):
        luma = background(size)
        top, left = (int((side - 30) * number / (count - 1)) for side in (size.height, size.width))
        luma[top : top + 30, left : left + 30] = 250
        found.append(luma)
    return found


def upscale(session: Session, images: list[Luma]) -> Iterator[tuple[Luma, float]]:
    """Results, with as many frames in flight as the session takes, and the computed shares."""
    for luma in images:
        if session.in_flight == session.depth:
            yield session.collect().y.copy(), session.computed
        session.submit(frame(luma))
    while session.in_flight:
        yield session.collect().y.copy(), session.computed


@pytest.mark.parametrize(
    ("size", "scale", "integrated"),
    [
        (Size(640, 360), "2", 0),  # 360 is no multiple of 16
        (Size(640, 368), "2", 1),
        (Size(487, 299), "2", 0),
        (Size(640, 360), "1.5", 1),
        (Size(640, 368), "1.5", 0),
        (Size(487, 299), "1.5", 0),
    ],
)
def test_exact_gives_the_bytes_of_whole_frames_for_less(
    size: Size, scale: str, integrated: int, tmp_path: Path
) -> None:
    double.reset(seed=2, integrated=integrated)
    images = moving(size)
    with opened(engines(tmp_path, size, scale)) as upscaler:
        whole = [result for result, _ in upscale(upscaler.session(size), images)]
        found = list(upscale(upscaler.session(size, still="exact"), images))
        notices = upscaler.notices
    for number, ((result, share), wanted) in enumerate(zip(found, whole, strict=True)):
        assert np.array_equal(result, wanted), number
        assert share == 1.0 if number == 0 else 0 < share < 0.7, number
    assert any(line.startswith("GPU time a batch of tiles: ") for line in notices)
    assert not any("tile engine" in line for line in notices)
    double.clean()


def test_more_tiles_than_a_batch_has_are_split(tmp_path: Path) -> None:
    double.reset(seed=3)
    path = engines(tmp_path)
    rows, columns = tile_sides(SIZE.height, SIZE.width, 16)
    rng = np.random.default_rng(1)
    tiles = [rng.integers(0, 256, (rows, columns, 1), np.uint8) for _ in range(37)]
    with opened(path) as upscaler:
        backend = upscaler.backend
        assert isinstance(backend, TensorRTBackend)
        layout = backend.open_tiles()
        assert layout is not None
        assert (layout.size, layout.rim, layout.batch) == ((columns, rows), 16, 16)
        tensorrt.batches.clear()
        found = backend.infer_tiles(tiles)
        assert tensorrt.batches == [16, 16, 5]
        ones = [backend.infer_tiles([tile])[0] for tile in tiles]
        assert all(np.array_equal(*pair) for pair in zip(found, ones, strict=True))
        assert backend.infer_tiles([]) == []
        with pytest.raises(FrameError, match=r"tile is uint8 \(8, 8, 1\); .* takes uint8 \(168, "):
            backend.infer_tiles([tiles[0][:8, :8]])
        backend.submit(background(SIZE)[None, ..., None])
        with pytest.raises(BackendError, match="collect the submitted frames first"):
            backend.infer_tiles(tiles)
        backend.collect()
    with pytest.raises(BackendError, match="closed"):
        backend.infer_tiles(tiles)
    assert backend.open_tiles() is not None
    double.clean()


def test_memory_is_taken_when_stillness_is_used(tmp_path: Path) -> None:
    double.reset()
    with opened(engines(tmp_path)) as upscaler:
        list(upscale(upscaler.session(SIZE), moving(SIZE, 2)))
        before = double.report()["left"]["bytes"]
        list(upscale(upscaler.session(SIZE, still="exact"), moving(SIZE, 2)))
        after = double.report()["left"]["bytes"]
        pixels = 16 * 168 * 160  # of the input
        assert after - before == 2 * (pixels + 4 * pixels)
        list(upscale(upscaler.session(SIZE, still="exact"), moving(SIZE, 2)))
        assert double.report()["left"]["bytes"] == after
    double.clean()


@pytest.mark.parametrize(
    ("wrong", "still", "taken"),
    [
        (1, "exact", False),
        (1, "0", False),
        (1, "auto", True),
        (2, "3", True),
        (4, "auto", False),
    ],
)
def test_tiles_that_differ_are_taken_where_results_need_not_be_exact(
    wrong: int, still: str, taken: bool, tmp_path: Path
) -> None:
    double.reset(seed=4)
    tensorrt.tiles["wrong"] = wrong
    images = moving(SIZE)
    with opened(engines(tmp_path)) as upscaler:
        whole = [result for result, _ in upscale(upscaler.session(SIZE), images)]
        session = upscaler.session(SIZE, still=still)
        found = list(upscale(session, images))
        said = [line for line in session.notices if line.startswith("every frame is computed")]
    same = all(np.array_equal(a, b) for (a, _), b in zip(found, whole, strict=True))
    assert same != taken
    assert any(share < 1 for _, share in found) == taken
    if taken:
        assert said == []
    else:
        text = f"tiles of edge-unet-s-x2 differ from whole frames by up to {wrong} levels on this "
        assert text in said[0]
        assert ("--still off" if wrong > 2 else "--still auto") in said[0]
    double.clean()


def damage(path: Path) -> None:
    tiles = tiles_path(path)
    tiles.write_bytes(tiles.read_bytes()[:-1] + b"x")


def no_sidecar(path: Path) -> None:
    sidecar_path(tiles_path(path)).unlink()


def changed_sidecar(path: Path) -> None:
    card = load_sidecar(tiles_path(path))
    write_sidecar(tiles_path(path), replace(card, engine=card.engine | {"rim": 32}))


def of_another_frame(path: Path) -> None:
    write_engine(path.parent, size=(352, 208))
    write_tiles(path, rim=16)
    write_engine(path.parent, size=SIZE)


def a_whole_frame_engine(path: Path) -> None:
    tiles_path(path).write_bytes(path.read_bytes())
    sidecar_path(tiles_path(path)).write_bytes(sidecar_path(path).read_bytes())


def corrupt(path: Path) -> None:
    write_tiles(path, rim=16, plan=b"not a plan")


WRONG = {
    damage: "sha256 is",
    no_sidecar: "no such file; a model and its .json travel together",
    changed_sidecar: "sidecar was changed",
    of_another_frame: "has tiles of 160x160; frames of 352x200 need 160x168",
    a_whole_frame_engine: "is no tile engine",
    corrupt: "TensorRT refuses it",
}


@pytest.mark.parametrize("damage_it", WRONG, ids=lambda damage_it: damage_it.__name__)
def test_a_wrong_tile_engine_is_not_used_and_the_run_goes_on(
    damage_it: Any, tmp_path: Path
) -> None:
    double.reset()
    path = engines(tmp_path)
    damage_it(path)
    check_whole(path, WRONG[damage_it])


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"onnx_sha256": "1" * 64}, "was built of another network: build both again: python -m"),
        ({"version": "10.3.0.30"}, "was built with TensorRT 10.3.0.30 on CUDA double 0"),
        ({"gpu": "Orin"}, "on Orin with CUDA 13.0, the engine of whole frames with"),
        ({"rim": 32}, "has tiles of 160x168; frames of 352x200 need 192x200"),
    ],
)
def test_a_foreign_tile_engine_is_not_used_either(
    facts: dict[str, Any], found: str, tmp_path: Path
) -> None:
    double.reset()
    path = engines(tmp_path)
    write_tiles(path, **{"rim": 16, "sides": 16, **facts})
    check_whole(path, found)


def check_whole(path: Path, found: str) -> None:
    """Frames are computed as a whole, and one line says why."""
    images = moving(SIZE, 3)
    with opened(path) as upscaler:
        whole = [result for result, _ in upscale(upscaler.session(SIZE), images)]
        session = upscaler.session(SIZE, still="exact")
        for (result, share), wanted in zip(upscale(session, images), whole, strict=True):
            assert np.array_equal(result, wanted)
            assert share == 1.0
        said = [line for line in session.notices if "the tile engine is not used: " in line]
        assert len(said) == 1
        assert found in said[0]
        assert "\n" not in said[0]
    double.clean()


def test_an_engine_without_tiles_says_how_to_build_them(tmp_path: Path) -> None:
    double.reset()
    path, _ = write_engine(tmp_path, size=SIZE)
    with opened(path) as upscaler:
        session = upscaler.session(SIZE, still="exact")
        list(upscale(session, moving(SIZE, 2)))
        assert "build them with python -m convert.build_engine --tiles" in session.notices[-1]
    double.clean()


def test_too_little_memory_for_tiles_is_no_reason_to_stop(tmp_path: Path) -> None:
    double.reset(memory=4)  # MiB
    check_whole(engines(tmp_path), "out of memory")


def test_whatever_fails_while_tiles_are_opened_whole_frames_go_on(tmp_path: Path) -> None:
    path = engines(tmp_path)
    image = background(SIZE)[None, ..., None]
    double.reset()
    with opened(path) as upscaler:
        assert isinstance(upscaler.backend, TensorRTBackend)
        wanted = upscaler.backend.infer(image)
        before = double.report()["calls"]
        assert upscaler.backend.open_tiles() is not None
        names = double.names(double.report()["calls"])[before:]
    assert len(names) > 10
    for call, name in enumerate(names, start=1):
        if name == UNSURVIVABLE or name in SILENT:
            continue
        double.reset()
        with opened(path) as upscaler:
            backend = upscaler.backend
            assert isinstance(backend, TensorRTBackend)
            backend.infer(image)
            double.fail(call, UNKNOWN)
            layout = backend.open_tiles()
            assert layout is None, call
            assert any("the tile engine is not used: CUDA cannot" in n for n in backend.notices)
            assert np.array_equal(backend.infer(image), wanted)
            assert backend.open_tiles() is None
        double.clean()


@pytest.mark.parametrize("call", range(1, 7))
def test_a_batch_that_fails_ends_its_frame_alone(call: int, tmp_path: Path) -> None:
    double.reset(seed=6)
    images = moving(SIZE)
    with opened(engines(tmp_path)) as upscaler:
        whole = [result for result, _ in upscale(upscaler.session(SIZE), images)]
        session = upscaler.session(SIZE, still="exact")
        assert len(list(upscale(session, images[:2]))) == 2
        session.submit(frame(images[2]))
        before = double.report()["calls"]
        session.collect()
        names = double.names(double.report()["calls"])[before:]
        if names[call] == UNSURVIVABLE or names[call] in SILENT:
            pytest.skip(f"pycuda does not survive, or report, a failing {names[call]}")
        session.submit(frame(images[3]))
        double.fail(call + 1, UNKNOWN)  # after the first, which makes the GPU current
        with pytest.raises(BackendError, match="CUDA cannot"):
            session.collect()
        assert session.in_flight == 0
        found = list(upscale(session, images[4:]))
        assert all(np.array_equal(a, b) for (a, _), b in zip(found, whole[4:], strict=True))
        assert found[0][1] == 1.0
        assert found[-1][1] < 1.0
    double.clean()


def test_a_batch_that_tensorrt_refuses(tmp_path: Path) -> None:
    double.reset(seed=6)
    images = moving(SIZE)
    with opened(engines(tmp_path)) as upscaler:
        session = upscaler.session(SIZE, still="exact")
        list(upscale(session, images[:3]))
        tensorrt.refuse["execute"] = 0
        with pytest.raises(BackendError, match="TensorRT cannot run it"):
            session.upscale(frame(images[3]))
        assert session.upscale(frame(images[4])).y.shape == (400, 704)
    double.clean()


@pytest.mark.parametrize("runs", range(4))
def test_tiles_that_fail_when_they_are_tried_are_not_used(runs: int, tmp_path: Path) -> None:
    """Runs of an engine before TensorRT refuses one: to prepare, whole, and two batches."""
    double.reset()
    images = moving(SIZE, 3)
    with opened(engines(tmp_path)) as upscaler:
        whole = [result for result, _ in upscale(upscaler.session(SIZE), images)]
        session = upscaler.session(SIZE, still="exact")
        tensorrt.refuse["execute"] = runs
        for (result, share), wanted in zip(upscale(session, images), whole, strict=True):
            assert np.array_equal(result, wanted)
            assert share == 1.0
        said = [line for line in session.notices if "TensorRT cannot run it" in line]
        assert len(said) == 1
        start = "the tile engine is not used: " if runs == 0 else "every frame is computed as a "
        assert said[0].startswith(start)
    double.clean()


@pytest.mark.parametrize("wrong", [0, 64])
def test_a_new_tile_engine_is_tried_in_batches(wrong: int, tmp_path: Path) -> None:
    double.reset()
    path = tiles_path(engines(tmp_path))
    size = tile_sides(SIZE.height, SIZE.width, 16)
    model = specialise(onnx.load(zoo.FOLDER / "edge-unet-s-x2.onnx"), size, None)
    free_batch(model)
    sidecar = load_sidecar(path)
    sidecar_path(path).unlink()  # it is written when the trial is over
    tensorrt.tiles["wrong"] = wrong
    if wrong:
        with pytest.raises(BackendError, match="does not give what ONNX Runtime gives"):
            try_engine(path, sidecar, model, None, size)
    else:
        found = try_engine(path, sidecar, model, None, size)
        assert isinstance(found, dict)
        assert (found["frames"], found["max_difference"]) == (8, 0)
    assert tensorrt.batches == [16, 8]  # the first prepares the engine
    double.clean()


@pytest.mark.parametrize("flavour", ["tensorrt", "tensorrt-rtx"])
def test_tensorrt_rtx_runs_tiles_too(flavour: str, tmp_path: Path) -> None:
    double.reset()
    path, _ = write_engine(tmp_path, size=SIZE, flavour=flavour)
    write_tiles(path, rim=16, flavour=flavour)
    with opened(path) as upscaler:
        session = upscaler.session(SIZE, still="exact")
        shares = [share for _, share in upscale(session, moving(SIZE, 3))]
        assert shares[1] < 1
        assert facts_of(load_sidecar(path)).flavour == flavour
    double.clean()
