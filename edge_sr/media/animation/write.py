"""Writing animated GIF, PNG and WebP files, picture by picture."""

from __future__ import annotations

import contextlib
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import MediaError
from edge_sr.media.animation.read import FLAGS, TRANSPARENT
from edge_sr.media.codec.containers import open_output, reason
from edge_sr.media.libraries import load_av, load_pillow
from edge_sr.media.sinks.output import check_output, commit, discard, part_path

Image = NDArray[np.uint8]
OPAQUE = 128  # alpha from which on a pixel of a GIF is shown; it has no shades of it
LARGEST = {"gif": 65535, "apng": 65535, "webp": 16383}  # pixels a side


@dataclass(frozen=True)
class AnimationFormat:
    """How one kind of animation is written."""

    kind: str  # FFmpeg's name of the container
    encoder: str
    pixels: str
    tick: Fraction  # seconds: the times that it holds are multiples of this
    alpha: str  # what it holds of transparency, for messages


GIF = AnimationFormat("gif", "gif", "pal8", Fraction(1, 100), "on or off")
APNG = AnimationFormat("apng", "apng", "rgba", Fraction(1, 1000), "all")
WEBP = AnimationFormat("webp", "libwebp_anim", "bgra", Fraction(1, 1000), "all")
ANIMATED = {".gif": GIF, ".apng": APNG, ".png": APNG, ".webp": WEBP}
FROM_FILMS = (".gif", ".apng", ".webp")  # a film as .png would surprise
UNUSED = 254  # of the palette of a GIF that hides something: no colour
RESTORE = 2  # of a GIF: the place of a picture is cleared after it


class AnimationWriter:
    """Writes pictures with their times; the file appears whole or not at all.

    GIF gets a palette of its own for each picture, dithered; a pixel of it is opaque or not there.
    """

    def __init__(
        self,
        path: Path,
        *,
        force: bool = False,
        plays: int = 0,
        last_ms: int | None = None,
        hides: bool = False,
    ) -> None:
        """Check that the output can be written; it is opened at the first picture.

        Args:
            path: ends in one of `ANIMATED`.
            hides: whether a picture may be transparent: a GIF needs that before the first.
            plays: how often it is shown; 0 without end.
            last_ms: how long the last picture is shown; None for as long as the one before.

        Raises:
            MediaError: it cannot be written there.
        """
        self.path = path
        self.format = ANIMATED[path.suffix.lower()]
        self.frames = 0
        check_output(path, force=force)
        self._plays, self._last_ms = plays, last_ms
        self._av = load_av()
        self._container: Any = None
        self._stream: Any = None
        self._shape: tuple[int, ...] = ()
        self._transparent = False
        self._hides = hides and self.format is GIF
        self._solid_first = False  # whether the first picture of such a GIF hides nothing

    def write(self, pixels: Image, start: Fraction) -> None:
        """Add a picture.

        Args:
            pixels: uint8 (H, W, 3) RGB or (H, W, 4) RGBA; all of one size.
            start: when it is shown, seconds; at least one `AnimationFormat.tick` after the last.

        Raises:
            MediaError: it cannot be encoded or written, or has another size than the first.
        """
        self._transparent = self._transparent or _has_hidden(pixels)
        if pixels.shape[2] == 3:
            opaque = np.full((*pixels.shape[:2], 1), 255, np.uint8)
            pixels = np.concatenate([pixels, opaque], axis=2)
        try:
            if self._container is None:
                self._open(pixels)
            if pixels.shape != self._shape:
                raise MediaError(f"{self.path}: pictures of an animation have one size")
            picture = self._picture(pixels)
            picture.pts, picture.time_base = round(start / self.format.tick), self.format.tick
            self._container.mux(self._stream.encode(picture))
        except (self._av.FFmpegError, OSError, ValueError) as error:
            raise MediaError(f"{self.path}: cannot be written ({reason(error)})") from error
        self.frames += 1

    def finish(self, final: Path | None = None) -> None:
        """Write what the encoder holds, and give the file its name, or another one.

        Raises:
            MediaError: it cannot be finished; nothing is left.
        """
        try:
            self._container.mux(self._stream.encode(None))
            self._container.close()
            if self.format is WEBP:
                _complete_webp(part_path(self.path), self._last_ms, transparent=self._transparent)
            if self._hides:
                _clear_between(part_path(self.path), solid_first=self._solid_first)
        except (self._av.FFmpegError, OSError, ValueError) as error:
            self.abort()
            raise MediaError(f"{self.path}: cannot be finished ({reason(error)})") from error
        self._container = None
        commit(self.path, final)

    def abort(self) -> None:
        """Remove what was written; does nothing after `finish`."""
        if self._container is not None:
            with contextlib.suppress(self._av.FFmpegError, OSError, ValueError):
                self._container.close()
            self._container = None
            discard(self.path)

    def _open(self, pixels: Image) -> None:
        height, width, _ = self._shape = pixels.shape
        limit = LARGEST[self.format.kind]
        if max(height, width) > limit:
            name = self.format.kind.upper()
            raise MediaError(f"{self.path}: {width}x{height}; {name} has at most {limit} a side")
        self._container = open_output(part_path(self.path), self.format.kind, self._options())
        options = {"quality": "90"} if self.format is WEBP else {}
        if self._hides:
            options["gifflags"] = "0"  # whole pictures
        self._stream = self._container.add_stream(self.format.encoder, rate=25, options=options)
        context = self._stream.codec_context
        context.width, context.height = width, height
        context.pix_fmt, context.time_base = self.format.pixels, self.format.tick

    def _options(self) -> dict[str, str]:
        last = self._last_ms
        if self.format is GIF:
            found = {"loop": {0: "0", 1: "-1"}.get(self._plays, str(self._plays - 1))}
            return found | ({} if last is None else {"final_delay": str(round(last / 10))})
        if self.format is APNG:
            found = {"plays": str(self._plays)}
            return found | ({} if last is None else {"final_delay": f"{last}/1000"})
        return {"loop": str(self._plays)}

    def _picture(self, pixels: Image) -> Any:
        if self.format is GIF:
            self._solid_first |= self.frames == 0 and bool(pixels[..., 3].min() >= OPAQUE)
            mark = self._solid_first and self.frames == 0
            made = _with_palette(pixels, UNUSED if self._hides else 256, mark=mark and self._hides)
            return self._av.VideoFrame.from_ndarray(made, format="pal8")
        if self.format is WEBP:
            pixels = pixels[..., [2, 1, 0, 3]]
        whole = np.ascontiguousarray(pixels)
        return self._av.VideoFrame.from_ndarray(whole, format=self.format.pixels)


