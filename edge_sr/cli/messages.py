"""Messages for the person at the keyboard: log records of all packages as lines on stderr.

Messages go through the standard ``logging`` module, in every package::

    logger = logging.getLogger(__name__)     # "edge_sr...", "convert...", "training...", ...
    logger.info("%s: %d frames", name, count)  # a line for the person
    logger.warning("left out: %s", error)      # a line that --quiet shows, too
    logger.debug("took %.1f s", seconds)       # a line for --verbose alone

A library function logs and never prints. `exit_codes` shows the lines while a command runs, without
a prefix; a progress bar below them stays whole. Results go to stdout, with ``print``, and only a
command's own function prints them. Every parser of `edge_sr.cli.common` has ``-q/--quiet`` and
``-v/--verbose``.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ParamSpec

from edge_sr.errors import EdgeSRError, UsageError

P = ParamSpec("P")
ROOMS = ("edge_sr", "convert", "calibration", "training", "bench", "fleet", "lab")
BROKEN_PIPE = 141  # 128 + SIGPIPE, as a shell reports it of other programs


def exit_codes(name: str) -> Callable[[Callable[P, int]], Callable[P, int]]:
    """Show messages while a command runs, and turn its errors into exit codes.

    What the function returns stays; 1: an EdgeSRError; 2: a UsageError; 130: Ctrl-C; 141: nobody
    reads its stdout any more, as in ``| head``. An error is one line on stderr that begins with
    ``name``; --verbose shows where it was raised.
    """

    def around(work: Callable[P, int]) -> Callable[P, int]:
        @functools.wraps(work)
        def command(*args: P.args, **kwargs: P.kwargs) -> int:
            if isinstance(sys.stdout, io.TextIOWrapper):
                sys.stdout.reconfigure(errors="backslashreplace")  # names of files may be any bytes
            with show_messages(name):
                try:
                    with _flushed():
                        return work(*args, **kwargs)
                except EdgeSRError as error:
                    logger = logging.getLogger("edge_sr")
                    logger.error("%s", error)
                    logger.debug("raised here:", exc_info=True)
                    return 2 if isinstance(error, UsageError) else 1
                except KeyboardInterrupt:
                    return 130
                except BrokenPipeError:
                    _silence_stdout()
                    return BROKEN_PIPE

        return command

    return around


@contextlib.contextmanager
def _flushed() -> Iterator[None]:
    """Write out what was printed, also before --help and --version leave by SystemExit."""
    leaving = None
    try:
        yield
    except SystemExit as found:
        leaving = found
    if sys.stdout is not None:
        sys.stdout.flush()
    if leaving is not None:
        raise leaving


def _silence_stdout() -> None:
    """Let the interpreter flush what is left into nothing when it ends."""
    with contextlib.suppress(OSError, ValueError):  # a stream without a file descriptor
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)


@contextlib.contextmanager
def show_messages(name: str) -> Iterator[None]:
    """Show what the loggers of all rooms say on stderr: info and above, until -q or -v.

    Inside another `show_messages` nothing changes. Loggers are left as they were found.

    Args:
        name: of the program; it stands before errors.
    """
    loggers = [logging.getLogger(room) for room in ROOMS]
    if any(isinstance(handler, _Lines) for handler in loggers[0].handlers):
        yield
        return
    handler, levels = _Lines(name), [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)


class _Lines(logging.Handler):
    """Plain lines on stderr."""

    def __init__(self, program: str) -> None:
        super().__init__()
        self.program = program

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message; above a tqdm bar where one is drawn."""
        try:
            text = self.format(record)
            if record.levelno >= logging.ERROR:
                text = f"{self.program}: {text}"
            tqdm = sys.modules.get("tqdm")  # not loaded: there is no bar
            if tqdm is None:
                print(text, file=sys.stderr, flush=True)
            else:
                tqdm.tqdm.write(text, file=sys.stderr)
        except OSError:  # stderr is closed: nobody reads it
            return
        except Exception:  # noqa: BLE001 - as logging's own handlers: a message never ends a run
            self.handleError(record)


class _SetLevel(argparse.Action):
    """Choose which messages are shown, from the moment the option is read."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **options)

    def __call__(self, *_: object) -> None:
        """Set the level of every room, while messages are shown."""
        loggers = [logging.getLogger(room) for room in ROOMS]
        if any(isinstance(handler, _Lines) for handler in loggers[0].handlers):
            for logger in loggers:
                logger.setLevel(self.const)


def add_level_options(parser: argparse.ArgumentParser, verbose: str = "--verbose") -> None:
    """Add -q/--quiet and -v/--verbose; `verbose` is another long name for the latter."""
    for flags, level, text in (
        (("-q", "--quiet"), logging.WARNING, "show warnings and errors only, no progress"),
        (("-v", verbose), logging.DEBUG, "show details, and where an error was raised"),
    ):
        parser.add_argument(
            *flags, action=_SetLevel, const=level, default=argparse.SUPPRESS, help=text
        )
