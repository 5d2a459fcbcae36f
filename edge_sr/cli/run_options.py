"""The options of ``edge-sr run``, by group. What is not given stays out of the result.

The names in the result are those of `edge_sr.pipeline.job.JobSpec`, which has the defaults.
"""

from __future__ import annotations

import argparse
from typing import Any

from edge_sr.backend import BACKENDS
from edge_sr.cli import options
from edge_sr.media.codec.encoder import CODECS
from edge_sr.media.sources.capture import FORMATS
from edge_sr.model.import_options import add_import_options
from edge_sr.model.precision import CHOICES
from edge_sr.pipeline.target import parse_scale, parse_target
from edge_sr.session.still import parse_still
from edge_sr.session.tiles import parse_tile
from edge_sr.zoo.flavour import FLAVOURS


def add_run_options(command: argparse.ArgumentParser) -> None:
    """Add all of them. `command` must suppress defaults: ``argument_default=SUPPRESS``."""
    _add_source(command.add_argument_group("source"))
    _add_sinks(command.add_argument_group("where the result goes; any number at once"))
    add_model_options(command.add_argument_group("model"))
    add_import_options(command, scale=False)
    _add_live(command.add_argument_group("live"))
    _add_config(command.add_argument_group("configuration"))


def _add_source(group: Any) -> None:
    """What is read."""
    source = group.add_mutually_exclusive_group()
    source.add_argument(
        "source",
        nargs="*",
        default=argparse.SUPPRESS,  # else it would not go with the others of the group
        metavar="INPUT",
        help="videos, images, folders and patterns of them; or a camera number or device, "
        "csi://0 on a Jetson, rtsp:// or http:// address, test://clip or test://1280x720@30, "
        "- for YUV4MPEG2 on stdin, env:NAME for an address in a variable",
    )
    source.add_argument("--input", metavar="PATH", help="the same as INPUT")
    source.add_argument(
        "--camera", metavar="ID", help="number, device as /dev/video0, or csi://0 on a Jetson"
    )
    group.add_argument(
        "--camera-size",
        type=options.size,
        metavar="WxH",
        help="asked of the camera (default: 1280x720)",
    )
    group.add_argument(
        "--camera-fps",
        type=options.at_least_one,
        metavar="N",
        help="frames a second, asked of the camera (default: 30)",
    )
    group.add_argument(
        "--camera-format",
        type=str.upper,
        choices=FORMATS,
        help="pixel format, asked of the camera; it may decide otherwise (default: MJPG)",
    )
    group.add_argument(
        "-j",
        "--jobs",
        type=options.at_least_one,
        metavar="N",
        help="inputs that are worked on at the same time (default: 1)",
    )
    group.add_argument(
        "--fps",
        type=options.frame_rate,
        metavar="N",
        help="frames a second of a raw H.264, HEVC or AV1 stream, as 25 or 30000/1001 (default: "
        "what it says itself, or 25)",
    )
    group.add_argument(
        "--strict",
        action="store_true",
        help="refuse a file whose end is missing; else it is read up to there, and reported",
    )
    group.add_argument(
        "-n", "--max-frames", type=options.at_least_one, metavar="N", help="stop after N frames"
    )


def _add_sinks(group: Any) -> None:
    """Where the result goes."""
    group.add_argument(
        "-o",
        "--output",
        action="append",
        metavar="PATH",
        help="file to write, any number of times, or a folder for several inputs; how one file is "
        "written may follow its name: 'b.mkv?codec=h265&crf=20&size=1080p'; - for YUV4MPEG2 on "
        "stdout; 'null' upscales and writes nothing "
        "(default: film-x2.mp4 for film.mp4; a window for a camera or a stream)",
    )
    group.add_argument(
        "--publish",
        action="append",
        metavar="URL",
        help="send it as a live stream to a server, rtsp://, rtmp:// or srt://, or write HLS: "
        "FOLDER/live.m3u8; env:NAME for an address in a variable",
    )
    group.add_argument(
        "--rtsp",
        type=options.bind_address,
        metavar="[HOST:]PORT",
        help="serve it to players and recorders as rtsp://HOST:PORT/live, by GStreamer; another "
        "HOST than 127.0.0.1 needs the password that is printed",
    )
    group.add_argument("--show", action="store_true", help="show the result in a window")
    group.add_argument(
        "--serve",
        type=options.bind_address,
        metavar="[HOST:]PORT",
        help="show it in a browser; another HOST than 127.0.0.1 needs the token that is printed",
    )
    group.add_argument(
        "--virtual-camera",
        nargs="?",
        const="",
        metavar="DEVICE",
        help="be a camera for other programs (v4l2loopback)",
    )
    add_encoder_options(group)
    group.add_argument(
        "--audio",
        choices=("copy", "convert"),
        help="copy (default) names sound that the container cannot hold; convert makes FLAC, PCM, "
        "AAC or, in .webm, Opus of it",
    )
    group.add_argument("--force", action="store_true", help="replace an existing output")
    group.add_argument(
        "--resume", action="store_true", help="continue a file or folder that was not finished"
    )


