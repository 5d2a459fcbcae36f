"""Animated GIF, PNG and WebP: times, repeats and transparency, to each other and to films."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import frame, info
from PIL import Image

from edge_sr.errors import MediaError, UsageError
from edge_sr.media.animation.frames import AnimationSink, AnimationSource
from edge_sr.media.animation.read import Animation
from edge_sr.media.animation.write import AnimationWriter
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.run import run_job

TIMES = [100, 50, 200, 30, 500]
ENDINGS = [".gif", ".apng", ".png", ".webp"]


def pictures() -> list[np.ndarray]:
    """A red bar that moves over nothing, uint8 (12, 32, 4)."""
    found = []
    for number in range(len(TIMES)):
        pixels = np.zeros((12, 32, 4), np.uint8)
        pixels[2:10, 4 * number : 4 * number + 8] = (255, 30 * number, 0, 255)
        found.append(pixels)
    return found


def make(path: Path, *, loop: int | None = 0) -> Path:
    first, *others = [Image.fromarray(pixels) for pixels in pictures()]
    options: dict[str, Any] = {} if loop is None else {"loop": loop}
    kind = {".gif": "GIF", ".webp": "WEBP"}.get(path.suffix, "PNG")
    if kind == "WEBP":
        options["lossless"] = True
    else:
        options["disposal"] = 2 if kind == "GIF" else 1
    first.save(path, kind, save_all=True, append_images=others, duration=TIMES, **options)
    return path


def spec(source: Path, output: Path, **changes: Any) -> JobSpec:
    return JobSpec(input=str(source), output=str(output), backend="nearest", **changes)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("source", [".gif", ".png", ".webp"])
def test_times_and_transparency_survive(tmp_path: Path, source: str, ending: str) -> None:
    clip = make(tmp_path / f"i{source}")
    result = run_job(spec(clip, tmp_path / f"o{ending}"))
    assert (result.written, result.notices, result.exit_code) == (5, (), 0)
    with Animation(tmp_path / f"o{ending}") as made:
        found = list(made)
    assert [picture.duration_ms for picture in found] == TIMES
    assert [picture.start_ms for picture in found] == [0, 100, 150, 350, 380]
    for picture, before in zip(found, pictures(), strict=True):
        assert picture.pixels.shape == (24, 64, 4)
        shown = picture.pixels[1::2, 1::2, 3] >= 128
        assert np.mean(shown != (before[..., 3] >= 128)) < 0.05


@pytest.mark.parametrize(
    ("source", "loop", "plays"),
    [(".gif", None, 1), (".gif", 0, 0), (".gif", 2, 3), (".png", 2, 2), (".webp", 3, 3)],
)
def test_repeats_survive(tmp_path: Path, source: str, loop: int | None, plays: int) -> None:
    clip = make(tmp_path / f"i{source}", loop=loop)
    for ending in ENDINGS:
        run_job(spec(clip, tmp_path / f"o{ending}"))
        with Animation(tmp_path / f"o{ending}") as made:
            assert made.plays == plays


@pytest.mark.parametrize("source", [".gif", ".png", ".webp"])
def test_a_film_of_an_animation_has_its_times_and_length(tmp_path: Path, source: str) -> None:
    result = run_job(spec(make(tmp_path / f"i{source}"), tmp_path / "o.mp4"))
    assert any("transparency became black" in line for line in result.notices)
    with av.open(str(tmp_path / "o.mp4")) as found:
        times = [round(1000 * frame.time) for frame in found.decode(video=0)]
        seconds = found.duration / 1_000_000
    assert times[:5] == [0, 100, 150, 350, 380]
    assert seconds == pytest.approx(0.88, abs=0.01)


def test_a_film_becomes_a_gif_of_at_most_50_frames_a_second(tmp_path: Path) -> None:
    sink = AnimationSink(tmp_path / "o.gif", source=info(frame_rate=Fraction(100)))
    for number in range(20):
        sink.write(frame(number, time_base=Fraction(1, 100)))
    assert sink.finish().endswith("o.gif: 64x48, 10 pictures")
    assert ["10 frames left out" in line for line in sink.notices] == [True]
    with Animation(tmp_path / "o.gif") as made:
        durations = [picture.duration_ms for picture in made]
    assert durations[:-1] == [20] * 9


def test_a_gif_keeps_the_colours_of_a_film(tmp_path: Path) -> None:
    with AnimationSource(make(tmp_path / "i.gif")) as source:
        sink = AnimationSink(tmp_path / "o.gif", source=source.info)
        for item in source:
            sink.write(item)
        sink.finish()
    with Animation(tmp_path / "o.gif") as made:
        pixels = next(iter(made)).pixels
    assert np.abs(pixels[4:8, 2:6].astype(int) - (255, 0, 0, 255)).max() < 12


def test_pictures_without_a_time_are_shown_for_a_tenth_of_a_second(tmp_path: Path) -> None:
    first, *others = [Image.fromarray(pixels[..., :3]) for pixels in pictures()]
    first.save(tmp_path / "i.gif", save_all=True, append_images=others)
    with Animation(tmp_path / "i.gif") as found:
        assert [picture.duration_ms for picture in found] == [100] * 5


def test_exif_turns_the_pictures(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    first, *others = [Image.fromarray(pixels) for pixels in pictures()]
    first.save(tmp_path / "i.png", save_all=True, append_images=others, exif=exif)
    with Animation(tmp_path / "i.png") as found:
        assert found.size == (12, 32)


def test_a_cut_off_animation_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    first, *others = [Image.fromarray(pixels) for pixels in noise]
    data = io.BytesIO()
    first.save(data, "PNG", save_all=True, append_images=others)
    clip = tmp_path / "i.png"
    clip.write_bytes(data.getvalue()[: len(data.getvalue()) * 6 // 10])
    result = run_job(spec(clip, tmp_path / "o.webp"))
    assert 1 <= result.written < 5
    assert result.notices == (f"{clip}: is cut off; it was read up to there",)


def test_outputs_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    clip = make(tmp_path / "i.gif")
    with pytest.raises(MediaError, match="is the input itself"):
        run_job(spec(clip, clip, force=True))
    with pytest.raises(UsageError, match="--resume"):
        run_job(spec(clip, tmp_path / "o.gif", resume=True))
    writer = AnimationWriter(tmp_path / "o.gif")
    writer.write(pictures()[0], Fraction(0))
    with pytest.raises(MediaError, match="have one size"):
        writer.write(pictures()[0][:6], Fraction(1))
    writer.abort()
    assert [path.name for path in tmp_path.iterdir()] == ["i.gif"]


def test_a_film_is_not_written_as_png(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "i.mp4"), "w") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 32, 24
        output.mux(stream.encode(av.VideoFrame(32, 24, "yuv420p")))
        output.mux(stream.encode(None))
    with pytest.raises(MediaError, match=r"found \.png; video is written to \.mp4"):
        run_job(spec(tmp_path / "i.mp4", tmp_path / "o.png"))


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("hidden", ["010", "101", "111", "000"])
def test_a_gif_hides_what_each_picture_hides(tmp_path: Path, hidden: str, flat: bool) -> None:
    writer = AnimationWriter(tmp_path / "o.gif", hides=True)
    rng, expected = np.random.default_rng(1), []
    for number, hides in enumerate(hidden):
        pixels = np.full((24, 32, 4), (200, 40, 90, 255), np.uint8)
        if not flat:
            pixels[..., :3] = rng.integers(0, 255, (24, 32, 3))
        pixels[number : number + 9, 5:15, :3] = 0, 250, 10
        if hides == "1":
            pixels[number : number + 12, 3:12, 3] = 0
        writer.write(pixels, Fraction(number, 10))
        expected.append(pixels)
    writer.finish()
    with Animation(tmp_path / "o.gif") as found:
        for picture, pixels in zip(found, expected, strict=True):
            assert np.array_equal(picture.pixels[..., 3], pixels[..., 3])
            if flat:
                seen = pixels[..., 3] > 0
                levels = np.abs(picture.pixels.astype(int) - pixels)[seen]
                assert levels.max() <= 2
