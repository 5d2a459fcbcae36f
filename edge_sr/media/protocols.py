"""What the program may ask of a source and of a sink of frames, and the defaults for the rest.

A new source derives from `SourceBase` and a new sink from `SinkBase`; each adds only what it does
differently. The protocols are for type annotations and for test doubles.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from edge_sr.closing import Closing
from edge_sr.media.codec.demuxer import Demuxer
from edge_sr.media.frame import Frame, StreamInfo
from edge_sr.media.sources.sound import Sound


@dataclass(frozen=True)
class Trouble:
    """Why no frames come from a source, and when it is tried again."""

    reason: str  # one line, without credentials
    next_s: float  # of the next attempt, on the clock of time.monotonic

    def wait_s(self) -> float:
        """Seconds until then; 0 while the attempt is being made."""
        return round(max(0.0, self.next_s - time.monotonic()), 1)


class Source(Protocol):
    """Where frames come from. Iterating ends at the end of the stream and raises MediaError.

    Frames after a break in the stream (a reconnect, a seek, a jump of the clock, another size) have
    `Frame.discontinuity` set.
    """

    @property
    def info(self) -> StreamInfo:
        """What is known before the first frame."""
        ...

    @property
    def state(self) -> str:
        """ "running" or "reconnecting"."""
        ...

    @property
    def reconnects(self) -> int:
        """How often the source was opened again after it broke."""
        ...

    @property
    def trouble(self) -> Trouble | None:
        """What is wrong while it is "reconnecting", else None."""
        ...

    @property
    def notices(self) -> Sequence[str]:
        """What the user should know when the job ends, one line each."""
        ...

    @property
    def beside(self) -> Demuxer | None:
        """Where audio, subtitles and tags of the same file come from; None without a file."""
        ...

    @property
    def sound(self) -> Sound | None:
        """What is heard with the frames, where they come at their own pace; None for none."""
        ...

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None:
        """Release everything; safe to call twice."""
        ...

    def __enter__(self) -> Source: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class SinkLifecycle(Protocol):
    """What every kind of sink has, whatever it is given."""

    @property
    def closed(self) -> bool:
        """True once nobody wants more frames: a window was closed, a pipe has no reader."""
        ...

    @property
    def message(self) -> str:
        """The newest line for the user, "" for none; the caller prints it when it changes."""
        ...

    @property
    def notices(self) -> Sequence[str]:
        """What the user should know when the job ends, one line each."""
        ...

    def idle(self) -> None:
        """Called about ten times a second while no frame comes."""
        ...

    def finish(self, *, complete: bool = True) -> str:
        """Close the output so that it can be used. Returns a line that says what it is.

        Args:
            complete: False if frames are missing at the end: what there is then gets another name
                than the one that was asked for.

        Raises:
            MediaError: the output cannot be finished.
        """
        ...

    def abort(self) -> str:
        """Stop early and leave nothing at the final name. Returns a line that says what remains.

        Safe to call after finish (it then does nothing and returns "").
        """
        ...


class Sink(SinkLifecycle, Protocol):
    """Where frames go. Opens itself at the first frame, when the output size is known."""

    def write(self, frame: Frame) -> None:
        """Take one frame; it is not kept after the call returns. Raises MediaError."""
        ...


class SourceBase(Closing):
    """Defaults of `Source`: a source that never breaks and has nothing to report."""

    @property
    def state(self) -> str:
        """Always "running"."""
        return "running"

    @property
    def reconnects(self) -> int:
        """Never."""
        return 0

    @property
    def trouble(self) -> Trouble | None:
        """Never any."""
        return None

    @property
    def beside(self) -> Demuxer | None:
        """Nothing."""
        return None

    @property
    def sound(self) -> Sound | None:
        """None."""
        return None

    @property
    def notices(self) -> Sequence[str]:
        """None."""
        return ()


class SinkBase:
    """Defaults of `SinkLifecycle`: a sink that never closes by itself and keeps nothing."""

    @property
    def closed(self) -> bool:
        """Never."""
        return False

    @property
    def message(self) -> str:
        """None."""
        return ""

    @property
    def notices(self) -> Sequence[str]:
        """None."""
        return ()

    def idle(self) -> None:
        """Nothing to do."""

    def finish(self, *, complete: bool = True) -> str:  # noqa: ARG002 - keeps nothing
        """Nothing to finish."""
        return ""

    def abort(self) -> str:
        """Nothing to undo."""
        return ""


class WrappedSink(SinkBase):
    """A sink around another one, which it passes everything on to but the frames."""

    def __init__(self, sink: Sink) -> None:
        """Wrap a sink."""
        self._sink = sink

    @property
    def closed(self) -> bool:
        """The wrapped sink's."""
        return self._sink.closed

    @property
    def message(self) -> str:
        """The wrapped sink's."""
        return self._sink.message

    @property
    def notices(self) -> Sequence[str]:
        """The wrapped sink's."""
        return self._sink.notices

    def idle(self) -> None:
        """As the wrapped sink's."""
        self._sink.idle()

    def finish(self, *, complete: bool = True) -> str:
        """As the wrapped sink's."""
        return self._sink.finish(complete=complete)

    def abort(self) -> str:
        """As the wrapped sink's."""
        return self._sink.abort()