def add_encoder_options(group: Any) -> None:
    """How a video file is encoded."""
    group.add_argument(
        "--crf",
        type=options.crf,
        metavar="0-51",
        help="quality of a file, lower is better (default: 18)",
    )
    group.add_argument(
        "--preset",
        metavar="NAME",
        help="speed of the encoder, ultrafast to veryslow (default: veryfast)",
    )
    group.add_argument(
        "--codec",
        choices=CODECS,
        help="h264, h265 or av1 by the device's encoder where there is one, else by libx264, "
        "libx265 or libsvtav1; vp9; or one by its name (default: auto: h264, h265 above 8 bits, "
        "vp9 in .webm, av1 above 8 bits)",
    )
    group.add_argument(
        "--bits",
        choices=("keep", "8"),
        help="of a sample: keep 10-bit and HDR films so (default); 8 reduces them to 8-bit 4:2:0",
    )


def add_model_options(group: Any) -> None:
    """What upscales, and how far."""
    group.add_argument(
        "-m",
        "--model",
        metavar="MODEL",
        help="shipped model or family, or an .onnx file (default: edge-unet-s, in the flavour that "
        "fits the input)",
    )
    group.add_argument(
        "--flavour",
        choices=FLAVOURS,
        help="of a family: plain for clean pictures, live for compressed or noisy ones, vivid for "
        "the eye; auto (default without --model) looks at the input and says why",
    )
    group.add_argument(
        "--scale", type=parse_scale, metavar="N", help="output side / input side (default: 2)"
    )
    group.add_argument(
        "--target", type=parse_target, metavar="SIZE", help="1080p, 1440p, 4k or WIDTHxHEIGHT"
    )
    group.add_argument(
        "--precision",
        choices=CHOICES,
        help="default: fp16 with TensorRT, fp32 with another backend that is named; auto: the "
        "fastest on this CPU that loses 0.05 dB at most, which is the default of --backend auto "
        "for videos; bf16: OpenVINO, on a CPU that has it",
    )
    group.add_argument(
        "--backend",
        choices=BACKENDS,
        help="tensorrt builds the engine it needs, once; auto (default) uses one that is built, "
        "else what is fastest on this CPU, measured once",
    )
    group.add_argument(
        "--threads",
        type=options.at_least_one,
        metavar="N",
        help="CPU threads of the network (default: all cores)",
    )
    options.add_device(group)
    group.add_argument(
        "--slots",
        type=options.at_least_one,
        metavar="N",
        help="frames in flight, with TensorRT and OpenVINO (default: 2)",
    )
    group.add_argument(
        "--graphs",
        choices=("auto", "on", "off"),
        help="CUDA graphs, with TensorRT (default: auto, where the slowest frames gain)",
    )
    group.add_argument(
        "--still",
        type=_still,
        metavar="off|exact|auto|N",
        help="do not compute again what holds still: where every pixel is the same (exact, for "
        "files), differs by N grey levels at most, or by the noise (auto, for live sources)",
    )
    group.add_argument(
        "--strength",
        type=options.strength,
        metavar="0-1.5",
        help="how much of what the network adds to bicubic: 0 none, 1 all of it (default), up to "
        "1.5; also while it runs, on the page",
    )
    group.add_argument(
        "--tile",
        type=_tile,
        metavar="auto|off|N",
        help="cut frames into tiles of N pixels to save memory (default: above 4 megapixels)",
    )


def _add_live(group: Any) -> None:
    """What is for live sources and for people who watch."""
    group.add_argument(
        "--compare",
        choices=("split", "side", "diff"),
        help="what window and page show, or the file where there is neither; before is bicubic",
    )
    group.add_argument(
        "--overlay",
        action=argparse.BooleanOptionalAction,
        help="show figures in the window (default: yes)",
    )
    group.add_argument(
        "--drop-policy",
        choices=("auto", "newest", "none"),
        help="newest: late frames are dropped; none: none is; auto (default): what fits the source",
    )
    group.add_argument(
        "--deadline-ms",
        type=options.milliseconds,
        metavar="MS",
        help="take a smaller model, then bicubic, while a frame takes longer",
    )
    group.add_argument(
        "--calm",
        type=options.calm,
        metavar="off|auto|0-1",
        help="average the noise of a camera over time where nothing moves (default: auto, where "
        "it is noisy, for cameras and streams; off for files)",
    )
    group.add_argument(
        "--max-reconnect",
        type=options.at_least_zero,
        metavar="N",
        help="attempts to open a lost camera or stream again (default: no limit)",
    )
    group.add_argument(
        "--save-to",
        metavar="DIR",
        help="folder of snapshots and recordings (default: the current one)",
    )


def _add_config(group: Any) -> None:
    group.add_argument(
        "--config",
        metavar="FILE",
        help="TOML file with these options, as max-frames = 100; the command line wins",
    )
    group.add_argument(
        "--print-config",
        action="store_true",
        help="print the options as such a file, and run nothing",
    )


def _still(text: str) -> str:
    try:
        return parse_still(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _tile(text: str) -> int | None:
    try:
        return parse_tile(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
