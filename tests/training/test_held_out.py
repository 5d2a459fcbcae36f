"""The list of held-out pictures, and that nothing on it is trained on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from training.data import source
from training.data.photos import DataError
from training.held_out import DEFAULT, divide, main, read_groups, read_names
from training.train import main as train


@pytest.fixture
def names(photos: Path) -> Path:
    path = photos.parent / "held.txt"
    path.write_text("# a note\n[buildings]\nphoto1\n\n[print]\nphoto4\nphoto5\n")
    return path


def test_the_list_names_fifty_pictures_in_groups() -> None:
    groups = read_groups()
    assert set(groups) == {"buildings", "print", "drawings", "things"}
    assert len(groups["buildings"]) >= 30
    assert len(read_names()) == sum(map(len, groups.values())) >= 50


def test_paths_are_divided_by_name(names: Path) -> None:
    paths = [Path("a/photo1.avif"), Path("photo2.png"), Path("photo4.png")]
    inside, outside = divide(paths, read_names(names))
    assert [path.stem for path in inside] == ["photo2"]
    assert [path.stem for path in outside] == ["photo1", "photo4"]


def test_lists_that_say_nothing_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "held.txt"
    with pytest.raises(DataError, match="No such file"):
        read_names(path)
    path.write_text("# nothing\n[print]\n")
    with pytest.raises(DataError, match="names no picture"):
        read_names(path)
    path.write_text("photo1\n")
    with pytest.raises(DataError, match=r"photo1 stands before any group"):
        read_names(path)


def test_groups_are_written_as_png(photos: Path, names: Path, tmp_path: Path) -> None:
    output = tmp_path / "proxies"
    where = ["--data", str(photos), "--output", str(output), "--list", str(names)]
    assert main(where) == 0
    found = sorted(path.relative_to(output).as_posix() for path in output.rglob("*.png"))
    assert found == ["buildings/photo1.png", "print/photo4.png", "print/photo5.png"]
    with Image.open(output / found[0]) as made, Image.open(photos / "photo1.png") as original:
        assert made.tobytes() == original.tobytes()


def test_a_folder_without_them_is_refused(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(photos), "--output", str(tmp_path / "p")]) == 1
    assert str(DEFAULT) in capsys.readouterr().err


def test_no_photograph_of_the_list_is_trained_on(
    photos: Path,
    names: Path,
    tmp_path: Path,
    tiny_recipe: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []
    original = source.fitting

    def fitting(paths: list[Path], *rest: object, **more: object) -> object:
        seen.extend(path.stem for path in paths)
        return original(paths, *rest, **more)

    monkeypatch.setattr(source, "fitting", fitting)
    monkeypatch.setattr(source, "read_names", lambda: read_names(names))
    output = tmp_path / "run"
    assert (
        train(["--recipe", str(tiny_recipe()), "--data", str(photos), "--output", str(output)]) == 0
    )
    assert sorted(seen) == ["photo0", "photo2", "photo3"]
    record = json.loads((output / "best.keras.json").read_text())
    assert record["proxies_left_out"] == 3