def _has_hidden(pixels: Image) -> bool:
    return bool(pixels.shape[2] == 4 and pixels[..., 3].min() < 255)


def _with_palette(pixels: Image, colors: int, *, mark: bool) -> tuple[Image, Image]:
    """RGBA (H, W, 4) -> indices (H, W), and the palette they point into, ARGB (256, 4).

    Of fewer colours, the last entry of the palette stands for what is transparent. FFmpeg hides
    nothing in later pictures where the first does not use it: `mark` has its corner do so, in its
    own colour.
    """
    pil = load_pillow()
    picture = pil.Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    hidden = pixels[..., 3] < OPAQUE
    chosen = picture.quantize(colors, method=pil.Image.Quantize.MEDIANCUT)
    found = picture.quantize(palette=chosen, dither=pil.Image.Dither.FLOYDSTEINBERG)
    indices = np.array(found, np.uint8)
    listed = np.array(chosen.getpalette(), np.uint8).reshape(-1, 3)[:colors]
    palette = np.zeros((256, 4), np.uint8)
    palette[:255, 0] = 255
    palette[255, 0] = 255 * (colors == 256)
    palette[: len(listed), 1:] = listed
    if colors < 256:
        indices[hidden] = 255
    if mark:
        indices[0, 0], palette[255, 1:] = 255, pixels[0, 0, :3]
    return indices, palette


def _clear_between(path: Path, *, solid_first: bool) -> None:
    """Have a GIF's canvas cleared before each picture; FFmpeg shows earlier ones through holes.

    Args:
        solid_first: the first picture hides nothing, whatever it says.

    Viewers clear to nothing only where a picture names a colour as hidden: one that it does not
    use, where it hides nothing.
    """
    with path.open("r+b") as file:
        head = file.read(13)
        file.seek(_colors_size(head[10]), 1)
        while (kind := file.read(1)) not in (b"", b";"):
            if kind == b",":
                place = file.read(9)
                file.seek(_colors_size(place[8]) + 1, 1)
            elif file.read(1) == b"\xf9":  # how the picture that follows is shown
                size, flags, *delay, hidden = file.read(5)
                file.seek(-4, 1)
                hidden = hidden if flags & 1 and not solid_first else UNUSED
                file.write(bytes([flags & ~0b11100 | RESTORE << 2 | 1, *delay, hidden]))
                solid_first = False
                file.seek(size - 4, 1)
            while size := file.read(1)[0]:
                file.seek(size, 1)


def _colors_size(flags: int) -> int:
    """Bytes of the palette that a GIF's flags announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _complete_webp(path: Path, last_ms: int | None, *, transparent: bool) -> None:
    """Correct two things that libwebp writes.

    The last picture gets the mean of the others' durations. What is transparent around a picture is
    left out, and then the mark of transparency as well, so that viewers show black there.
    """
    with path.open("r+b") as file:
        head = file.read(FLAGS + 1)
        if transparent and head[8:16] == b"WEBPVP8X":
            file.seek(FLAGS)
            file.write(bytes([head[FLAGS] | TRANSPARENT]))
        file.seek(12)  # RIFF, the size, WEBP
        last = None
        while len(head := file.read(8)) == 8:
            kind, size = struct.unpack("<4sI", head)
            if kind == b"ANMF":
                last = file.tell()
            file.seek(size + size % 2, 1)
        if last is not None and last_ms is not None:
            file.seek(last + 12)  # place and size of the picture, 24 bits each
            file.write(struct.pack("<I", last_ms)[:3])
