"""The table of docs/formats.md that the corpus writes."""

from __future__ import annotations

from pathlib import Path

from lab.soak.corpus import BEGIN, CONTAINERS, END, Row, counts, main, write_counts
from lab.soak.real import try_real

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats.md"


def row(ending: str, results: tuple[str, str, str, str]) -> Row:
    return Row(
        ending, "mpeg4", "", dict(zip(("mp4", "mov", "mkv", "webm"), results, strict=True)), False
    )


def test_counts_name_messages_refusals_and_faults() -> None:
    rows = [
        row("avi", ("kept", "kept", "kept", "audio stream 1 left out")),
        row("avi", ("kept", "**1 of 2 frames**", "refused: no", "kept")),
    ]
    assert counts(rows).splitlines()[-1] == (
        "| all | 2 | 2 | 1, **1 with a fault** | 1, 1 refused | 1, 1 with a message |"
    )


def test_a_table_replaces_the_one_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_counts(page, "| new |")
    assert page.read_text() == f"before\n{BEGIN}\n| new |\n{END}\nafter\n"


def test_the_page_lists_every_container_without_a_fault() -> None:
    table = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    listed = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| .")]
    assert len(listed) >= 20
    assert {name.removeprefix(".") for name in listed} <= set(CONTAINERS)
    assert "fault" not in table


def test_one_container_comes_through(capsys: object) -> None:
    assert main(["--only", "y4m"]) == 0


def test_a_folder_of_real_files_is_tried(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no film")
    (tmp_path / "a.txt").write_text("text")
    assert try_real(tmp_path) == 0
