"""`python -m bench roofline`: the least time that models could take on a device, estimated."""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from bench.commands.options import positive
from bench.models.adapters import read_rivals
from bench.models.contenders import count_contender, find_contenders
from bench.models.roofline import LABEL, PRECISIONS, Bound, Device, bound, read_devices
from edge_sr import zoo
from edge_sr.cli.common import add_command
from edge_sr.cli.options import frame_size
from edge_sr.errors import UsageError

EXAMPLES = """\
examples:
  python -m bench roofline --device orin-nano-super
  python -m bench roofline --device rtx-4060 --models edge-unet-s-x2 --size 1920x1080
  python -m bench roofline --tflops 20 --int8-tops 40 --gbps 102 --json
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The options of `roofline`."""
    devices = ", ".join(sorted(read_devices()))
    command = add_command(
        commands,
        "roofline",
        "Estimate the least time models could take on a device: not a measurement.",
        summary="estimate the least time on a device that is not here",
        examples=f"{EXAMPLES}\ndevices (bench/devices.toml has their sources):\n  {devices}\n",
    )
    command.add_argument("--device", metavar="NAME", help="of bench/devices.toml")
    command.add_argument("--tflops", type=positive, metavar="N", help="dense fp16, instead")
    command.add_argument("--int8-tops", type=positive, metavar="N", help="dense int8, instead")
    command.add_argument("--gbps", type=positive, metavar="N", help="memory, 10^9 bytes a second")
    command.add_argument("--models", nargs="+", metavar="MODEL", help="default: all shipped")
    command.add_argument("--rivals", type=Path, metavar="FILE.toml", help="other networks as well")
    command.add_argument("--precisions", nargs="+", choices=PRECISIONS)
    command.add_argument("--size", type=frame_size, default=(1280, 720), metavar="WxH")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(command=run)


def run(args: argparse.Namespace) -> int:
    """Returns 0 when the estimates were printed.

    Raises:
        UsageError: no such device, or rates missing.
        ModelFileError: a model cannot be read or counted.
    """
    device = _device(args)
    precisions = args.precisions or [
        name for name in PRECISIONS if name == "fp16" or device.int8_tops is not None
    ]
    lines: list[tuple[str, str, Bound]] = []
    with tempfile.TemporaryDirectory(prefix="edge-sr-bench-") as folder:
        for item in find_contenders(
            args.models or zoo.names(),
            read_rivals(args.rivals) if args.rivals else [],
            backends=["auto"],
            precisions=[],
            folder=Path(folder),
        ):
            counts = count_contender(item, *args.size)
            if counts is None:
                raise UsageError(f"{item.name}: has no layers to estimate; name networks only")
            own = item.sidecar.precision
            kinds = ["int8"] if own == "int8" and "int8" in precisions else precisions
            lines += [(item.name, own, bound(counts, device, kind)) for kind in kinds]
    (_print_json if args.json else _print_table)(device, args.size, lines)
    return 0


def _device(args: argparse.Namespace) -> Device:
    known = read_devices()
    own = (args.tflops, args.int8_tops, args.gbps)
    if args.device is not None:
        if any(own):
            raise UsageError("--device and rates were both given; one of them decides")
        if args.device not in known:
            raise UsageError(f"--device is {args.device!r}; expected one of {', '.join(known)}")
        return known[args.device]
    if args.tflops is None or args.gbps is None:
        raise UsageError("give --device NAME, or --tflops N --gbps N (and --int8-tops N)")
    return Device(
        key="custom",
        name="the device described",
        fp16_tflops=args.tflops,
        int8_tops=args.int8_tops,
        gbps=args.gbps,
        source="the command line",
    )


def _print_table(device: Device, at: tuple[int, int], lines: list[tuple[str, str, Bound]]) -> None:
    int8 = f"{device.int8_tops:g} int8 TOPS, " if device.int8_tops else ""
    print(f"{LABEL}: {device.name}, {device.fp16_tflops:g} fp16 TFLOPS, {int8}{device.gbps:g} GB/s")
    print(f"source of the rates: {device.source}")
    print(f"input {at[0]}x{at[1]}; the least time a frame could take, layers one after another")
    width = max(len(name) for name, _, _ in lines)
    print(
        f"{'model':<{width}} {'file':>5} {'as if':>5} {'least ms':>9} {'arithmetic':>10} "
        f"{'bytes':>8} {'MB moved':>9} {'bytes bind':>10} {'best fps':>9}  ({LABEL})"
    )
    for name, own, item in lines:
        print(
            f"{name:<{width}} {own:>5} {item.precision:>5} {item.total_ms:>9.3f} "
            f"{item.arithmetic_ms:>10.3f} {item.memory_ms:>8.3f} {item.moved_mb:>9.1f} "
            f"{item.bytes_bind:>10.0%} {item.fps:>9.0f}"
        )


def _print_json(device: Device, at: tuple[int, int], lines: list[tuple[str, str, Bound]]) -> None:
    found = {
        "label": LABEL,
        "device": asdict(device),
        "width": at[0],
        "height": at[1],
        "models": [
            {"name": name, "file_precision": own, **asdict(item), "fps": item.fps, "label": LABEL}
            for name, own, item in lines
        ],
    }
    print(json.dumps(found, indent=2))
