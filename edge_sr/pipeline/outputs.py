"""Where the frames of a job go: files, pipes, a virtual camera, a window, a page."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from edge_sr.errors import UsageError
from edge_sr.live.compare import CHOICES, Compared
from edge_sr.live.control import RunControl
from edge_sr.live.window import LiveWindow
from edge_sr.media.address import resolve_address
from edge_sr.media.animation.frames import AnimationSink
from edge_sr.media.animation.write import FROM_FILMS
from edge_sr.media.codec.unfinished import partial_path
from edge_sr.media.codec.y4m import Y4mSink
from edge_sr.media.frame import YUV420, StreamInfo
from edge_sr.media.protocols import Sink, Source
from edge_sr.media.sinks.mailbox import Mailbox
from edge_sr.media.sinks.null import NullSink
from edge_sr.media.sinks.publisher import PLAYLIST, Publisher
from edge_sr.media.sinks.resized import Resized
from edge_sr.media.sinks.rtsp_server import RtspServer
from edge_sr.media.sinks.virtual_camera import VirtualCameraSink
from edge_sr.media.sinks.writer import VideoWriter
from edge_sr.page.server import PageServer
from edge_sr.pipeline.job import JobSpec
from edge_sr.pipeline.shot import AnySink, ShotSink
from edge_sr.pipeline.target import parse_target

# at the end of an output: how this one is written
OPTIONS = re.compile(r"\?((?:(?:codec|crf|preset|size|compare)=[^&=?]*(?:&|$))+)$")
logger = logging.getLogger(__name__)

WAITING = 8  # frames of a live run that may wait for an encoder or a pipe


class Placed(NamedTuple):
    """A sink, and the file that it makes, if it makes one."""

    sink: AnySink
    path: Path | None = None

    def finished(self, *, complete: bool) -> Path | None:
        """The file as it is called in the end."""
        return self.path if complete or self.path is None else partial_path(self.path)


def output_sinks(spec: JobSpec, source: Source) -> list[Placed]:
    """Where the upscaled frames go besides screens; the file of ``spec.output`` comes first.

    Raises:
        EdgeSRError: an output cannot be written, or a package is missing.
    """
    found: list[Placed] = []
    for text in spec.outputs:
        sink = _output_sink(text, spec, source, first=not found)
        if sink.path is not None and sink.path in [other.path for other in found]:
            raise UsageError(f"--output {text}: was given twice")
        found.append(sink)
    found += [Placed(_publisher(text, source)) for text in spec.publish]
    if spec.rtsp is not None:
        server = RtspServer(*spec.rtsp, source=source.info, sound=source.sound)
        found.append(Placed(Mailbox(server, size=WAITING)))
    if spec.virtual_camera is not None:
        camera = VirtualCameraSink(spec.virtual_camera or None, source=source.info)
        found.append(Placed(Mailbox(camera)))
    return found


def has_options(text: str) -> bool:
    """Whether an output says how it is written: ``b.mkv?codec=h265``."""
    return OPTIONS.search(text) is not None


def output_path(text: str) -> str:
    """An output without its options."""
    return OPTIONS.sub("", text)


def with_absolute_outputs(spec: JobSpec) -> tuple[JobSpec, list[str]]:
    """The job with absolute paths of all that it writes, and the folders that those are in."""
    folders: list[str] = []

    def absolute(text: str) -> str:
        path = Path(output_path(text)).absolute()
        folders.append(str(path.parent))
        return f"{path}{text[len(output_path(text)) :]}"

    kept = ("-", "null")
    found = [text if text in kept else absolute(text) for text in spec.outputs]
    output = None if spec.output is None else found.pop(0)
    publish = [absolute(text) if text.endswith(PLAYLIST) else text for text in spec.publish]
    spec = replace(spec, output=output, more_outputs=tuple(found), publish=tuple(publish))
    return spec, folders


def _output_sink(text: str, spec: JobSpec, source: Source, *, first: bool) -> Placed:
    """One file, pipe or nothing."""
    if text == "null":
        return Placed(NullSink())
    if text == "-":
        if sys.stdout.isatty():
            raise UsageError("--output - would write raw video to the terminal: pipe it somewhere")
        stream = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
        return Placed(_boxed(Y4mSink(stream, source=source.info), spec, source))
    path, given = Path(output_path(text)), _options(text)
    beside = source.beside
    if path.suffix.lower() in FROM_FILMS:
        return Placed(_boxed(_animation(path, spec, source, given), spec, source), path)
    mode = given.get("compare", _compared(spec))
    writer: Sink = VideoWriter(
        path,
        source=source.info if mode is None else _shown(source.info, path),
        copy_from=beside if first or beside is None else beside.path,
        force=spec.force,
        codec=given.get("codec", spec.codec),
        crf=_crf(text, given["crf"]) if "crf" in given else spec.crf,
        preset=given.get("preset", spec.preset),
        audio=spec.audio,
    )
    if "size" in given:
        try:
            target = parse_target(given["size"])
        except argparse.ArgumentTypeError as error:
            raise UsageError(f"--output {text}: size is {error}") from error
        writer = Resized(writer, target.size_for)
    if mode is None:
        return Placed(_boxed(writer, spec, source), path)
    if mode not in CHOICES:
        raise UsageError(f"--output {text}: compare is {mode!r}; expected {', '.join(CHOICES)}")
    return Placed(Compared(_boxed(writer, spec, source), mode), path)


def _shown(info: StreamInfo, path: Path) -> StreamInfo:
    """What a comparison is made of: frames as screens get them."""
    if info.format != YUV420:
        logger.info("%s: the comparison is made of 8-bit 4:2:0", path)
    return replace(info, format=YUV420, hdr=None)


def _compared(spec: JobSpec) -> str | None:
    """How files show before and after; where there is a screen, --compare is for that."""
    return None if spec.show or spec.serve is not None else spec.compare


def _options(text: str) -> dict[str, str]:
    match = OPTIONS.search(text)
    parts = match[1].strip("&").split("&") if match else []
    return dict(part.split("=", 1) for part in parts)


def _animation(path: Path, spec: JobSpec, source: Source, given: dict[str, str]) -> Sink:
    if given:
        raise UsageError(f"--output {path}: {', '.join(given)} is for video, not for animations")
    return AnimationSink(path, source=source.info, beside=source.beside, force=spec.force)


def _crf(text: str, value: str) -> int:
    if not (value.isascii() and value.isdigit()):
        raise UsageError(f"--output {text}: crf is {value!r}; expected 0 to 51")
    return int(value)


def _publisher(text: str, source: Source) -> Sink:
    publisher = Publisher(resolve_address(text), source=source.info, sound=source.sound)
    return Mailbox(publisher, size=WAITING)


def screen_sinks(
    spec: JobSpec, stack: contextlib.ExitStack, control: RunControl, name: str, *, anything: bool
) -> list[ShotSink]:
    """Window and page; a camera without any output is shown in a window.

    Args:
        anything: whether the frames go somewhere else already.
    """
    screens: list[ShotSink] = []
    if spec.serve is not None:
        page = PageServer(control, host=spec.serve[0], port=spec.serve[1])
        stack.callback(page.close)
        logger.info("page: %s", page.url)
        screens.append(page)
    if spec.show or not (anything or screens):
        screens.append(LiveWindow(title=f"edge-sr: {name}", control=control))
    return screens


def _boxed(sink: Sink, spec: JobSpec, source: Source) -> Sink:
    """A sink of a live run in a thread of its own, so that the others need not wait for it."""
    if source.info.live and spec.drop_policy != "none":
        return Mailbox(sink, size=WAITING)
    return sink
