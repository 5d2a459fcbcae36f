"""Messages: logging calls anywhere in the code become plain lines on stderr of a command."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable

import pytest
from tqdm import tqdm

from edge_sr.cli.common import make_parser
from edge_sr.cli.messages import ROOMS, exit_codes, show_messages
from edge_sr.errors import EdgeSRError, UsageError


def command(*words: str, work: Callable[[], int] = lambda: 0) -> int:
    """A program that parses `words`, logs at each level in two rooms, and does `work`."""

    @exit_codes("program")
    def main() -> int:
        make_parser("program", "Work.", examples="").parse_args(words)
        for room in ("edge_sr.media", "training"):
            logger = logging.getLogger(room)
            logger.debug("debug of %s", room)
            logger.info("info of %s", room)
            logger.warning("warning of %s", room)
        return work()

    return main()


def fail(error: EdgeSRError) -> int:
    raise error


@pytest.mark.parametrize(
    ("words", "levels"),
    [
        ([], ("info", "warning")),
        (["-q"], ("warning",)),
        (["--quiet"], ("warning",)),
        (["-v"], ("debug", "info", "warning")),
        (["--verbose"], ("debug", "info", "warning")),
    ],
)
def test_levels(
    words: list[str], levels: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*words) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        f"{level} of {room}" for room in ("edge_sr.media", "training") for level in levels
    ]


@pytest.mark.parametrize(("error", "code"), [(EdgeSRError("broken"), 1), (UsageError("wrong"), 2)])
def test_an_error_is_one_line_with_the_name_of_the_program(
    error: EdgeSRError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("-q", work=lambda: fail(error)) == code
    assert capsys.readouterr().err.splitlines()[-1] == f"program: {error}"


def test_verbose_shows_where_an_error_was_raised(capsys: pytest.CaptureFixture[str]) -> None:
    command("-v", work=lambda: fail(EdgeSRError("broken")))
    assert "in fail\n" in capsys.readouterr().err
    command(work=lambda: fail(EdgeSRError("broken")))
    assert "Traceback" not in capsys.readouterr().err


def test_the_next_command_begins_with_the_usual_level(capsys: pytest.CaptureFixture[str]) -> None:
    command("-q")
    command()
    assert capsys.readouterr().err.count("info of training") == 1


def test_loggers_are_left_as_they_were() -> None:
    before = [(room, logging.getLogger(room).level) for room in ROOMS]
    command("-v", work=lambda: 0)
    assert before == [(room, logging.getLogger(room).level) for room in ROOMS]
    assert not any(logging.getLogger(room).handlers for room in ROOMS)


def test_without_a_command_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("edge_sr").info("unseen")
    assert capsys.readouterr().err == ""


def test_a_command_inside_a_command_shows_a_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(work=lambda: command()) == 0
    assert capsys.readouterr().err.count("warning of training") == 2  # two commands, a line each


def test_a_bar_stays_below_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with show_messages("program"), tqdm(total=4, file=stream, desc="film", mininterval=0) as bar:
        bar.update(1)
        logging.getLogger("edge_sr").info("a line")
        bar.update(1)
    lines = [part.rstrip() for part in stream.getvalue().replace("\r", "\n").splitlines()]
    assert "a line" in lines  # a line of its own: not the end of a line with a bar


def test_a_closed_stderr_does_not_end_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, text: str, /) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(sys, "stderr", Closed())
    assert command() == 0


def test_results_may_name_files_whose_names_are_no_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", stdout)

    def work() -> int:
        print("o\udcff.mp4: done")
        return 0

    assert command("-q", work=work) == 0
    assert stdout.buffer.getvalue() == b"o\\udcff.mp4: done\n"
