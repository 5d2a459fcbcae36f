"""Targets and the table of shapes: measured on small networks, written between marks."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_sr import zoo
from edge_sr.errors import MediaError, ModelFileError, UsageError
from lab import search, targets
from lab.tables import candidates, target_measures
from lab.tables.candidates import make, make_int8, read_candidates
from lab.tables.search_text import Line, draw, render
from lab.tables.section import replace_section
from lab.tables.target_list import FILE, read_targets, verdict

pytest.importorskip("onnxruntime", reason="pip install onnxruntime")

Save = Callable[..., Path]


@pytest.fixture
def rivals(rival_file: Save, tmp_path: Path) -> Path:
    rival_file()
    names = ("ETDS-T", "ETDS-S", "ETDS-L")
    entries = [f'[[model]]\nname = "{name}"\nfile = "rival.onnx"\n' for name in names]
    (tmp_path / "rivals.toml").write_text("\n".join(entries))
    return tmp_path / "rivals.toml"


def test_a_section_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "doc.md"
    path.write_text("# Head\n<!-- a -->\nold\n<!-- /a -->\n<!-- b -->\nkeep\n<!-- /b -->\nend\n")
    replace_section(path, "a", "new\n")
    expected = "# Head\n<!-- a -->\nnew\n<!-- /a -->\n<!-- b -->\nkeep\n<!-- /b -->\nend\n"
    assert path.read_text() == expected
    with pytest.raises(UsageError, match="has no <!-- c -->"):
        replace_section(path, "c", "new")
    assert path.read_text() == expected
    with pytest.raises(MediaError, match="cannot be read"):
        replace_section(tmp_path / "none.md", "a", "new")


def test_the_targets_name_the_three_sizes_at_both_scales() -> None:
    found = read_targets(FILE)
    sizes = [f"edge-unet-{size}-{scale}" for scale in ("x2", "x1.5") for size in "sml"]
    assert [target.model for target in found] == sizes
    assert all((target.rival is None) == (target.ratio is None) for target in found)


def test_targets_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "targets.toml"
    path.write_text('[[target]]\nmodel = "a"\npsnrs = [3]\n')
    with pytest.raises(ModelFileError, match=r"a target has model, psnrs; expected some of"):
        read_targets(path)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([37.3, 33.0], "stretch"),
        ([37.2, 33.0], "bar"),
        ([37.1, 32.9], "bar"),
        ([37.3, 32.7], "-0.20 dB"),
        ([37.0, 32.8], "-0.10 dB"),
    ],
)
def test_verdicts(values: list[float], expected: str) -> None:
    assert verdict(values, [37.1, 32.9], [37.3, 33.0]) == expected


@pytest.mark.slow
def test_targets_are_measured_and_written(
    rivals: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_measures, "ROUNDS", 3)
    document = tmp_path / "models.md"
    document.write_text("<!-- targets -->\n<!-- /targets -->\n")
    mine = tmp_path / "targets.toml"
    mine.write_text(
        '[[target]]\nmodel = "edge-unet-s-x2"\nrival = "ETDS-T"\nratio = 1000.0\npsnr = [10.0]\n'
        "stretch = [99.0]\n"
        '[[target]]\nmodel = "edge-unet-s-x1.5"\npsnr = [99.0]\nlive = [64, 48, 30]\n'
        '[[target]]\nmodel = "edge-unet-q-x2"\npsnr = [1.0]\n'
    )
    options = ["--images", str(folder), "--rivals", str(rivals), "--targets", str(mine)]
    options += ["--size", "64x48", "--threads", "1", "--runs", "3", "--write", str(document)]
    assert targets.main(options) == 0
    text = document.read_text()
    row = next(line for line in text.splitlines() if line.startswith("| edge-unet-s-x2 | "))
    assert re.fullmatch(r"\| edge-unet-s-x2 \| [\d.]+, [\d.]+ \| 10.00 \| 99.00 \| bar \|", row)
    assert re.search(r"\| ETDS-T \| [\d.]+ \| \*\*[\d.]+\*\* \| .* \| 1000.00 \| reached \|", text)
    assert re.search(r"\| edge-unet-s-x1.5 \| .* \| 99.00 \| -[\d.]+ dB \|", text)
    assert "bicubic-x1.5" in text
    assert re.search(r"edge-unet-s-x1.5, 64x48 in, .*: \d+ frames a second \(target 30\)", text)
    assert "Not shipped, so not measured: edge-unet-q-x2." in text


def test_targets_that_cannot_be_measured(
    rivals: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "targets.toml"
    options = ["--images", str(folder), "--rivals", str(rivals), "--targets", str(mine)]
    mine.write_text('[[target]]\nmodel = "edge-unet-q-x2"\npsnr = [1.0]\n')
    assert targets.main(options) == 2
    assert "names no network that is shipped" in capsys.readouterr().err
    mine.write_text(
        '[[target]]\nmodel = "edge-unet-s-x2"\nrival = "X"\nratio = 1.0\npsnr = [1.0]\n'
    )
    assert targets.main(options) == 2
    assert "has no X" in capsys.readouterr().err


def test_candidates_are_made_once_by_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def run(module: str, *arguments: str) -> None:
        ran.append(module)
        if module == "convert.export_onnx":
            source, _ = zoo.find("edge-unet-s-x2")
            output = Path(arguments[arguments.index("--output") + 1])
            output.write_bytes(source.read_bytes())
            card = source.with_name(source.name + ".json").read_text()
            output.with_name(output.name + ".json").write_text(card)

    monkeypatch.setattr(candidates, "_run", run)
    options = "width = 16\nlower_width = 16\ndepth = 2\nlower_depth = 2\nhead_depth = 1\n"
    (tmp_path / "search.toml").write_text(f"[a]\n{options}")
    found = read_candidates(tmp_path / "search.toml")
    paths = make(found, tmp_path / "made", steps=9, data=[])
    assert paths == [tmp_path / "made/a.onnx"]
    assert ran == ["training.build", "convert.export_onnx"]
    recipe = (tmp_path / "made/a.toml").read_text()
    assert "steps = 9" in recipe
    assert recipe.endswith(f"[options]\n{options}")
    make(found, tmp_path / "made", steps=9, data=[tmp_path])  # the file says 30,000 steps
    assert len(ran) == 2
    make(found, tmp_path / "made", steps=99_000, data=[tmp_path])
    assert ran[2:] == ["training.train", "convert.export_onnx"]
    assert make_int8(paths) == [tmp_path / "made/a.int8.onnx"]
    assert ran[4:] == ["convert.precision"]


def test_candidates_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "search.toml"
    for text, expected in (("", "names no network"), ("a = 3", "a: expected a table of whole")):
        path.write_text(text)
        with pytest.raises(ModelFileError, match=expected):
            read_candidates(path)
    with pytest.raises(ModelFileError, match=r"python -m bench.nothing failed for 3"):
        candidates._run("bench.nothing", "--n", "3")


@pytest.mark.slow
def test_networks_are_compared(
    rivals: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, _ = zoo.find("edge-unet-s-x2")
    monkeypatch.setattr(search, "make", lambda *_, **__: [path])
    small, _ = zoo.find("edge-unet-s-x2.int8")
    monkeypatch.setattr(search, "make_int8", lambda _: [small])
    options = ["--rivals", str(rivals), "--size", "64x48", "--threads", "1", "--rounds", "2"]
    assert search.main([*options, "--int8", "--plot", str(tmp_path / "p.png")]) == 0
    out = capsys.readouterr().out
    row = r"\| edge-unet-s-x2 \| 19,\d+ \| 0\.0 \| \d+ \| \d+ \| [\d.]+ \| \d+ \| [\d.]+ \|"
    assert re.search(row, out)
    assert "int8 |" not in out
    assert out.count("| *ETDS-") == 3
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_the_table_says_what_is_missing(tmp_path: Path) -> None:
    def line(name: str, **more: object) -> Line:
        facts = {"rival": False, "parameters": 1000, "macs": 10**9, "activation_bytes": 10**7}
        facts |= {"ms": 20.0, "int8_ms": None, "edge_ms": 0.5, "steps": 0, "psnr_db": None}
        return Line(name=name, **facts | more)  # type: ignore[arg-type]

    rival = line("ETDS-T", rival=True, steps=None, ms=40.0, psnr_db=37.2)
    text = render([rival, line("a")], "today", None)
    assert "| a | 1,000 | 1.0 | 10 | 20 | 0.50 | 0.50 | 0 |  |" in text
    assert len({row.count("|") for row in text.splitlines() if row.startswith("|")}) == 1
    text = render([rival, line("a", int8_ms=9.0)], "today", None)
    assert "| 20 | 0.50 | 9 | 0.50 | 0 |  |" in text
    assert len({row.count("|") for row in text.splitlines() if row.startswith("|")}) == 1
    assert "None was trained for this table" in text
    trained = [line("a", steps=50, psnr_db=36.0), line("b", steps=50, psnr_db=36.5, ms=30.0)]
    text = render([rival, *trained], "today", "Set5")
    assert "| PSNR-Y Set5 |" in text
    assert "None was trained" not in text
    draw([rival, *trained], tmp_path / "p.png")
    with pytest.raises(MediaError, match="cannot be written"):
        draw([rival, *trained], tmp_path / "none" / "p.png")
