"""A folder of calibration frames: which they are, their digest, and their pixels one by one."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from calibration.network.frame_io import FrameIO, Image
from edge_sr.errors import FrameError, MediaError
from edge_sr.files import parse_json
from edge_sr.media.stills.files import list_images, read_image
from edge_sr.model.sidecar import sha256_of
from edge_sr.quality import luma_bt601

DEFAULT = Path(__file__).parents[1] / "default"
MANIFEST = "manifest.json"
SMALLEST = 16  # rows and columns of a frame that says anything


@dataclass
class FrameSet:
    """The images of one folder, in order. Corrupt ones are named on stderr, skipped and counted."""

    folder: Path
    paths: list[Path]
    sha256: str  # over the names and bytes of all files, hex
    guard: list[Path] = field(default_factory=list)  # edge-sr's own set, read after the rest
    skipped: list[str] = field(default_factory=list)  # one line each, filled while reading

    @property
    def is_default(self) -> bool:
        """Whether this is the set that comes with edge-sr, not the user's own scenes."""
        return self.folder.resolve() == DEFAULT.resolve()

    def __len__(self) -> int:
        return len(self.paths) + len(self.guard)

    def guarded(self, io: FrameIO) -> FrameSet:
        """The same with edge-sr's own set beside it, for ranges and losses.

        Compressed or soft video alone gives ranges that clip sharp pictures: two clips as the only
        calibration cost our smallest network 0.27 dB on Set5.
        """
        if self.is_default or io.size:
            return self
        return replace(self, guard=list_images(DEFAULT, name_others=False))

    def read(self, io: FrameIO) -> Iterator[tuple[str, Image]]:
        """(name, uint8 (H, W, C)) of each frame as a network takes it; yours to keep.

        RGB becomes BT.601 luma of 16..235 for a luma network. For a network of one size, frames
        are cut to their middle, or mirrored up to it.

        Raises:
            FrameError: a frame is grey where the network takes RGB.
            MediaError: not one frame can be read.
        """
        self.skipped = []
        for path in (*self.paths, *self.guard):
            try:
                pixels = read_image(path).pixels
            except MediaError as error:
                self._skip(str(error))
                continue
            if min(pixels.shape[:2]) < SMALLEST:
                found = f"{pixels.shape[1]}x{pixels.shape[0]}"
                self._skip(f"{path}: is {found}; expected at least {SMALLEST}x{SMALLEST}")
                continue
            yield path.name, _fit(path, pixels, io)
        if len(self.skipped) == len(self):
            raise MediaError(f"{self.folder}: not one of its {len(self.paths)} images can be used")

    def _skip(self, line: str) -> None:
        print(f"left out: {line}", file=sys.stderr)
        self.skipped.append(line)


def open_frames(folder: Path | None) -> FrameSet:
    """The frames of a folder, collected or plain images; None for the set that edge-sr brings.

    Raises:
        MediaError: no such folder, no image in it, or a collected frame was changed since.
    """
    folder = folder or DEFAULT
    if not folder.is_dir():
        raise MediaError(f"{folder}: no such folder; make one with python -m calibration.collect")
    paths = list_images(folder, name_others=False)
    manifest = folder / MANIFEST
    if manifest.is_file():
        try:
            listed = {item["file"] for item in parse_json(manifest.read_text())["frames"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MediaError(f"{manifest}: cannot be read ({error}); collect again") from error
        paths = [path for path in paths if path.name in listed]
        if len(paths) != len(listed):
            raise MediaError(
                f"{folder}: {len(listed) - len(paths)} of the {len(listed)} frames that its "
                f"{MANIFEST} names are missing; collect again"
            )
    return FrameSet(folder, paths, total_digest(paths))


def read_pixels(path: Path) -> Image:
    """uint8 (H, W, C) of one image, with a last axis for grey too. Raises MediaError."""
    pixels = read_image(path).pixels
    return pixels[..., None] if pixels.ndim == 2 else pixels


def total_digest(paths: list[Path]) -> str:
    """One sha256 over the names and contents of files, hex."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.name} {sha256_of(path)}\n".encode())
    return digest.hexdigest()


def _fit(path: Path, pixels: Image, io: FrameIO) -> Image:
    grey = pixels.ndim == 2 or pixels.shape[2] <= 2
    if grey and io.channels == 3:
        raise FrameError(f"{path}: is grey; the network takes RGB: collect again with --color rgb")
    if grey:
        plane = pixels if pixels.ndim == 2 else pixels[..., 0]
        image = plane[..., None]
    elif io.channels == 1:
        image = luma_bt601(pixels[..., :3])[..., None]
    else:
        image = pixels[..., :3]
    if io.size:
        image = fit(image, io.size)
    return np.ascontiguousarray(image)


def fit(image: Image, size: tuple[int, int]) -> Image:
    """Cut uint8 (H, W, C) to the middle (rows, columns), or mirror it up to them; yours to keep."""
    cut = [max(0, (side - wanted) // 2) for side, wanted in zip(image.shape, size, strict=False)]
    image = image[cut[0] : cut[0] + size[0], cut[1] : cut[1] + size[1]]
    missing = [(0, size[0] - image.shape[0]), (0, size[1] - image.shape[1]), (0, 0)]
    return np.ascontiguousarray(np.pad(image, missing, mode="symmetric"))


def spread(count: int, wanted: int) -> list[int]:
    """``wanted`` places evenly spread over 0..count-1, all different."""
    wanted = min(count, wanted)
    return [(2 * place + 1) * count // (2 * wanted) for place in range(wanted)]


def detailed_crop(image: Image, rows: int, columns: int, *, seed: int = 0) -> Image:
    """The most detailed of eight windows of this size of uint8 (H, W, C); yours to keep.

    The sides of a smaller image stay.
    """
    rows, columns = min(rows, image.shape[0]), min(columns, image.shape[1])
    rng = np.random.default_rng(seed)
    best: tuple[float, Image] | None = None
    for _ in range(8):
        top = int(rng.integers(image.shape[0] - rows + 1))
        left = int(rng.integers(image.shape[1] - columns + 1))
        window = image[top : top + rows, left : left + columns]
        steps = np.abs(np.diff(window[..., 0].astype(np.int16), axis=1))
        detail = float(np.mean(np.minimum(steps, 32)))
        if best is None or detail > best[0]:
            best = (detail, window)
    assert best is not None  # noqa: S101 - the loop ran
    return np.ascontiguousarray(best[1])


def sample(frames: FrameSet, io: FrameIO, *, count: int, side: int) -> list[Image]:
    """Detailed windows, uint8 (side, side, C), from ``count`` frames spread over the set.

    Whole frames for a network of one size.
    """
    paths = [frames.paths[place] for place in spread(len(frames.paths), count)]
    chosen = replace(frames, paths=paths, guard=[])
    images = [image for _, image in chosen.read(io)]
    if io.size:
        return images
    return [detailed_crop(image, side, side, seed=place) for place, image in enumerate(images)]
