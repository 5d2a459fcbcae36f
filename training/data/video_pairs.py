"""Two clips of one scene, small and large: found by name, and checked to be what they say.

``NAME_720p.mp4`` and ``NAME_1080p.mp4`` in one folder are the scene NAME at x1.5.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from training.data.photos import DataError
from training.data.video_file import Clip, open_clip, read_frames

NAME = re.compile(r"(?P<scene>.+)[-_.](?P<rows>\d{2,4})p")
VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".webm", ".m4v", ".avi", ".ts")
LIKE = 0.9  # correlation of a frame with its partner's downscale, at least
PROBES = 3  # places in a clip where content is compared
SHIFTS = 2  # frames to either side that a shifted clip is looked for
HELD_PART = 0.2


@dataclass(frozen=True)
class ClipPair:
    """A scene: frame ``matches[i, 0]`` of the small clip shows what ``matches[i, 1]`` of the large
    one shows."""

    scene: str
    low: Clip
    high: Clip
    matches: np.ndarray  # int (N, 2)


def find_scenes(folders: list[Path], scale: Fraction) -> tuple[list[ClipPair], list[str]]:
    """The checked pairs under the folders by name, and one line for each that is left out.

    Raises:
        DataError: a folder is missing, or holds no pair that can be used.
    """
    clips: dict[str, dict[int, Path]] = defaultdict(dict)
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; expected one of NAME_720p.mp4 and the like")
        for path in sorted(folder.rglob("*")):
            named = NAME.fullmatch(path.stem)
            if named and path.suffix.lower() in VIDEO_SUFFIXES:
                clips[str(path.parent / named["scene"])][int(named["rows"])] = path
    found, left_out = [], []
    for scene, by_rows in tqdm(sorted(clips.items()), desc="checking pairs", unit="pair"):
        chosen = [(rows, rows * scale) for rows in sorted(by_rows) if rows * scale in by_rows]
        try:
            if not chosen:
                sizes = ", ".join(f"{rows}p" for rows in sorted(by_rows))
                raise DataError(f"{scene}: has {sizes}; expected two clips of heights 1:{scale}")
            low, high = (open_clip(by_rows[int(rows)]) for rows in chosen[-1])
            found.append(check_pair(Path(scene).name, low, high, scale))
        except DataError as error:
            left_out.append(str(error))
    if not found:
        names = ", ".join(str(folder) for folder in folders)
        why = f"first: {left_out[0]}" if left_out else "expected NAME_720p.mp4 and NAME_1080p.mp4"
        raise DataError(f"{names}: no pair of clips can be used; {why}")
    return found, left_out


def check_pair(scene: str, low: Clip, high: Clip, scale: Fraction) -> ClipPair:
    """Two clips as a pair, matched by time.

    Raises:
        DataError: sizes, durations or frame times do not fit, or they show different things.
    """
    where = f"{low.path}, {high.path.name}"
    if low.width * scale != high.width or low.height * scale != high.height:
        raise DataError(
            f"{where}: {low.width}x{low.height} and {high.width}x{high.height}; "
            f"expected sides of ratio {scale}"
        )
    last_s = [float(clip.seconds[-1]) for clip in (low, high)]
    if abs(last_s[0] - last_s[1]) > max(2 * low.interval, 0.01 * last_s[0]):
        raise DataError(
            f"{where}: last {last_s[0]:.2f} s and {last_s[1]:.2f} s; expected one length"
        )
    matches = match_times(low, high)
    if len(matches) < 0.9 * len(low.ticks):
        raise DataError(
            f"{where}: {len(matches)} of {len(low.ticks)} frames have a partner of the same time; "
            "expected one frame rate"
        )
    pair = ClipPair(scene, low, high, matches)
    _check_content(pair, where)
    return pair


def match_times(low: Clip, high: Clip) -> np.ndarray:
    """int (N, 2): numbers of frames whose times agree to a quarter of a frame."""
    after = np.searchsorted(high.seconds, low.seconds).clip(1, max(1, len(high.ticks) - 1))
    near = [np.abs(high.seconds[(after - back).clip(0)] - low.seconds) for back in (1, 0)]
    best = np.where(near[0] <= near[1], after - 1, after.clip(max=len(high.ticks) - 1))
    close = np.minimum(*near) <= min(low.interval, high.interval) / 4
    return np.asarray(np.stack([np.arange(len(low.ticks)), best], axis=1)[close])


def _check_content(pair: ClipPair, where: str) -> None:
    """Compare frames with their partners, and with the partners' neighbours."""
    likes, errors = [], []
    size = (pair.low.width, pair.low.height)
    for place in np.linspace(0, len(pair.matches) - 1, PROBES + 2)[1:-1].astype(int):
        small, large = (int(number) for number in pair.matches[place])
        first = max(0, large - SHIFTS)
        frame = read_frames(pair.low, small)[0][..., 0].astype(np.float64)
        others = [
            np.asarray(Image.fromarray(item[..., 0]).resize(size, Image.Resampling.BICUBIC))
            for item in read_frames(pair.high, first, large + SHIFTS + 1 - first)
        ]
        partner = others[large - first]
        if frame.std() > 2 and partner.std() > 2:
            likes.append(float(np.corrcoef(frame.ravel(), partner.ravel())[0, 1]))
        if first == large - SHIFTS and len(others) == 2 * SHIFTS + 1:
            errors.append([float(np.mean((frame - other) ** 2)) for other in others])
    if not likes or np.mean(likes) < LIKE:
        likeness = f"agree by {np.mean(likes):.2f}" if likes else "are nearly flat"
        raise DataError(f"{where}: the pictures {likeness}; expected {LIKE} or more of one scene")
    if errors:
        mean = np.mean(errors, axis=0)
        best = int(np.argmin(mean))
        if mean[best] < mean[SHIFTS] / 2:
            raise DataError(
                f"{where}: the large clip is {best - SHIFTS:+d} frames off; expected the same times"
            )


def split_scenes(pairs: list[ClipPair], seed: int) -> tuple[list[ClipPair], list[ClipPair]]:
    """(training, held out): 80:20 by scene, drawn by ``seed``; of a single scene its last fifth.

    Raises:
        DataError: there is one frame only.
    """
    if len(pairs) == 1:
        cut = round((1 - HELD_PART) * len(pairs[0].matches))
        if not 0 < cut < len(pairs[0].matches):
            raise DataError(f"{pairs[0].low.path}: one frame; expected a clip, or more scenes")
        halves = pairs[0].matches[:cut], pairs[0].matches[cut:]
        train, held = (replace(pairs[0], matches=matches) for matches in halves)
        return [train], [held]
    count = max(1, round(HELD_PART * len(pairs)))
    drawn = set(np.random.default_rng(seed).permutation(len(pairs))[:count].tolist())
    train_pairs = [pair for index, pair in enumerate(pairs) if index not in drawn]
    return train_pairs, [pairs[index] for index in sorted(drawn)]
