"""Coverage-guided fuzzing of everything that parses a file from outside.

``python -m lab.soak.fuzz sidecar --seconds 60`` (needs `pip install atheris`). Only an error of
ours may come out; anything else ends the run with the input that did it. The targets are also what
tests/test_fuzz.py feeds, briefly, in every test run.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

try:
    import atheris
except ImportError:  # the tests use the targets without it
    atheris = None
    instrumented: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
else:
    instrumented = atheris.instrument_imports(
        include=["edge_sr", "calibration", "bench", "fractions"]
    )
with instrumented:
    from bench.rows import read_rows
    from calibration.frames.frames import MANIFEST, open_frames
    from calibration.quantize.ranges import load_ranges
    from edge_sr import zoo
    from edge_sr.cli.common import make_parser
    from edge_sr.errors import EdgeSRError
    from edge_sr.media.codec.y4m import Y4mSource
    from edge_sr.media.mp4.boxes import missing_bytes
    from edge_sr.model.onnx_file import refuse_external_data
    from edge_sr.model.sidecar import load_sidecar, sidecar_path

Target = Callable[[bytes], object]
FOLDER = Path(tempfile.mkdtemp(prefix="edge-sr-fuzz-"))


def sidecar(data: bytes) -> object:
    """A model's JSON, with the model's true hash wherever the input asks for it."""
    model = FOLDER / "x.onnx"
    if not model.exists():
        model.write_bytes(b"x")
    true = hashlib.sha256(b"x").hexdigest().encode()
    sidecar_path(model).write_bytes(data.replace(b"HASH", true))
    card = load_sidecar(model)
    return card.output_size(640, 360), card.ratio


def onnx_file(data: bytes) -> object:
    """An ONNX file, which may not keep weights elsewhere."""
    path = FOLDER / "y.onnx"
    path.write_bytes(data)
    refuse_external_data(path)
    return path


def boxes(data: bytes) -> object:
    """The boxes of an mp4 file."""
    path = FOLDER / "x.mp4"
    path.write_bytes(data)
    return missing_bytes(path)


def manifest(data: bytes) -> object:
    """A calibration folder's list of frames."""
    folder = FOLDER / "frames"
    folder.mkdir(exist_ok=True)
    if not (folder / "1.png").exists():
        Image.new("L", (8, 8)).save(folder / "1.png")
    (folder / MANIFEST).write_bytes(data)
    return open_frames(folder)


def ranges(data: bytes) -> object:
    """A file of activation ranges."""
    path = FOLDER / "ranges.json"
    path.write_bytes(data)
    return load_ranges(path)


def rows(data: bytes) -> object:
    """A bench's results."""
    path = FOLDER / "rows.jsonl"
    path.write_bytes(data)
    return read_rows(path)


def y4m(data: bytes) -> object:
    """Raw video in a pipe, all its frames."""
    return sum(1 for _ in Y4mSource(io.BytesIO(data)))


TARGETS: dict[str, Target] = {
    "sidecar": sidecar,
    "onnx_file": onnx_file,
    "boxes": boxes,
    "manifest": manifest,
    "ranges": ranges,
    "rows": rows,
    "y4m": y4m,
}


def seeds(name: str) -> list[bytes]:
    """Whole inputs to begin with."""
    card = sidecar_path(zoo.find("edge-unet-s-x2")[0]).read_bytes()
    true = zoo.find("edge-unet-s-x2")[1].sha256.encode()
    header = b"YUV4MPEG2 W16 H8 F25:1 Ip A1:1 C420jpeg XCOLORRANGE=FULL\n"
    found = {
        "sidecar": [card.replace(true, b"HASH"), b"{}", b'{"engine": {"sizes": []}}'],
        "onnx_file": [b"\x3a\x02\x2a\x00", zoo.find("edge-unet-s-x2")[0].read_bytes()[:600]],
        "boxes": [b"\x00\x00\x00\x14ftypisom\x00\x00\x02\x00isom\x00\x00\x00\x08mdat"],
        "manifest": [b'{"frames": [{"file": "1.png"}]}', b'{"frames": []}'],
        "ranges": [b'{"schema": 1, "tensors": {"a": {"minmax": 1.0}}, "frames": 1}'],
        "rows": [json.dumps(dict.fromkeys(("schema", "name", "sha256"), 1)).encode()],
        "y4m": [header + b"FRAME\n" + bytes(192)],
    }
    return found[name]


def run_one(target: Target, data: bytes) -> bool:
    """Whether the input was taken; False where it was refused by an error of ours."""
    try:
        target(data)
    except EdgeSRError as error:
        if "\n" in str(error):
            raise AssertionError(f"an error of several lines: {error!r}") from error
        return False
    return True


EXAMPLES = """\
example:
  python -m lab.soak.fuzz sidecar --seconds 60
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line, without running anything."""
    parser = make_parser(
        "python -m lab.soak.fuzz", "Fuzz a parser of edge-sr with atheris.", examples=EXAMPLES
    )
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run until the time is over. atheris ends the process itself when something else came out."""
    args = build_parser().parse_args(argv)
    if atheris is None:
        sys.exit("fuzz: atheris is not installed: pip install atheris")
    counts = {True: 0, False: 0}
    begun = time.monotonic()
    target = TARGETS[args.target]

    def one(data: bytes) -> None:
        counts[run_one(target, data)] += 1
        if time.monotonic() - begun > args.seconds:
            print(
                f"{args.target}: {sum(counts.values())} inputs in {args.seconds} s, "
                f"{counts[True]} taken, {counts[False]} refused, nothing else",
                flush=True,
            )
            os._exit(0)  # libFuzzer takes any other end for a crash

    corpus = FOLDER / "corpus"
    corpus.mkdir()
    for index, data in enumerate(seeds(args.target)):
        (corpus / str(index)).write_bytes(data)
    atheris.Setup([sys.argv[0], "-timeout=10", "-rss_limit_mb=4096", str(corpus)], one)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
