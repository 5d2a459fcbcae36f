"""A 10-bit HDR film through a whole job: depth, tags and mastering data are kept."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from edge_sr.errors import MediaError
from edge_sr.media.hdr import frame_hdr
from edge_sr.media.siting import coded_siting
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.run import run_job
from tests.edge_sr.media.clips import make_clip, plane

HDR10 = (9, 9, 16, 1)  # BT.2020, PQ, limited range
TOP_LEFT = 3
DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
X265 = f"log-level=none:hdr10=1:master-display={DISPLAY}:max-cll=1000,400"


def ramp(image: av.VideoFrame, number: int) -> None:
    """Every level of 10 bits once, from left to right and on in the next row."""
    rows = plane(image, 0, np.uint16)
    levels = 64 + (np.arange(rows.shape[0] * image.width) * 876 // (rows.shape[0] * image.width))
    rows[:, : image.width] = levels.reshape(rows.shape[0], -1) + number % 2
    for index in (1, 2):
        plane(image, index, np.uint16)[...] = 512


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = {"x265-params": X265, "chroma_sample_location": "topleft", "crf": "4"}
    return make_clip(
        tmp_path_factory.mktemp("film") / "hdr10.mp4",
        codec="libx265",
        pix_fmt="yuv420p10le",
        fill=ramp,
        tags=HDR10,
        options=options,
        audio_s=0.4,
        pts=tuple(range(6)),
    )


def run(film: Path, output: Path, **changes: Any) -> list[str]:
    """Do the job without a network; returns the notices."""
    spec = JobSpec(input=str(film), output=str(output), backend="nearest", crf=4, **changes)
    return list(run_job(spec).notices)


def facts(path: Path) -> dict[str, Any]:
    with av.open(str(path)) as found:
        stream = found.streams.video[0]
        context = stream.codec_context
        image = next(found.decode(stream))
        return {
            "codec": context.name,
            "pixels": image.format.name,
            "tags": (image.colorspace, image.color_primaries, image.color_trc, image.color_range),
            "siting": coded_siting(stream),
            "hdr": frame_hdr(image),
            "levels": len(np.unique(np.frombuffer(image.planes[0], np.uint16))),
        }


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov"])
def test_hdr10_to_hevc_main10(film: Path, tmp_path: Path, ending: str) -> None:
    output = tmp_path / f"o.{ending}"
    assert run(film, output) == []
    before, after = facts(film), facts(output)
    assert before["hdr"] is not None
    assert before["tags"] == HDR10
    assert before["siting"] == TOP_LEFT
    assert after["levels"] > 255
    del before["levels"], after["levels"]
    assert after == before


@pytest.mark.skipif(not shutil.which("ffprobe"), reason="needs ffprobe")
def test_ffprobe_sees_every_tag(film: Path, tmp_path: Path) -> None:
    def probe(path: Path) -> list[dict[str, Any]]:
        words = ["-v", "error", "-show_streams", "-show_frames", "-read_intervals", "%+#1"]
        words += ["-select_streams", "v", "-of", "json", str(path)]
        done = subprocess.run(["ffprobe", *words], capture_output=True, check=True)
        found = json.loads(done.stdout)
        frame = found["frames"][0]
        side = {item["side_data_type"]: item for item in frame["side_data_list"]}
        kept = ("Mastering display metadata", "Content light level metadata")
        stream = found["streams"][0]
        names = ("profile", "codec_tag_string", "pix_fmt", "color_range", "color_space")
        names += ("color_transfer", "color_primaries", "chroma_location")
        return [*(side[name] for name in kept), {name: stream.get(name) for name in names}]

    output = tmp_path / "o.mp4"
    run(film, output)
    found = probe(output)
    assert found[:2] == probe(film)[:2]
    assert found[2] == {
        "profile": "Main 10",
        "codec_tag_string": "hvc1",
        "pix_fmt": "yuv420p10le",
        "color_range": "tv",
        "color_space": "bt2020nc",
        "color_transfer": "smpte2084",
        "color_primaries": "bt2020",
        "chroma_location": "topleft",
    }


@pytest.mark.parametrize(("ending", "codec"), [("mkv", "av1"), ("mp4", "av1"), ("webm", "auto")])
def test_hdr10_to_av1(film: Path, tmp_path: Path, ending: str, codec: str) -> None:
    output = tmp_path / f"o.{ending}"
    assert [line for line in run(film, output, codec=codec) if "audio" not in line] == []
    after = facts(output)
    assert (after["codec"], after["pixels"]) == ("libdav1d", "yuv420p10le")
    assert after["tags"] == HDR10
    assert after["hdr"].light == (1000, 400)
    red = after["hdr"].mastering.red
    assert [round(float(part), 4) for part in red] == [0.68, 0.32]


def test_hdr_data_that_an_encoder_does_not_take_is_named(film: Path, tmp_path: Path) -> None:
    output = tmp_path / "o.mkv"
    lost = "HDR mastering data and HDR light levels are not written by libx264"
    assert run(film, output, codec="h264") == [f"{output}: {lost}"]
    assert facts(output)["pixels"] == "yuv420p10le"


def test_8_bits_are_written_where_they_are_asked_for(film: Path, tmp_path: Path) -> None:
    output = tmp_path / "o.mp4"
    assert run(film, output, bits="8") == [
        f"{film}: not kept: HDR mastering data, HDR light levels",
        f"{film}: 10-bit 4:2:0 is read as 8-bit 4:2:0: gradients may show steps",
    ]
    assert (facts(output)["codec"], facts(output)["pixels"]) == ("h264", "yuv420p")


def test_a_comparison_in_a_file_has_8_bits_and_says_so(
    film: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    output = tmp_path / "o.mkv"
    run(film, output, compare="split")
    assert facts(output)["pixels"] == "yuv420p"
    assert f"{output}: the comparison is made of 8-bit 4:2:0" in caplog.text


def test_a_film_that_is_too_small_is_refused_by_name(tmp_path: Path) -> None:
    clip = tmp_path / "i.mkv"
    with av.open(str(clip), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 2, 2, "yuv420p"
        output.mux([*stream.encode(av.VideoFrame(2, 2, "yuv420p")), *stream.encode(None)])
    with pytest.raises(MediaError, match=r"i\.mkv: its pictures are 2x2; films need at least 4"):
        run_job(JobSpec(input=str(clip), output=str(tmp_path / "o.mkv"), backend="nearest"))


def test_a_codec_that_cannot_hold_the_depth_leaves_nothing(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "i.mkv", codec="ffv1", pix_fmt="yuv422p12le", pts=(0, 1))
    with pytest.raises(MediaError, match="takes no 12-bit 4:2:2; take another --codec"):
        run(clip, tmp_path / "o.mp4", codec="av1")
    assert [path.name for path in tmp_path.iterdir()] == ["i.mkv"]


@pytest.mark.parametrize("target", ["whole", "bicubic beyond"])
def test_a_network_makes_no_bands_of_a_ramp(
    film: Path, tmp_path: Path, target: str, caplog: pytest.LogCaptureFixture
) -> None:
    """More than 255 levels come out of it, also where the rest of the way is bicubic."""
    caplog.set_level(logging.INFO)
    output = tmp_path / "o.mkv"
    more = {} if target == "whole" else {"scale": 3}
    run_job(JobSpec(input=str(film), output=str(output), crf=0, max_frames=1, threads=1, **more))
    assert facts(output)["levels"] > 512
    assert "onnxruntime" in caplog.text
