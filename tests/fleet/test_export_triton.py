"""Model repositories: what Triton's own message reads, and a client of the v2 protocol."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sr import zoo
from edge_sr.media.sources.file import VideoFile
from edge_sr.model.engine_facts import EngineFacts, seal
from edge_sr.model.sidecar import Scalar, load_sidecar, write_sidecar
from edge_sr.pipeline.run import upscale_file
from fleet.export_triton import main

pytest.importorskip("tritonclient.http", reason="pip install 'edge-sr[triton]'")
pytest.importorskip("google.protobuf", reason="pip install 'edge-sr[triton]'")


def config(folder: Path) -> Any:
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    text = (folder / "config.pbtxt").read_text()
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def engine(folder: Path, **more: Any) -> Path:
    """A file with the sidecar of an engine; no TensorRT opens it."""
    path = folder / "s.engine"
    path.write_bytes(b"engine")
    _, card = zoo.find("edge-unet-s-x2")
    facts = EngineFacts(
        **{
            "flavour": "tensorrt",
            "version": "10.3.0.30",
            "gpu": "Orin",
            "compute_capabilities": ("8.7",),
            "cuda": "12.6",
            "l4t": "36.4.3",
            "options": {},
            "census": {"fp16": 9},
            "census_source": "inspector",
            "onnx_sha256": "0" * 64,
            **more,
        }
    )
    digest = hashlib.sha256(b"engine").hexdigest()
    card = replace(card, sha256=digest, width=640, height=360, precision="fp16")
    write_sidecar(path, seal(card, facts))
    return path


def test_each_model_has_its_file_and_configuration(tmp_path: Path) -> None:
    words = ["edge-unet-s", "edge-unet-m-x1.5", "--precision", "int8", "--instances", "2"]
    assert main([*words, "--cameras", "8", "--output", str(tmp_path / "repo")]) == 0
    names = sorted(path.name for path in (tmp_path / "repo").iterdir())
    assert names == ["edge-unet-m-x1.5.int8", "edge-unet-s-x2.int8"]
    folder = tmp_path / "repo" / "edge-unet-s-x2.int8"
    found = config(folder)
    assert (found.name, found.backend, found.platform) == (
        "edge-unet-s-x2.int8", "onnxruntime", "onnxruntime_onnx",
    )  # fmt: skip
    assert (found.input[0].name, list(found.input[0].dims)) == ("frame", [1, -1, -1, 1])
    assert (found.output[0].name, list(found.output[0].dims)) == ("upscaled", [1, -1, -1, 1])
    assert found.max_batch_size == 0
    assert not found.HasField("dynamic_batching")
    assert found.sequence_batching.oldest.max_candidate_sequences == 8
    assert found.instance_group[0].count == 2
    assert found.parameters["edge_sr_scale"].string_value == "2"
    shipped, _ = zoo.find("edge-unet-s-x2", precision="int8")
    assert (folder / "1" / "model.onnx").read_bytes() == shipped.read_bytes()


def test_an_engine_is_a_plan_of_one_size_on_the_gpu(tmp_path: Path) -> None:
    assert main([str(engine(tmp_path)), "--output", str(tmp_path / "repo")]) == 0
    folder = tmp_path / "repo" / "edge-unet-s-x2"
    found = config(folder)
    assert (found.backend, found.platform) == ("tensorrt", "tensorrt_plan")
    assert list(found.input[0].dims) == [1, 360, 640, 1]
    assert list(found.output[0].dims) == [1, 720, 1280, 1]
    assert found.instance_group[0].kind == found.instance_group[0].KIND_GPU
    assert "10.3.0.30 on Orin" in found.parameters["edge_sr_built"].string_value
    assert (folder / "1" / "model.plan").read_bytes() == b"engine"


def test_what_triton_cannot_serve_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--output", str(tmp_path / "repo")]
    rtx = engine(tmp_path, flavour="tensorrt-rtx", version="1.7.0.1", gpu="")
    (tmp_path / "tiles").mkdir()
    tiles = engine(tmp_path / "tiles", batch=16, rim=16)
    scalar = tmp_path / "scalar.onnx"
    path, card = zoo.find("edge-unet-s-x2")
    shutil.copyfile(path, scalar)
    write_sidecar(
        scalar, replace(card, schema=2, scalars={"strength": Scalar(low=0, high=1, default=1)})
    )
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").touch()
    for words, message in (
        ([str(rtx), *out], "TensorRT-RTX, which Triton does not open"),
        ([str(tiles), *out], "is for tiles of frames; export the engine of whole frames"),
        ([str(scalar), *out], "takes strength besides the frame"),
        (["edge-unet-s", "edge-unet-s-x2", *out], "named twice"),
        (["edge-unet-q", *out], "no such model"),
        (["edge-unet-s", "--output", str(tmp_path / "photos")], "use --force"),
        (["edge-unet-s", "--force", "--output", str(tmp_path / "photos")], "no model repository"),
    ):
        assert main(words) in (1, 2)
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
    assert not (tmp_path / "repo").exists()
    assert (tmp_path / "photos" / "a.png").exists()


def test_the_example_sends_a_clip_and_gets_the_frames_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    from tests.fakes.triton_server import serving

    source = Path(__file__).parents[2] / "examples" / "triton_clip.py"
    spec = importlib.util.spec_from_file_location("triton_clip", source)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    assert main(["edge-unet-s-x2", "--output", str(tmp_path / "repo")]) == 0
    sent, local = tmp_path / "sent.mp4", tmp_path / "local.mp4"
    clip = "test://96x64@25?frames=5"
    with serving(tmp_path / "repo") as (address, models):
        monkeypatch.setattr("sys.argv", ["x", clip, str(sent), "--url", address])
        example.main()
        requests = models["edge-unet-s-x2"].requests
        monkeypatch.setattr("sys.argv", ["x", clip, str(sent), "--url", address, "--model", "no"])
        with pytest.raises(SystemExit, match=r"exists|unknown model"):
            example.main()
    assert len({item["parameters"]["sequence_id"] for item in requests}) == 1
    starts = [item["parameters"]["sequence_start"] for item in requests]
    assert starts == [True, False, False, False, False]
    upscale_file(clip, local, model="edge-unet-s-x2")
    with VideoFile(sent) as one, VideoFile(local) as two:
        for first, second in zip(one, two, strict=True):
            assert np.array_equal(first.y, second.y)
            assert first.pts == second.pts
    assert load_sidecar(zoo.find("edge-unet-s-x2")[0]).ratio == Fraction(2)
