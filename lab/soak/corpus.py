"""Try every container and codec that PyAV writes, and print what comes through.

``python -m lab.soak.corpus [--folder DIR]`` makes a small film of each pair, copies its frames to
.mp4, .mov, .mkv and .webm as `edge-sr run` does, compares frames, times and sound with the input,
and prints one row per pair as Markdown; ``--write docs/formats.md`` puts the counts into that page.
Exit code 1: something was lost without a message, or an error was not ours.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from edge_sr.cli.common import make_parser
from edge_sr.errors import EdgeSRError
from edge_sr.media.libraries import load_av
from edge_sr.media.sinks.writer import VideoWriter
from edge_sr.media.sources.file import VideoFile

av: Any = load_av()
EXAMPLES = """\
examples:
  python -m lab.soak.corpus
  python -m lab.soak.corpus --only ts,avi --folder films
"""
COUNT, RATE, SIZE = 30, 25, (96, 64)
OUTPUTS = ("mp4", "mov", "mkv", "webm")
BEGIN, END = "<!-- corpus: begin -->", "<!-- corpus: end -->"
# ending: FFmpeg's name of the container
CONTAINERS = {
    "mp4": "mp4", "mov": "mov", "mkv": "matroska", "webm": "webm", "avi": "avi", "ts": "mpegts",
    "m2ts": "mpegts", "mpg": "mpeg", "vob": "vob", "flv": "flv", "asf": "asf", "ogv": "ogg",
    "nut": "nut", "mxf": "mxf", "3gp": "3gp", "dv": "dv", "gif": "gif", "apng": "apng",
    "y4m": "yuv4mpegpipe", "h264": "h264", "hevc": "hevc", "mjpeg": "mjpeg", "ivf": "ivf",
    "m2v": "mpeg2video", "wtv": "wtv", "rm": "rm", "swf": "swf",
}  # fmt: skip
VIDEO = {
    "libx264": "yuv420p", "libx265": "yuv420p", "mpeg4": "yuv420p", "mpeg2video": "yuv420p",
    "mpeg1video": "yuv420p", "msmpeg4": "yuv420p", "mjpeg": "yuvj420p", "ffv1": "yuv422p10le",
    "libvpx": "yuv420p", "libvpx-vp9": "yuv420p", "libsvtav1": "yuv420p", "prores": "yuv422p10le",
    "dnxhd": "yuv422p", "h263p": "yuv420p", "flv": "yuv420p", "wmv2": "yuv420p",
    "huffyuv": "yuv422p", "rawvideo": "yuv420p", "png": "rgb24", "gif": "pal8", "apng": "rgb24",
    "dvvideo": "yuv420p",
    "wrapped_avframe": "yuv420p", "cinepak": "rgb24", "qtrle": "rgb24", "utvideo": "yuv420p",
}  # fmt: skip
AUDIO = (
    "aac", "libmp3lame", "mp2", "ac3", "eac3", "flac", "alac", "libopus", "libvorbis", "pcm_s16le",
    "pcm_s24le", "pcm_s16be", "pcm_mulaw", "pcm_alaw", "adpcm_ms", "adpcm_ima_wav", "wmav2",
    "libspeex", "truehd", "dca", "libopencore_amrnb", "adpcm_swf", "tta", "wavpack", "nellymoser",
)  # fmt: skip


@dataclass
class Row:
    """The result of copying one film to each output."""

    ending: str
    video: str
    audio: str
    results: dict[str, str]
    bad: bool


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = make_parser(
        "python -m lab.soak.corpus",
        "Copy films of every container and codec that PyAV writes, and print what comes through.",
        examples=EXAMPLES,
    )
    parser.add_argument("--folder", type=Path, help="keep the films here")
    parser.add_argument("--only", default="", help="container endings, separated by commas")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the counts into a page")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Try all pairs; returns the exit code."""
    args = build_parser().parse_args(argv)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        outputs = " | ".join(f".{output}" for output in OUTPUTS)
        print(f"| in | video | sound | {outputs} |\n|---|---|---|{'---|' * len(OUTPUTS)}")
        for ending in args.only.split(",") if args.only else CONTAINERS:
            for video, audio in _pairs(ending):
                row = _try(folder, ending, video, audio)
                if row is not None:
                    rows.append(row)
                    found = " | ".join(row.results[output] for output in OUTPUTS)
                    print(f"| .{ending} | {video} | {audio or 'none'} | {found} |", flush=True)
    bad = sum(row.bad for row in rows)
    print(f"\n{len(rows)} films, {bad} with a fault", file=sys.stderr)
    if args.write:
        write_counts(args.write, counts(rows))
    return 1 if bad else 0


