"""A sink around another one passes on all that it does not change itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge_sr.live.compare import Compared
from edge_sr.media.protocols import Sink, SinkBase, WrappedSink
from edge_sr.media.sinks.resized import Resized


class Recorder(SinkBase):
    """Remembers what is called, and answers as no default does."""

    closed, message, notices = True, "one line", ("a notice",)

    def __init__(self) -> None:
        self.calls: list[str] = []

    def idle(self) -> None:
        self.calls.append("idle")

    def write(self, frame: object) -> None:
        self.calls.append("write")

    def finish(self, *, complete: bool = True) -> str:
        self.calls.append(f"finish {complete}")
        return "finished"

    def abort(self) -> str:
        self.calls.append("abort")
        return "aborted"


@pytest.mark.parametrize(
    "wrap",
    [WrappedSink, lambda sink: Compared(sink, "split"), lambda sink: Resized(sink, lambda at: at)],
    ids=["itself", "Compared", "Resized"],
)
def test_a_sink_around_another_passes_everything_on(wrap: Callable[[Sink], Sink]) -> None:
    inner = Recorder()
    outer = wrap(inner)
    outer.idle()
    assert (outer.closed, outer.message, outer.notices) == (True, "one line", ("a notice",))
    assert (outer.finish(complete=False), outer.abort()) == ("finished", "aborted")
    assert inner.calls == ["idle", "finish False", "abort"]
