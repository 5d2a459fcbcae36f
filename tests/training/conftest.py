"""Small photographs and recipes, so that training can be tested in seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import keras
import numpy as np
import pytest
from PIL import Image


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keras 3.15 converts variables in a way that NumPy 2 has deprecated; only Keras can fix it."""
    folder = Path(__file__).parent
    for item in items:
        if folder in item.path.parents:
            item.add_marker(
                pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
            )


@pytest.fixture(autouse=True)
def seed() -> None:
    """Random weights are the same in every run: a bound that holds once holds always."""
    keras.utils.set_random_seed(1)


def make_picture(rows: int, columns: int, channels: int = 3, *, seed: int = 0) -> np.ndarray:
    """uint8 (rows, columns, channels) 50..205 with edges and gradients; never near clipping."""
    rng = np.random.default_rng(seed)
    small = rng.integers(50, 206, (rows // 4 + 1, columns // 4 + 1, 3), dtype=np.uint8)
    large = Image.fromarray(small).resize((columns, rows), Image.Resampling.BILINEAR)
    return np.asarray(large)[..., :channels]


@pytest.fixture
def picture() -> Callable[..., np.ndarray]:
    """Makes uint8 (rows, columns, channels) of levels 50..205, so that no resize clips."""
    return make_picture


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of six small PNG photographs."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(6):
        rgb = make_picture(72 + 4 * index, 96, seed=index)
        Image.fromarray(rgb).save(folder / f"photo{index}.png")
    return folder


def write_clip(
    path: Path,
    rows: int,
    columns: int,
    *,
    frames: int = 20,
    seed: int = 0,
    rate: int = 25,
    shift: int = 0,
) -> Path:
    """An H.264 clip of a picture that moves by 8 pixels of a 192x256 window a frame."""
    scene = make_picture(192, 256 + 8 * (frames + shift), 1, seed=seed)[..., 0]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=rate, options={"crf": "12", "preset": "veryfast"})
        stream.height, stream.width, stream.pix_fmt = rows, columns, "yuv420p"
        for index in range(frames):
            left = 8 * (index + shift)
            window = Image.fromarray(scene[:, left : left + 256])
            planes = np.full((rows * 3 // 2, columns), 128, np.uint8)
            planes[:rows] = window.resize((columns, rows), Image.Resampling.BICUBIC)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts = index
            for packet in stream.encode(frame):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
    return path


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A folder of three scenes, each as a clip of 96 and one of 144 rows."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for seed, scene in enumerate(("bridge", "cat", "square")):
        write_clip(folder / f"{scene}_96p.mp4", 96, 128, seed=seed)
        write_clip(folder / f"{scene}_144p.mp4", 144, 192, seed=seed)
    return folder


TINY = """\
architecture = "edge_unet"
scale = "{scale}"
steps = {steps}
batch = 2
patch = 16
learning_rate = {rate}
warmup = 2
held_out = 2
validate_every = 4
l2_from = 0.5
{more}

[options]
width = 4
lower_width = 4
depth = 1
lower_depth = 1
branches = {branches}
"""


@pytest.fixture
def tiny_recipe(tmp_path: Path) -> Callable[..., Path]:
    """Writes a recipe of a few steps and gives its path."""

    def write(
        *,
        steps: int = 8,
        scale: str = "2",
        rate: float = 1e-3,
        more: str = "",
        branches: str = "false",
        name: str = "tiny",
    ) -> Path:
        path = tmp_path / f"{name}.toml"
        text = TINY.format(steps=steps, scale=scale, rate=rate, more=more, branches=branches)
        path.write_text(text)
        return path

    return write
