"""How far two networks' results are apart, frame by frame, and whether that is near enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from calibration.network.frame_io import FrameIO, Image
from calibration.network.session import open_session, run, run_each
from edge_sr.errors import FrameError
from edge_sr.media.stills.files import read_image
from edge_sr.quality import luma_bt601, psnr


@dataclass(frozen=True)
class Comparison:
    """How far the results of two files are apart, over all frames."""

    frames: int
    max_difference: int  # grey levels
    differing_share: float  # of the values, 0..1
    psnr_db: float  # between the two, mean square over all values; inf where nothing differs
    psnr_y_first: float | None = None  # mean over frames against the truth, BT.601, border = scale
    psnr_y_second: float | None = None

    @property
    def loss_db(self) -> float | None:
        """PSNR-Y that the second file loses against the first."""
        if self.psnr_y_first is None or self.psnr_y_second is None:
            return None
        return self.psnr_y_first - self.psnr_y_second


@dataclass(frozen=True)
class Bounds:
    """What is asked of the second file; None asks nothing."""

    min_psnr_db: float | None = 40.0
    max_difference: int | None = None
    max_loss_db: float | None = None

    def broken(self, found: Comparison) -> list[str]:
        """One line for each bound that does not hold."""
        lines = []
        if self.min_psnr_db is not None and found.psnr_db < self.min_psnr_db:
            lines.append(f"PSNR is {found.psnr_db:.2f} dB; {self.min_psnr_db:g} or more expected")
        if self.max_difference is not None and found.max_difference > self.max_difference:
            lines.append(
                f"largest difference is {found.max_difference}; at most {self.max_difference}"
            )
        if self.max_loss_db is not None and (found.loss_db or 0.0) > self.max_loss_db:
            lines.append(f"loss is {found.loss_db:.3f} dB; at most {self.max_loss_db:g}")
        return lines


class Tally:
    """Sums over frames."""

    def __init__(self, border: int) -> None:
        self.border = border
        self.frames = self.largest = self.differing = self.values = 0
        self.squares = 0.0
        self.truths: list[tuple[float, float]] = []

    def add(self, a: Image, b: Image) -> None:
        """Count one frame: two results, uint8 (H, W, C) of one shape."""
        difference = np.abs(a.astype(np.int32) - b)
        self.frames += 1
        self.largest = max(self.largest, int(difference.max()))
        self.differing += int(np.count_nonzero(difference))
        self.values += a.size
        self.squares += float(np.sum(difference**2))

    def add_truth(self, a: Image, b: Image, path: Path) -> None:
        """Measure two results, uint8 (H, W, C), against the picture in a file.

        Raises:
            MediaError: the file cannot be read.
            FrameError: it is of another size.
        """
        true = read_image(path).pixels
        planes = [_luma(true), _luma(a), _luma(b)]
        if planes[0].shape != planes[1].shape:
            raise FrameError(
                f"{path}: is {planes[0].shape[1]}x{planes[0].shape[0]}; the result is "
                f"{planes[1].shape[1]}x{planes[1].shape[0]}"
            )
        one, two = (psnr(planes[0], plane, border=self.border) for plane in planes[1:])
        self.truths.append((one, two))

    def result(self) -> Comparison:
        """Figures over all frames so far, one at least."""
        mean = self.squares / self.values
        means = np.mean(self.truths, axis=0).tolist() if self.truths else (None, None)
        return Comparison(
            self.frames,
            self.largest,
            self.differing / self.values,
            10 * float(np.log10(255**2 / mean)) if mean else float("inf"),
            *means,
        )


def _luma(image: Image) -> np.ndarray:
    if image.ndim == 2:
        return image
    return image[..., 0] if image.shape[2] == 1 else luma_bt601(image[..., :3])


def upscale_all(
    model: onnx.ModelProto, io: FrameIO, images: Sequence[Image], *, integer: bool = False
) -> list[Image]:
    """The network's uint8 (H*s, W*s, C) results for uint8 (H, W, C) images."""
    session = open_session(model, integer=integer)
    return [io.fetch(found[0]) for _, found in run_each(session, (io.feed(i) for i in images))]


def pooled_psnr(a: Sequence[Image], b: Sequence[Image]) -> float:
    """PSNR in dB over all pixels and channels of two equally long lists, peak 255, no border.

    Returns inf where nothing differs.
    """
    pairs = list(zip(a, b, strict=True))
    squares = sum(float(np.sum((x.astype(np.int32) - y) ** 2)) for x, y in pairs)
    count = sum(x.size for x, _ in pairs)
    return float("inf") if squares == 0 else 10 * float(np.log10(255**2 * count / squares))


def sqnr_db(
    exact: onnx.ModelProto,
    other: onnx.ModelProto,
    io: FrameIO,
    images: Sequence[Image],
    tensor: str,
) -> float:
    """Power of a tensor over the power of what the other network changes in it, in dB."""
    sessions = [open_session(model, taps=[tensor]) for model in (exact, other)]
    signal = noise = 0.0
    for image in images:
        a, b = (run(session, io.feed(image))[1].astype(np.float64) for session in sessions)
        signal += float(np.sum(a**2))
        noise += float(np.sum((a - b) ** 2))
    return 10 * float(np.log10(max(signal, 1e-30) / max(noise, 1e-30)))
