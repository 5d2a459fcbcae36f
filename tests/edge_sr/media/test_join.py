"""Plans of encoders as text; joining parts is tested with whole films in tests/fleet/films."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from edge_sr.errors import MediaError
from edge_sr.media.codec.encoder import MAIN10, EncoderPlan
from edge_sr.media.codec.index import FilmIndex
from edge_sr.media.codec.join import Part, join_parts, plan_text, read_plan
from edge_sr.media.frame import Color
from edge_sr.media.hdr import Hdr

PLAN = EncoderPlan(
    encoder="libx265",
    size=(128, 96),
    time_base=Fraction(1001, 30000),
    rate=Fraction(30000, 1001),
    aspect=Fraction(4, 3),
    color=Color(9, 9, 16, False, 3),
    crf=18,
    preset="fast",
    format=MAIN10,
    hdr=Hdr(light=(1000, 400)),
)


def test_a_plan_is_the_same_after_it_was_text() -> None:
    assert read_plan(plan_text(PLAN)) == PLAN


@pytest.mark.parametrize("text", ["", "{}", "[1]", plan_text(PLAN).replace("4/3", "4/0")])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(MediaError, match="the plan of an encoder cannot be read"):
        read_plan(text)


def test_nothing_is_left_where_a_part_is_missing(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"no film")
    out = tmp_path / "out.mp4"
    with pytest.raises(MediaError, match=r"film\.mp4"):
        join_parts(out, [Part(tmp_path / "0.mp4", 3)], PLAN, copy_from=tmp_path / "film.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4"]


def test_decoding_begins_one_key_frame_earlier_than_it_has_to() -> None:
    index = FilmIndex(tuple(range(0, 400, 10)), (0, 100, 200, 300), Fraction(1, 25))
    assert [index.key_before(frame) for frame in (0, 9, 10, 20, 29, 30)] == [0, 0, 0, 100, 100, 200]
