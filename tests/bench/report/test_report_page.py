"""The report: one page that needs nothing else, plots whose labels stay apart."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from PIL import Image

pytest.importorskip("jinja2", reason="pip install jinja2")
pytest.importorskip("matplotlib", reason="pip install matplotlib")

from bench.__main__ import main
from bench.records import ClipScore, CropFile, Row
from bench.report.decision import decide
from bench.report.figure import COLORS, new_figure, svg, themed
from bench.report.labels import place_labels
from bench.report.page import render_html, render_markdown
from bench.report.plot import scatter
from bench.report.summary import make_groups
from bench.rows import write_rows
from tests.fakes.bench_data import make_latency, make_score

MakeRow = Callable[..., Row]


def rows(folder: Path, row: MakeRow) -> list[Row]:
    """Three models, one of them with a crop, one of them int8, and a floor."""
    (folder / "rows-crops").mkdir()
    Image.new("RGB", (288, 96)).save(folder / "rows-crops/a.png")
    crop = CropFile(kind="best", picture="x", left=0, top=0, gain_db=1.5, file="rows-crops/a.png")
    return [
        row("a", p50=10.0, quality={"Set5": make_score(37.0, crops=(crop,))}),
        row("a.int8", p50=6.0, psnr=36.9, precision="int8"),
        row("R<script>", p50=20.0, psnr=37.2, kind="rival"),
        row("bicubic-x2", p50=0.1, psnr=33.6, kind="floor", architecture="bicubic"),
        row("untimed", p50=None, psnr=None, error="untimed: too slow"),
    ]


@pytest.mark.slow
def test_a_report_is_whole(
    row: MakeRow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(tmp_path / "rows.jsonl", rows(tmp_path, row))
    output = tmp_path / "report"
    assert main(["report", str(tmp_path / "rows.jsonl"), "--output", str(output)]) == 0
    assert {path.name for path in output.iterdir()} == {
        "report.html", "report.md", "scatter.svg", "scatter.png", "bars.svg", "bars.png", "crops",
    }  # fmt: skip
    html = (output / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', html)  # self-contained
    assert "R<script>" not in html.replace("R&lt;script&gt;", "")
    assert html.count("<svg") == 2
    assert "prefers-color-scheme: dark" in html
    assert "data:image/png;base64," in html
    for text in (html, (output / "report.md").read_text()):
        for sentence in ("Device: D", "50 runs of each model", "untimed: too slow", "Set5"):
            assert sentence in text
        assert "0.10" in text  # the int8 loss
    assert (
        "![a, best: x at 0, 0; +1.50 dB over bicubic](crops/a.png)"
        in (output / "report.md").read_text()
    )
    assert main(["report", str(tmp_path / "rows.jsonl"), "--output", str(output)]) == 2
    assert "give --force" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "rows.jsonl"), "--output", str(output), "--force"]) == 0


@pytest.mark.slow
def test_changes_against_a_baseline_are_marked(row: MakeRow, tmp_path: Path) -> None:
    write_rows(tmp_path / "old.jsonl", [row("a", p50=10.0), row("b", p50=10.0)])
    write_rows(tmp_path / "new.jsonl", [row("a", p50=20.0), row("b", p50=10.1)])
    output = str(tmp_path / "report")
    baseline = ["--baseline", str(tmp_path / "old.jsonl")]
    assert main(["report", str(tmp_path / "new.jsonl"), "--output", output, *baseline]) == 0
    text = (tmp_path / "report/report.md").read_text()
    assert "a at 64x48: slower by 100.0 % (10.00 to 20.00 ms; noise 1.4 %)" in text
    assert "b at 64x48:" not in text


def test_folders_of_others_and_empty_rows_are_refused(
    row: MakeRow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.jsonl").write_text("")
    assert main(["report", str(tmp_path / "rows.jsonl")]) == 1
    assert "holds no row" in capsys.readouterr().err
    write_rows(tmp_path / "rows.jsonl", [row("a")])
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    assert main(["report", str(tmp_path / "rows.jsonl"), "--output", str(mine), "--force"]) == 1
    assert (mine / "thesis.txt").exists()
    assert main(["report", str(tmp_path / "rows.jsonl"), "--set", "Set99"]) == 2


@pytest.mark.slow
def test_missing_crops_are_said(
    row: MakeRow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(tmp_path / "rows.jsonl", rows(tmp_path, row))
    (tmp_path / "rows-crops/a.png").unlink()
    output = str(tmp_path / "report")
    assert main(["report", str(tmp_path / "rows.jsonl"), "--output", output]) == 1
    assert "1 patch pictures are not beside their rows" in capsys.readouterr().err


def test_labels_stay_apart() -> None:
    figure = new_figure(9, 5.6)
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.set_xlim(1, 1000)
    axes.set_ylim(36, 38)
    items = [
        ((50 * 1.1 ** (n % 5), 37 + 0.03 * (n // 5)), f"a-long-model-name-{n}", "#000000")
        for n in range(15)
    ]
    boxes = place_labels(figure, axes, items)
    assert len(boxes) == 15
    for index, one in enumerate(boxes):
        for other in boxes[:index]:
            apart = (one[2] <= other[0] or one[0] >= other[2]) or (
                one[3] <= other[1] or one[1] >= other[3]
            )
            assert apart
    points = [axes.transData.transform(at) for at, _, _ in items]
    assert all(
        math.dist(((b[0] + b[2]) / 2, (b[1] + b[3]) / 2), p) < 400
        for b, p in zip(boxes, points, strict=True)
    )


def test_plots_take_the_colours_of_the_page(row: MakeRow) -> None:
    (group,) = make_groups([row("a"), row("b", p50=5.0)], picture_set=None, sort="p50")
    figure = scatter(group)
    assert figure is not None
    text = themed(svg(figure))
    assert "var(--ink)" in text
    assert not any(light in text for light, _ in COLORS.values())
    assert "<!-- a -->" in text


def test_one_point_is_not_a_plot(row: MakeRow) -> None:
    (group,) = make_groups([row("a"), row("b", p50=None)], picture_set=None, sort="p50")
    assert scatter(group) is None


def test_the_report_opens_with_a_decision(row: MakeRow, tmp_path: Path) -> None:
    fast = row("fast", psnr=37.0, latency=replace(make_latency(20.0), frames30_s=30 / 45))
    slow = row("slow", psnr=38.0, latency=replace(make_latency(50.0), frames30_s=2.0))
    few = row("few", latency=replace(make_latency(9.0), frames30_s=9.0, frames30_measured=3))
    rival = row("rival", kind="rival", p50=1.0)
    (group,) = make_groups([slow, fast, rival], picture_set=None, sort="name")
    found = decide(group)
    assert found.good
    assert found.title == "64x48 to 128x96"
    assert found.answer == "reaches 30 fps here: fast (45.0 fps)"
    assert found.details == ("Of these, fast has the best PSNR-Y: 37.00 dB on Set5.",)
    (group,) = make_groups([slow, few, rival], picture_set=None, sort="name")
    found = decide(group)
    assert not found.good
    assert found.answer == "no model reaches 30 fps here; the fastest is slow (15.0 fps)"
    assert found.details[-1] == "Estimated: scaled from fewer than 30 frames."
    html = render_html([group], {}, None)
    assert html.index(found.answer) < html.index("All figures")
    assert found.answer in render_markdown([group], {}, None).partition("##")[0]
    (group,) = make_groups([row(p50=None)], picture_set=None, sort="name")
    assert decide(group).answer == "not timed yet"


def test_clips_have_a_table_of_their_own(row: MakeRow) -> None:
    def clip(flicker: float, still: float | None) -> dict[str, ClipScore]:
        facts = {"name": "pans", "sha256": "", "frames": 8, "psnr_y_db": 30.0, "ssim_y": 0.9}
        return {"pans": ClipScore(**facts, flicker=flicker, still_std=still, moved=True)}

    made = [
        row("a", p50=10.0, video=clip(1.5, 0.5)),
        row("rival", p50=20.0, kind="rival", video=clip(2.5, None)),
        row("none", p50=30.0),
    ]
    groups = make_groups(made, picture_set="Set5", sort="p50")
    text = render_markdown(groups, {}, None)
    table = text[text.index("### On video") :]
    assert "| model | pans PSNR-Y | pans SSIM-Y | pans flicker | pans still |" in table
    assert "| a | 30.00 | 0.9000 | 1.500 | 0.50 |" in table
    assert "| rival | 30.00 | 0.9000 | 2.500 | - |" in table
    assert "moved by the known motion" in table
    assert "pans" not in text[: text.index("### On video")]
    html = render_html(groups, {}, None)
    assert html.count("<table>") == 2
    assert '<td data-v="1.5" class="best">1.500</td>' in html
