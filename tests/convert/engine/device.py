"""A machine with a GPU, on doubles: TensorRT is tests/fakes/builder, an engine is ONNX Runtime."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration.network.session import open_session, run
from edge_sr import zoo
from edge_sr.cuda import driver
from edge_sr.cuda.driver import Gpu
from edge_sr.model.engine_cache import cache_dir

ORIN = Gpu("Orin", "8.7", "12.6", True)


class Device:
    """A machine with a GPU and a TensorRT that does what is asked."""

    def __init__(self, orders: Path, patch: pytest.MonkeyPatch) -> None:
        self.orders, self.patch = orders, patch
        self.noise = 0
        self.opened = 0
        self.order()
        self.set_gpu(ORIN)

    def order(self, **orders: Any) -> None:
        """What the fake TensorRT is to do from now on."""
        self.orders.write_text(json.dumps(orders))
        self.log.write_text("")
        sys.modules.pop("tensorrt", None)

    @property
    def log(self) -> Path:
        return self.orders.with_name(self.orders.name + ".log")

    def asked(self, word: str) -> list[Any]:
        """Values that were set under this word, in order."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [value for name, value in lines if name == word]

    def set_gpu(self, gpu: Gpu | None) -> None:
        found = (gpu, "" if gpu else "no CUDA driver")
        self.patch.setattr(driver, "find_gpu", lambda: found)

    def open_backend(self, path: Path, sidecar: Any, *, backend: str) -> Any:
        """The engine's double: ONNX Runtime on the file it was made from, and some noise."""
        assert backend == "tensorrt"
        self.opened += 1
        model = next(p for f in (cache_dir(), zoo.FOLDER) for p in f.rglob(sidecar.made_from))
        session, noise = open_session(str(model)), self.noise

        class Fake:
            def infer(self, frame: np.ndarray) -> np.ndarray:
                levels = run(session, frame)[0].astype(np.int16)
                return np.clip(levels + noise, 0, 255).astype(np.uint8)

            def close(self) -> None:
                pass

        return Fake()


def engines() -> list[Path]:
    return list((cache_dir() / "engines").glob("*"))


def nothing_kept() -> bool:
    return all(path.name.endswith(".lock") for path in engines())
