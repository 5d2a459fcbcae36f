"""Several outputs of one run, each with its own codec, quality and size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from clips import make_clip

from edge_sr.cli.main import main
from edge_sr.errors import UsageError
from edge_sr.media.libraries import load_av
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.outputs import has_options, output_path
from edge_sr.pipeline.run import run_job


def facts_of(path: Path) -> tuple[str, int, int, int]:
    """Codec, columns, rows and frames."""
    with load_av().open(str(path)) as container:
        stream = container.streams.video[0]
        frames = sum(1 for _ in container.decode(video=0))
        return stream.codec_context.name, stream.width, stream.height, frames


def test_one_run_writes_them_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, third = (tmp_path / name for name in ("a.mp4", "b.mkv", "c.mov"))
    words = ["run", "test://64x48?frames=8", "--backend", "nearest", "-o", str(first)]
    words += ["-o", f"{second}?codec=h265&preset=ultrafast&crf=30", "-o", f"{third}?size=72p"]
    assert main(words) == 0
    assert facts_of(first) == ("h264", 128, 96, 8)
    assert facts_of(second) == ("hevc", 128, 96, 8)
    assert facts_of(third) == ("h264", 96, 72, 8)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [str(first), str(second), str(third)]


def test_each_file_has_the_sound_of_the_input(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mkv", audio_s=0.4)
    spec = JobSpec(
        input=str(clip),
        output=str(tmp_path / "a.mp4"),
        more_outputs=(str(tmp_path / "b.mkv?crf=30"),),
        backend="nearest",
    )
    result = run_job(spec)
    assert [output.path for output in result.outputs] == [tmp_path / "a.mp4", tmp_path / "b.mkv"]
    counts = []
    for output in result.outputs:
        with load_av().open(str(output.path)) as container:
            counts.append(sum(packet.size for packet in container.demux(audio=0)))
    assert counts[0] == counts[1] > 0


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (("a.mp4", "b.mkv?crf=x"), "crf is 'x'; expected 0 to 51"),
        (("a.mp4", "b.mkv?codec=mpeg2"), "codec is 'mpeg2'"),
        (("a.mp4", "b.mkv?size=huge"), "size is 'huge'; expected 1080p"),
        (("a.mp4", "a.mp4?crf=20"), "was given twice"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is(
    outputs: tuple[str, str], message: str, tmp_path: Path
) -> None:
    first, second = (str(tmp_path / name) for name in outputs)
    spec = JobSpec(input="test://64x48?frames=3", output=first, more_outputs=(second,))
    with pytest.raises(UsageError) as caught:
        run_job(spec)
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_several_outputs_go_with_one_video_and_without_resume(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = str(make_clip(tmp_path / "clip.mp4"))
    two = ["-o", str(tmp_path / "a.mp4"), "-o", str(tmp_path / "b.mp4")]
    for words, message in (
        ([clip, *two, "--resume"], "goes on with one --output"),
        ([clip, clip, *two], "a second --output goes with one input"),
        ([clip, two[0], two[1], two[0], two[1]], "the same place was given twice"),
    ):
        assert main(["run", *words]) == 2
        assert message in capsys.readouterr().err


def test_a_file_can_hold_the_comparison(tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in ("a.mp4", "b.mp4?compare=diff", "c.mp4")]
    words = ["run", "test://64x48?frames=3", "--backend", "nearest", "--compare", "side"]
    assert main([*words, "-o", names[0], "-o", names[1]]) == 0
    assert facts_of(tmp_path / "a.mp4")[1:] == (256, 96, 3)
    assert facts_of(tmp_path / "b.mp4")[1:] == (128, 96, 3)
    assert main(["run", "test://64x48?frames=3", "-o", f"{names[2]}?compare=upside"]) == 2
    assert main([*words, "-o", names[2], "--resume"]) == 2
    assert not (tmp_path / "c.mp4").exists()


def test_a_question_mark_may_be_part_of_a_name() -> None:
    assert has_options("b.mkv?codec=h265&crf=20")
    assert output_path("b.mkv?size=1080p") == "b.mkv"
    for name in ("why?.mp4", "a?b=c.mkv", "b.mkv?speed=2", "b.mkv"):
        assert not has_options(name)
        assert output_path(name) == name


def test_the_configuration_has_them_as_an_array(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["0", "-o", "a.mp4", "-o", "b.mkv?crf=20", "--publish", "rtsp://host/x"]
    assert main(["run", *words, "--print-config"]) == 0
    text = capsys.readouterr().out
    assert 'output = ["a.mp4", "b.mkv?crf=20"]' in text
    config = tmp_path / "run.toml"
    config.write_text(text)
    assert main(["run", "--config", str(config), "--print-config"]) == 0
    assert capsys.readouterr().out == text
    config.write_text('input = "0"\noutput = "a.mp4"\n')
    assert main(["run", "--config", str(config), "--print-config"]) == 0
    assert 'output = "a.mp4"' in capsys.readouterr().out


def test_a_job_with_several_outputs_survives_json() -> None:
    spec = JobSpec(input="0", output="a.mp4", more_outputs=("b.mkv",), publish=("rtsp://h/x",))
    assert JobSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    assert "rtsp:" not in repr(spec)  # it may hold a password