def counts(rows: Sequence[Row]) -> str:
    """A Markdown table: of each container, how many films came out whole, or with a message."""
    heads = " | ".join(f"to .{output}" for output in OUTPUTS)
    lines = [f"| from | films | {heads} |", f"|---|---|{'---|' * len(OUTPUTS)}"]
    for ending in dict.fromkeys(row.ending for row in rows):
        mine = [row for row in rows if row.ending == ending]
        cells = [_count([row.results[output] for row in mine]) for output in OUTPUTS]
        lines.append(f"| .{ending} | {len(mine)} | {' | '.join(cells)} |")
    cells = [_count([row.results[output] for row in rows]) for output in OUTPUTS]
    lines.append(f"| all | {len(rows)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _count(results: Sequence[str]) -> str:
    """ "20, 3 with a message, 1 refused"."""
    bad = sum("**" in result for result in results)
    refused = sum(result.startswith("refused") for result in results)
    whole = sum(result == "kept" for result in results)
    said = len(results) - whole - refused - bad
    parts = [f"{whole}", f"{said} with a message" if said else ""]
    parts += [f"{refused} refused" if refused else "", f"**{bad} with a fault**" if bad else ""]
    return ", ".join(filter(None, parts))


def write_counts(page: Path, table: str) -> None:
    """Replace what stands between the two marks of a page."""
    text = page.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


def _pairs(ending: str) -> list[tuple[str, str]]:
    """Each video codec without sound, and each audio codec beside one of them that fits."""
    alone = [(video, "") for video in VIDEO]
    first = {"webm": "libvpx", "ogv": "libvpx", "mxf": "mpeg2video", "dv": "dvvideo", "flv": "flv"}
    video = first.get(ending, "mpeg4")
    return alone + [(video, audio) for audio in AUDIO]


def _try(folder: Path, ending: str, video: str, audio: str) -> Row | None:
    path = folder / f"{video}-{audio or 'none'}.{ending}"
    try:
        _make(path, CONTAINERS[ending], video, audio)
    except (av.FFmpegError, ValueError, KeyError, OSError, TypeError):
        return None
    truth = read_facts(path)
    if truth is None:
        return None
    row = Row(ending, video, audio, {}, False)
    for output in OUTPUTS:
        target = folder / f"o.{output}"
        try:
            notices = copy_film(path, target)
            row.results[output] = _compare(truth, read_facts(target), notices)
        except EdgeSRError as error:
            row.results[output] = f"refused: {str(error).rpartition(': ')[2]}"
        except Exception as error:  # noqa: BLE001 - what is looked for
            row.results[output] = f"**{type(error).__name__}: {error}**"
        row.bad |= "**" in row.results[output]
    return row


def _make(path: Path, form: str, video: str, audio: str) -> None:
    size = (720, 576) if video == "dvvideo" else (1280, 720) if video == "dnxhd" else SIZE
    with av.open(str(path), "w", format=form) as output:
        stream = output.add_stream(video, rate=RATE)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = *size, VIDEO[video]
        if video == "dnxhd":
            context.bit_rate = 60_000_000
        sound = output.add_stream(audio, rate=_rate(audio), layout="mono") if audio else None
        packets = []
        for number in range(COUNT):
            y, x = np.mgrid[: size[1], : size[0]]
            grey = ((2 * x + 3 * y + 5 * number) % 220).astype(np.uint8)
            image = av.VideoFrame.from_ndarray(np.repeat(grey[..., None], 3, 2), "rgb24")
            image = image.reformat(format=VIDEO[video])
            image.pts, image.time_base = number, Fraction(1, RATE)
            packets += stream.encode(image)
        packets += stream.encode(None)
        packets += _sound(sound) if sound else []
        for packet in sorted(packets, key=lambda item: (item.dts or 0) * item.time_base):
            output.mux(packet)


def _rate(audio: str) -> int:
    slow = ("pcm_mulaw", "pcm_alaw", "libopencore_amrnb", "nellymoser")
    return 8000 if audio in slow else 48000 if audio != "libspeex" else 16000


def _sound(stream: Any) -> list[Any]:
    context = stream.codec_context
    rate = context.sample_rate
    wave = (8000 * np.sin(np.arange(rate * COUNT // RATE) / 9)).astype(np.int16)[None]
    samples = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
    samples.sample_rate, samples.pts, samples.time_base = rate, 0, Fraction(1, rate)
    resampler = av.AudioResampler(
        context.format.name, context.layout.name, rate, frame_size=context.frame_size or 1024
    )
    parts = [*resampler.resample(samples), *resampler.resample(None)]
    return [packet for part in [*parts, None] for packet in stream.encode(part)]


def read_facts(path: Path) -> tuple[list[float], int] | None:
    """The seconds of each frame from the first on, and the count of audio packets.

    None: it cannot be read.
    """
    try:
        with av.open(str(path)) as found:
            packets = (p for p in found.demux() if p.stream.type == "audio" and p.size)
            sounds = sum(not packet.is_discard for packet in packets)  # cut off by an edit list
        with av.open(str(path)) as found:
            times = [frame.time for frame in found.decode(video=0)]
    except (av.FFmpegError, IndexError, ValueError):
        return None
    first = next((at for at in times if at is not None), 0.0)
    return [-1.0 if at is None else at - first for at in times], sounds


def copy_film(source: Path, output: Path) -> list[str]:
    """Write a film again without a network; returns the notices of reading and writing."""
    with VideoFile(source) as found:
        writer = VideoWriter(
            output, source=found.info, copy_from=found.beside, preset="ultrafast", force=True
        )
        for item in found:
            writer.write(item)
        writer.finish()
        return [*found.notices, *writer.notices]


def _compare(
    truth: tuple[list[float], int], made: tuple[list[float], int] | None, notices: list[str]
) -> str:
    """A few words; in bold what was lost without a message."""
    if made is None:
        return "**unreadable**"
    said = "; ".join(line.partition(": ")[2] for line in notices)
    if len(made[0]) != len(truth[0]) and "damaged" not in said:
        return f"**{len(made[0])} of {len(truth[0])} frames**"
    even = [number / RATE for number in range(COUNT)]  # AVI has no times that a decoder shows
    wrong = min(
        sum(abs(a - b) > 0.0021 for a, b in zip(times, made[0], strict=False))
        for times in (even, truth[0])
    )
    if wrong and "no time" not in said:
        return f"**{wrong} frames at another time**"
    if made[1] < truth[1] - 1 and "left out" not in said:
        return f"**{made[1]} of {truth[1]} packets of sound**"
    return said or "kept"


if __name__ == "__main__":
    sys.exit(main())
