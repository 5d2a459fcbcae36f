"""What a writer refuses, and what it leaves when it is stopped, aborted or out of disk."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clips import frame, info, make_clip, make_sound
from films import frame_times

from edge_sr.errors import MediaError, UsageError
from edge_sr.media.sinks.writer import VideoWriter

resource = pytest.importorskip("resource")


def test_an_existing_file_is_refused_before_any_work(tmp_path: Path) -> None:
    output = tmp_path / "o.mp4"
    output.write_bytes(b"precious")
    with pytest.raises(MediaError, match=r"o\.mp4: exists; use --force to replace it"):
        VideoWriter(output, source=info())
    assert output.read_bytes() == b"precious"


def test_with_force_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    output = tmp_path / "o.mp4"
    output.write_bytes(b"precious")
    writer = VideoWriter(output, source=info(), force=True)
    writer.write(frame(0))
    assert output.read_bytes() == b"precious"
    writer.finish()
    assert len(frame_times(output)) == 1


def test_the_input_is_never_replaced(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "i.mp4")
    link = tmp_path / "link.mp4"
    link.symlink_to(clip)
    for output in (clip, link):
        with pytest.raises(MediaError, match="is the input itself"):
            VideoWriter(output, source=info(), copy_from=clip, force=True)


def test_outputs_that_cannot_be_written_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "dir.mp4").mkdir()
    with pytest.raises(MediaError, match="is a folder"):
        VideoWriter(tmp_path / "dir.mp4", source=info())
    with pytest.raises(MediaError, match="there is no folder"):
        VideoWriter(tmp_path / "none" / "o.mp4", source=info())
    with pytest.raises(MediaError, match=r"found \.wmv; video is written to \.mp4"):
        VideoWriter(tmp_path / "o.wmv", source=info())
    with pytest.raises(MediaError, match=r"found no ending"):
        VideoWriter(tmp_path / "o", source=info())
    assert [p.name for p in tmp_path.iterdir()] == ["dir.mp4"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with pytest.raises(MediaError, match="may not be written"):
        VideoWriter(folder / "o.mp4", source=info())


def test_options_out_of_range_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="crf is 52; expected 0"):
        VideoWriter(tmp_path / "o.mp4", source=info(), crf=52)
    with pytest.raises(
        UsageError, match=r"codec is .theora9.; expected auto, h264, h265, av1, vp9, lib"
    ):
        VideoWriter(tmp_path / "o.mp4", source=info(), codec="theora9")


def test_an_unknown_preset_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="preset is 'warp9'; expected ultrafast"):
        VideoWriter(tmp_path / "o.mp4", source=info(), preset="warp9")
    assert list(tmp_path.iterdir()) == []


def test_a_part_gets_another_name_than_the_whole(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "o.mp4", source=info())
    writer.write(frame(0))
    assert writer.finish(complete=False).startswith(f"{tmp_path / 'o.partial.mp4'}: 64x48")
    assert [path.name for path in tmp_path.iterdir()] == ["o.partial.mp4"]
    assert len(frame_times(tmp_path / "o.partial.mp4")) == 1


def test_abort_leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "o.mp4", source=info())
    writer.write(frame(0))
    assert len(list(tmp_path.iterdir())) == 1
    assert writer.abort() == f"{tmp_path / 'o.mp4'}: not written"
    assert writer.abort() == ""
    assert list(tmp_path.iterdir()) == []


def test_abort_after_finish_keeps_the_file(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "o.mp4", source=info())
    writer.write(frame(0))
    writer.finish()
    assert writer.abort() == ""
    assert [p.name for p in tmp_path.iterdir()] == ["o.mp4"]


def test_finishing_without_a_frame_is_an_error(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "o.mp4", source=info())
    with pytest.raises(MediaError, match="no frame came"):
        writer.finish()
    assert list(tmp_path.iterdir()) == []


def test_a_frame_of_another_size_is_refused(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "o.mp4", source=info())
    writer.write(frame(0))
    with pytest.raises(MediaError, match="frame is 32x16; the first was 64x48"):
        writer.write(frame(1, 32, 16))
    writer.abort()


def test_a_frame_that_is_not_later_is_refused(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "o.mp4", source=info())
    writer.write(frame(0, pts=5))
    with pytest.raises(MediaError, match="not after"):
        writer.write(frame(1, pts=5))
    writer.abort()


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("limit", [1000, 30000])
def test_a_full_disk_is_one_error_and_leaves_nothing(
    tmp_path: Path, limit: int, ending: str
) -> None:
    writer = VideoWriter(tmp_path / f"o.{ending}", source=info(), crf=1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(MediaError, match=r"\(File too large\)"):
            fill_disk(writer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        writer.abort()
    assert list(tmp_path.iterdir()) == []


def fill_disk(writer: VideoWriter) -> None:
    """Noise, which does not compress, until the disk is full."""
    noise = np.random.default_rng(0).integers(16, 235, (48, 64), dtype=np.uint8)
    for number in range(80):
        found = frame(number)
        luma = noise + np.uint8(number)
        writer.write(replace(found, planes=(luma, found.u, found.v)))
    writer.finish()


def test_a_copy_source_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "i.mp4"
    broken.write_bytes(make_sound(tmp_path / "s.m4a").read_bytes()[:100])
    writer = VideoWriter(tmp_path / "o.mp4", source=info(), copy_from=broken)
    with pytest.raises(MediaError, match=r"i\.mp4: not a video file that can be read"):
        writer.write(frame(0))
    writer.abort()
    assert not (tmp_path / "o.mp4").exists()
