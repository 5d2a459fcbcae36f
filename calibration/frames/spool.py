"""Sources that can be looked through and then read again at chosen places."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from calibration.frames.scenes import Look, look_through, to_image, video_frames
from calibration.network.frame_io import Image
from edge_sr.errors import FrameError, MediaError
from edge_sr.media.sources.camera import Camera
from edge_sr.media.sources.file import VideoFile
from edge_sr.media.stills.files import list_images, read_image, write_image
from edge_sr.quality import luma_bt601

LOOKED_AT = 3000  # frames of one video that are looked at, at most
CAMERA_EVERY_S = 0.2


@dataclass
class Spool:
    """What was seen of one source, and how to read it again."""

    source: Path
    channels: int
    looks: list[Look]
    images: list[Path] | None = None  # of a folder; None: a video
    skipped: list[str] = field(default_factory=list)

    def read(self, places: Sequence[int]) -> Iterator[tuple[Look, Image]]:
        """(look, uint8 (H, W, C)) of these entries of ``looks``, in order."""
        wanted = [self.looks[place] for place in places]
        if self.images is not None:
            for look in wanted:
                yield look, _read_as(self.images[look.place], self.channels)
            return
        due = {look.place: look for look in wanted}
        if not due:
            return
        for place, _, frame in video_frames(self.source):
            if place in due:
                yield due.pop(place), to_image(frame, self.channels)
            if not due:
                return


def open_spool(source: Path, channels: int, *, first_scene: int) -> Spool:
    """Look through a video or a folder of images.

    Raises:
        MediaError: it cannot be read, or not one image of it can.
    """
    if source.is_dir():
        return _look_at_folder(source, channels, first_scene)
    with VideoFile(source) as video:
        step = max(1, (video.info.frames or 0) // LOOKED_AT)
    frames = ((place, when, frame.y) for place, when, frame in video_frames(source, step=step))
    return Spool(source, channels, look_through(frames, str(source), first_scene))


def _look_at_folder(folder: Path, channels: int, first_scene: int) -> Spool:
    """Every image is a scene of its own."""
    images = list_images(folder)
    skipped: list[str] = []
    looks: list[Look] = []
    for place, path in enumerate(tqdm(images, unit="image", desc=folder.name, disable=None)):
        try:
            luma = _read_as(path, 1)[..., 0]
        except (MediaError, FrameError) as error:
            print(f"left out: {error}", file=sys.stderr)
            skipped.append(str(error))
            continue
        [look] = look_through([(place, 0.0, luma)], str(path), first_scene + len(looks))
        looks.append(look)
    if not looks:
        raise MediaError(f"{folder}: not one of its {len(images)} images can be used")
    return Spool(folder, channels, looks, images, skipped)


def watch_camera(
    device: str, seconds: float, channels: int, scratch: Path, first_scene: int
) -> Spool:
    """Watch a camera, keeping a frame every 0.2 s as a PNG in ``scratch`` until one is chosen.

    Raises:
        MediaError: the camera cannot be opened or stops.
    """

    looks: list[Look] = []
    images: list[Path] = []
    with Camera(device) as camera:
        end, due = time.monotonic() + seconds, 0.0
        bar: Any = tqdm(camera, unit="frame", desc=camera.info.name, disable=None)
        for frame in bar:
            now = time.monotonic()
            if now > end:
                break
            if now < due:
                continue
            due = now + CAMERA_EVERY_S
            when = float(frame.pts * frame.time_base)
            [look] = look_through([(len(looks), when, frame.y)], camera.info.name, first_scene)
            if looks:
                motion = float(np.mean(np.abs(look.thumb - looks[-1].thumb)))
                look = replace(look, motion=motion)
            path = scratch / f"{len(looks)}.png"
            image = to_image(frame, channels)
            write_image(path, image[..., 0] if channels == 1 else image)
            looks.append(look)
            images.append(path)
    return Spool(scratch, channels, looks, images)


def _read_as(path: Path, channels: int) -> Image:
    pixels: NDArray[np.uint8] = read_image(path).pixels
    grey = pixels.ndim == 2 or pixels.shape[2] <= 2
    if grey and channels == 3:
        raise FrameError(f"{path}: is grey; RGB frames are wanted")
    if grey:
        return pixels.reshape(*pixels.shape[:2], -1)[..., :1]
    return luma_bt601(pixels[..., :3])[..., None] if channels == 1 else pixels[..., :3]
