"""What a reader of the documents has at hand, as small as it can be."""

from __future__ import annotations

import re
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from edge_sr import zoo

ROOT = Path(__file__).parent.parent
SHOWN = (
    "bench",
    "edge_sr",
    "lab",
    "training",
    "constraints.txt",
    "pyproject.toml",
)  # by relative paths
SCENE = (216, 384)  # rows, columns of the large clips, 4:3 sides of it being whole


def scene(seed: int, rows: int, columns: int) -> np.ndarray:
    """Soft coloured blots with some grain, uint8 (rows, columns, 3)."""
    random = np.random.default_rng(seed)
    blots = Image.fromarray(random.integers(0, 256, (rows // 9, columns // 9, 3), np.uint8))
    soft = np.asarray(blots.resize((columns, rows), Image.Resampling.BICUBIC), np.float32)
    return np.clip(soft + random.normal(0, 4, soft.shape), 0, 255).astype(np.uint8)


def film(path: Path, pictures: list[Image.Image]) -> None:
    """Write an H.264 film of these pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30), options={"crf": "8"})
        stream.width, stream.height = pictures[0].size
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode(None))


def moving(seed: int, rows: int, columns: int, count: int = 5) -> list[Image.Image]:
    """A window that moves over a scene."""
    large = scene(seed, rows + 3 * count, columns + 3 * count)
    return [
        Image.fromarray(large[3 * i : 3 * i + rows, 3 * i : 3 * i + columns]) for i in range(count)
    ]


def make_films(folder: Path) -> None:
    """film.mp4 of 720p, my-clip.mp4, and clips/ with two scenes in two sizes each."""
    film(folder / "film.mp4", moving(0, 720, 1280))
    film(folder / "my-clip.mp4", moving(1, 180, 320))
    clips = folder / "clips"
    clips.mkdir()
    rows, columns = SCENE
    for name, seed in (("one", 2), ("two", 3)):
        large = moving(seed, rows, columns)
        small = [item.resize((columns * 2 // 3, rows * 2 // 3)) for item in large]
        film(clips / f"{name}_{rows}p.mp4", large)
        film(clips / f"{name}_{rows * 2 // 3}p.mp4", small)


def make_pictures(folder: Path) -> None:
    """photos/, which recipes hold 16 of out, my_photos/, and Set5/ of one picture."""
    for name, count in (("photos", 18), ("my_photos", 6), ("Set5", 1)):
        (folder / name).mkdir()
        for seed in range(count):
            Image.fromarray(scene(seed, 144, 180)).save(folder / name / f"{seed}.png")


def make_keras_file(path: Path) -> None:
    """A network of a reader's own: luma as 0..1, x2."""
    import keras  # seconds: only where it is needed

    luma = keras.Input((None, None, 1))
    seen = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(luma)
    seen = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(seen)
    keras.Model(luma, keras.layers.Conv2DTranspose(1, 2, strides=2)(seen)).save(path)


def make_files(folder: Path) -> None:
    """All of it, in an empty folder, beside links to what a clone shows by relative paths."""
    import onnx

    from tests.calibration.networks import external_model

    for name in SHOWN:
        (folder / name).symlink_to(ROOT / name)
    make_films(folder)
    make_pictures(folder)
    make_keras_file(folder / "mine.keras")
    for name in ("x2.keras", "x2.keras.json"):
        shutil.copy(ROOT / "training" / "pretrained" / f"edge-unet-s-{name}", folder / name)
    for run in ("a", "b"):
        (folder / "runs" / run).mkdir(parents=True)
        shutil.copy(folder / "x2.keras", folder / "runs" / run / "best.keras")
    for name in ("x2.onnx", "x2.onnx.json"):
        shutil.copy(zoo.FOLDER / f"edge-unet-s-{name}", folder / name)
    onnx.save(external_model(), folder / "other.onnx")
    shown = (ROOT / "docs" / "fleet.md").read_text()
    (folder / "fleet.toml").write_text(re.findall(r"```toml\n(.*?)```", shown, re.DOTALL)[0])
