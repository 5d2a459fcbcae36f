"""TensorRT's messages: kept, and shown when something fails."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

from edge_sr.errors import BackendError

LONGEST = 300  # characters of TensorRT's messages in an error


class Log:
    """The last errors and warnings that TensorRT logged."""

    def __init__(self) -> None:
        self.errors: deque[str] = deque(maxlen=8)
        self.warnings: deque[str] = deque(maxlen=8)

    def take_errors(self) -> str:
        """The errors so far, in one line, and forget them."""
        lines = [" ".join(line.split()) for line in self.errors]
        self.errors.clear()
        return "; ".join(dict.fromkeys(lines))[:LONGEST]


_loggers: dict[Any, tuple[Any, Log]] = {}  # of each TensorRT in this process, never freed


def process_logger(base: Any) -> tuple[Any, Log]:
    """The one logger of this process for a TensorRT, and the messages that it gets.

    TensorRT keeps the first logger that it is given for all runtimes of the process, and ignores
    the others: it must outlive them all.

    Args:
        base: TensorRT's class ILogger.
    """
    if base not in _loggers:
        log = Log()
        _loggers[base] = _make_logger(base, log), log
    return _loggers[base]


def _make_logger(base: Any, log: Log) -> Any:
    """A logger that fills ``log`` and prints nothing."""
    kinds = base.Severity

    class Logger(base):  # type: ignore[misc]
        def __init__(self) -> None:
            base.__init__(self)

        def log(self, severity: Any, msg: str) -> None:
            if severity in (kinds.INTERNAL_ERROR, kinds.ERROR):
                log.errors.append(msg)
            elif severity == kinds.WARNING:
                log.warnings.append(msg)

    return Logger()


def refusal(path: Path, what: str, log: Log, advice: str = "") -> BackendError:
    """What TensorRT refused, with its messages."""
    words = log.take_errors()
    return BackendError(f"{path}: TensorRT {what}" + (f" ({words})" if words else "") + advice)
