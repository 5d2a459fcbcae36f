"""The README's tables are the rows' figures, and nothing else of the file changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="pip install matplotlib")

from bench.records import Row
from bench.rows import write_rows
from lab.readme import main

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
MakeRow = Callable[..., Row]
AROUND = f"# Mine\n\nwords\n{BEGIN}\nold figures\n{END}\n\nmore words\n"


def report(folder: Path, *rows: Row, more: Sequence[str] = ()) -> int:
    write_rows(folder / "rows.jsonl", rows)
    return main([str(folder / "rows.jsonl"), "--write", str(folder / "README.md"), *more])


def test_only_what_stands_between_the_marks_changes(row: MakeRow, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(AROUND)
    rows = [
        row("ours", p50=10.0, psnr=37.0),
        row("her_net", p50=20.0, psnr=37.2, kind="rival"),
        row("bicubic-x2", p50=0.5, psnr=33.0, kind="floor"),
    ]
    assert report(tmp_path, *rows) == 0
    text = readme.read_text()
    assert text.startswith(f"# Mine\n\nwords\n{BEGIN}\n**64x48 to 128x96 on D, 1 thread**")
    assert text.endswith(f"{END}\n\nmore words\n")
    assert "old figures" not in text
    assert "| **ours** | fp32 | 100 | 10.00 | 0.33 | 37.00 |" in text
    assert r"| her\_net, a rival | fp32 | 100 | 20.00 | 0.67 | 37.20 |" in text
    assert "| bicubic-x2 | fp32 |" in text
    assert "Measured on 2026-01-01 on D (on the CPU) by `python -m bench run`" in text
    assert "PSNR-Y in dB: p." in text
    assert (tmp_path / "bench.svg").stat().st_size < 100_000
    assert "](bench.svg)" in text
    assert report(tmp_path, *rows) == 0
    assert readme.read_text() == text


def test_each_size_has_a_table_and_a_plot(row: MakeRow, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(AROUND)
    rows = [row(name, width=w, p50=p) for w in (64, 128) for name, p in (("a", 1.0), ("b", 2.0))]
    assert report(tmp_path, *rows) == 0
    text = (tmp_path / "README.md").read_text()
    assert text.count("| model |") == 2
    assert {path.name for path in tmp_path.glob("*.svg")} == {"bench.svg", "bench-2.svg"}


def test_another_section_has_a_table_alone(row: MakeRow, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(AROUND + "<!-- old -->\n<!-- /old -->\n")
    rows = [row("a", p50=1.0, psnr=37.0), row("b", p50=2.0, psnr=36.0)]
    assert report(tmp_path, *rows, more=("--section", "old", "--sort", "psnr")) == 0
    text = readme.read_text()
    assert text.startswith(AROUND)
    assert text.index("| **a** |") < text.index("| **b** |")
    assert not list(tmp_path.glob("*.svg"))


@pytest.mark.parametrize("text", ["no marks", f"{BEGIN} only", f"{END} {BEGIN}"])
def test_a_file_without_the_marks_stays_as_it_is(
    text: str, row: MakeRow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "README.md").write_text(text)
    assert report(tmp_path, row()) == 2
    assert f"README.md: has no {BEGIN} … {END}" in capsys.readouterr().err
    assert (tmp_path / "README.md").read_text() == text


def test_a_missing_file_is_one_line(
    row: MakeRow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(tmp_path, row()) == 1
    assert "README.md: cannot be read" in capsys.readouterr().err
