"""Outputs that are links, pipes or the input itself; what is in the way is named, and stays."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from edge_sr.errors import MediaError
from edge_sr.media.sinks.output import check_output, commit, part_path


def test_the_file_behind_a_link_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    behind, link = tmp_path / "disk" / "film.mp4", tmp_path / "o.mp4"
    behind.write_bytes(b"old")
    link.symlink_to(behind)
    check_output(link, force=True)
    part_path(link).write_bytes(b"new")
    commit(link)
    assert link.is_symlink()
    assert behind.read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["disk", "film.mp4", "o.mp4"]


def test_the_file_behind_a_link_may_be_on_another_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "disk").mkdir()
    behind, link = tmp_path / "disk" / "film.mp4", tmp_path / "o.mp4"
    behind.write_bytes(b"old")
    link.symlink_to(behind)
    part_path(link).write_bytes(b"new")
    replace = os.replace

    def within_a_disk(source: Path, target: Path) -> None:
        if source.parent != target.parent:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        replace(source, target)

    monkeypatch.setattr(os, "replace", within_a_disk)
    commit(link)
    assert link.is_symlink()
    assert behind.read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["disk", "film.mp4", "o.mp4"]


def test_links_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to(tmp_path / "missing.png")
    with pytest.raises(MediaError, match=r"is a link to .*missing"):
        check_output(tmp_path / "link.png", force=True)


def test_a_pipe_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "o.mkv")
    with pytest.raises(MediaError, match="is a pipe or a device; expected a file"):
        check_output(tmp_path / "o.mkv", force=True)
    assert (tmp_path / "o.mkv").is_fifo()
