"""Which flavour of a shipped network fits an input: plain for clean pictures, live for coded ones.

The thresholds are where the two are level by PSNR-Y: `python -m lab.choice` measures them, and
docs/models.md has the figures.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edge_sr import zoo
from edge_sr.errors import UsageError
from edge_sr.media.address import Address, Kind
from edge_sr.media.codec.compression import Compression, jpeg_quality, read_compression
from edge_sr.media.stills.formats import FORMATS

FLAVOURS = ("auto", "plain", "live", "vivid")
COARSE_QUANTISER = 12.0  # on H.264's scale: from here on, live is ahead, detail being unknown
# the same where detail and bits per pixel are known: a picture of much detail that moves little
# suffers late, one whose bits go into what cannot be predicted early
AT_ONE, BY_DETAIL, BY_BITS = 7.0, 3.4, -2.0  # at 1 level, at 1 bit; for each doubling of them
LEAST_DETAIL = 0.5  # levels
FEW_BITS = 0.23  # bits per pixel of codecs whose decoder does not report a quantiser
COARSE_JPEG = 96  # libjpeg's quality up to which live is ahead
INTERMEDIATE = ("prores", "dnxhd", "cfhd", "vc2", "jpeg2000")  # codecs that lose next to nothing


@dataclass(frozen=True)
class Fit:
    """A flavour, and the one line that says why."""

    flavour: str  # "plain" or "live"
    why: str


def fit_video(compression: Compression | None) -> Fit:
    """The flavour for a video file; None is a file whose compression is not known."""
    if compression is None:
        return Fit("live", "how the input was compressed is not known")
    codec = compression.codec
    if compression.lossless:
        return Fit("plain", f"the input is coded without loss ({codec})")
    if codec in INTERMEDIATE:
        return Fit("plain", f"the input is coded for editing ({codec})")
    if compression.quantiser is not None:
        level = level_quantiser(compression)
        fine = compression.quantiser < level
        how = f"{'finely' if fine else ''} compressed"
        figure = f"{codec}, mean quantiser {compression.quantiser:.0f}, the turn is at {level:.0f}"
        return Fit("plain" if fine else "live", f"the input is {how.strip()} ({figure})")
    bits = compression.bits_per_pixel
    if bits is None:
        return Fit("live", f"the input is compressed ({codec})")
    fine = bits >= FEW_BITS
    how = "hardly compressed" if fine else "compressed"
    return Fit(
        "plain" if fine else "live", f"the input is {how} ({codec}, {bits:.2f} bits a pixel)"
    )


def level_quantiser(compression: Compression) -> float:
    """The mean quantiser at which plain and live are level, on H.264's scale."""
    detail, bits = compression.detail, compression.bits_per_pixel
    if not detail or not bits:
        return COARSE_QUANTISER
    return AT_ONE + BY_DETAIL * math.log2(max(detail, LEAST_DETAIL)) + BY_BITS * math.log2(bits)


def fit_image(path: Path, *, stream: BinaryIO | None = None) -> Fit:
    """The flavour for an image file.

    Args:
        stream: what is read instead of it; then the path is its name.
    """
    quality = jpeg_quality(stream or path)
    if quality is not None:
        flavour = "live" if quality <= COARSE_JPEG else "plain"
        return Fit(flavour, f"the image is a JPEG of quality {quality:.0f}")
    kind = FORMATS.get(path.suffix.lower())
    if kind is not None and (kind.quality or kind.plugin):
        return Fit("live", f"the image is compressed ({kind.name})")
    return Fit("plain", "the image is not compressed, or without loss")


def fit_input(address: Address) -> Fit:
    """The flavour for a camera, a stream, a file, standard input or a test picture."""
    if address.kind is Kind.PATTERN:
        return Fit("plain", "the test picture is not compressed")
    if address.live:
        return Fit("live", "cameras and streams are noisy or compressed")
    if address.kind is Kind.STDIN:
        return fit_video(None)
    return fit_video(read_compression(address.path))


def choose(model: str, flavour: str | None, look: Callable[[], Fit]) -> tuple[str, str]:
    """The model or family that fits an input, and one line that says why, or "".

    A flavour goes with a family such as "edge-unet-s". Without ``--flavour`` it is chosen where no
    model was named; a model that was named is taken as it is.

    Args:
        model: as for `zoo.find`.
        flavour: one of `FLAVOURS`; None for "auto" where the model is "auto".
        look: looks at the input; called only where the flavour depends on it.

    Raises:
        UsageError: a flavour for a model that is not a family, or one that is not shipped.
    """
    asked = flavour or ("auto" if model == zoo.AUTO else None)
    if asked is None:
        return model, ""
    family = zoo.DEFAULT if model == zoo.AUTO else model
    if family not in zoo.families():
        raise UsageError(
            f"--flavour goes with a family such as {zoo.DEFAULT}; {family} is not one: leave "
            "--flavour or --model out"
        )
    fit = look() if asked == "auto" else Fit(asked, "")
    wanted = family if fit.flavour == "plain" else f"{family}-{fit.flavour}"
    known = wanted in zoo.families()
    if asked != "auto":
        if not known:
            raise UsageError(f"{wanted}: no such model is shipped; see: edge-sr models")
        return wanted, ""
    if not known:
        why = f"{family}: {fit.why}, but no {wanted} is shipped"
        return family, why
    other = "live" if fit.flavour == "plain" else "plain"
    why = f"{wanted}: {fit.why} (--flavour {other} for the other)"
    return wanted, why
