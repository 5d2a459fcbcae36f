"""Damaged inputs: none may crash `edge-sr run`, hang it, or be refused without its name."""

from __future__ import annotations

import random
import subprocess
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lab.soak.common import CPU_LIMIT, LIMIT, RUN, report


def make_inputs(folder: Path) -> list[Path]:
    """A small clip in four containers, and pictures in three formats."""
    rng = np.random.default_rng(0)
    paths = []
    kinds = {"mp4": "libx264", "mkv": "libx264", "webm": "libvpx", "y4m": "wrapped_avframe"}
    for kind, codec in kinds.items():
        path = folder / f"clip.{kind}"
        with av.open(str(path), "w") as output:
            stream = output.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            for index in range(12):
                picture = np.roll(_scene(rng), index * 3, axis=1)
                for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                    output.mux(packet)
            for packet in stream.encode(None):
                output.mux(packet)
        paths.append(path)
    for kind in ("jpg", "png", "webp"):
        path = folder / f"picture.{kind}"
        Image.fromarray(_scene(rng)).save(path)
        paths.append(path)
    return paths


def _scene(rng: np.random.Generator) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[0:64, 0:96]
    waves = 128 + 90 * np.sin(rows / 5) * np.cos(columns / 9)
    noisy = waves[..., None] + rng.integers(-20, 20, (64, 96, 3))
    return np.asarray(noisy.clip(0, 255), np.uint8)


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Cut, flip bits, overwrite, or lose a block."""
    kind = rng.choice(("cut", "flip", "overwrite", "lose"))
    damaged = bytearray(data)
    if kind == "cut":
        return bytes(damaged[: rng.randrange(len(damaged))])
    if kind == "flip":
        for _ in range(rng.choice((1, 4, 32))):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        return bytes(damaged)
    start = rng.randrange(len(damaged))
    length = rng.randrange(1, max(2, len(damaged) // 8))
    block = rng.randbytes(length) if kind == "overwrite" else b""
    damaged[start : start + length] = block
    return bytes(damaged)


def attack_inputs(count: int, seed: int, workers: int) -> int:
    """Run damaged inputs. A crash, a hang or an error that names no file is a failure."""
    with tempfile.TemporaryDirectory(prefix="edge-sr-soak-") as name:
        folder = Path(name)
        sources = make_inputs(folder)

        def one(index: int) -> str:
            rng = random.Random(seed * 100_003 + index)  # noqa: S311 - no secret
            source = sources[index % len(sources)]
            path = folder / f"{index}{source.suffix}"
            path.write_bytes(mutate(source.read_bytes(), rng))
            ending = ".mp4" if source.suffix == ".y4m" else source.suffix
            output = folder / f"out-{index}{ending}"
            command = ["sh", "-c", f'ulimit -t {CPU_LIMIT}; exec "$@"', "sh", *RUN]
            command += ["--input", str(path), "--output", str(output), "--threads", "1"]
            try:
                done = subprocess.run(
                    command, capture_output=True, text=True, timeout=LIMIT, check=False
                )
            except subprocess.TimeoutExpired:
                return f"hang: {path.name}"
            finally:
                path.unlink()
            written = output.exists()
            output.unlink(missing_ok=True)
            last = (done.stderr.strip().splitlines() or [""])[-1]
            if done.returncode == 0:
                return "worked" if written else f"exit 0 and nothing written: {path.name}"
            if done.returncode != 1 or "Traceback" in done.stderr:
                return f"crash {done.returncode}: {path.name}: {last[:200]}"
            if str(path) not in done.stderr and path.name not in done.stderr:
                return f"error names no file: {path.name}: {last[:200]}"
            return f"left something: {path.name}" if written else "refused"

        with ThreadPoolExecutor(workers) as pool:
            results = Counter(pool.map(one, range(count)))
    return report("damaged inputs", results, good=("worked", "refused"))
