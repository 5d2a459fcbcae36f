"""Quantisation-aware training: rounded as the exported file is, trained clips and all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

keras = pytest.importorskip("keras", reason="pip install 'edge-sr[train]'")

from calibration.network.session import open_session, run  # noqa: E402
from calibration.quantize.check_rules import broken_rules, int8_layers  # noqa: E402
from calibration.sensitivity import main as sensitivity  # noqa: E402
from convert.export_onnx import main as export  # noqa: E402
from convert.precision import main as precision  # noqa: E402
from tests.calibration.networks import picture, save_pictures  # noqa: E402
from training.models import collapse, edge_unet  # noqa: E402
from training.qat import main  # noqa: E402
from training.quantization.fake_quant import FakeQuantise, fake_quantised  # noqa: E402
from training.quantization.places import Places, load_plan  # noqa: E402


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """x2.keras, x2.onnx, layers.json and photographs, all small."""
    folder = tmp_path_factory.mktemp("qat")
    model = edge_unet(width=8, lower_width=8, depth=1, lower_depth=1)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(variable + rng.normal(0, 0.05, variable.shape))
    model.save(folder / "x2.keras")
    assert export(["--model", str(folder / "x2.keras"), "--output", str(folder / "x2.onnx")]) == 0
    save_pictures(folder / "photos", 18, side=112)
    command = ["--model", str(folder / "x2.onnx"), "--frames", str(folder / "photos")]
    more = ["--output", str(folder / "layers.json"), "--max-loss-db", "3", "--allow-loss"]
    assert sensitivity([*command, *more]) == 0
    return folder


@pytest.fixture(scope="module")
def trained(place: Path) -> Path:
    """The run's folder after a few steps."""
    output = place / "run"
    command = ["--model", str(place / "x2.keras"), "--plan", str(place / "layers.json")]
    more = ["--data", str(place / "photos"), "--output", str(output), "--steps", "6"]
    assert main([*command, *more, "--rate", "0.001", "--validate-every", "2"]) == 0
    return output


@pytest.mark.slow
def test_training_rounds_what_the_file_rounds(place: Path) -> None:
    plan = load_plan(place / "layers.json")
    plain = collapse(keras.saving.load_model(place / "x2.keras", compile=False))
    places = Places.of(plan, plain)
    rounded = fake_quantised(plain, places.layers, places.clips, places.float_adds)
    assert {layer.name for layer in rounded.layers if isinstance(layer, FakeQuantise)} == {
        f"{places.tensors[name]}_int8" for name in plan["clips"]
    }
    output = place / "same.onnx"
    command = ["--model", str(place / "x2.onnx"), "--to", "int8", "--output", str(output)]
    plan_file = place / "untrained.json"
    sha = json.loads((place / "x2.onnx.json").read_text())["made_from_sha256"]
    plan_file.write_text(json.dumps({"keras_sha256": sha, "plan": plan}))
    more = ["--frames", str(place / "photos"), "--plan", str(plan_file), "--around", "fp16"]
    assert precision([*command, *more, "--allow-loss"]) == 0
    model = onnx.load(output)
    assert broken_rules(model) == []
    assert set(int8_layers(model)) == set(plan["layers"])
    frame = picture(48, 64, 1, 5)[None]
    found = run(open_session(model), frame)[0]
    expected = np.clip(np.rint(np.asarray(rounded(frame.astype(np.float32)))), 0, 255)
    exact = np.clip(np.rint(np.asarray(plain(frame.astype(np.float32)))), 0, 255)
    noises = [np.mean((result - exact) ** 2) for result in (found, expected)]
    assert noises[0] == pytest.approx(noises[1], rel=0.25)  # later layers round other ties


@pytest.mark.slow
def test_the_trained_scales_are_the_exported_ones(trained: Path, place: Path) -> None:
    before = json.loads((place / "layers.json").read_text())["plan"]["clips"]
    plan = json.loads((trained / "best.plan.json").read_text())["plan"]
    assert set(plan["clips"]) == set(before)
    source, output = trained / "best.onnx", trained / "best.trt.onnx"
    assert export(["--model", str(trained / "best.keras"), "--output", str(source)]) == 0
    command = ["--model", str(source), "--to", "int8", "--output", str(output), "--allow-loss"]
    more = ["--plan", str(trained / "best.plan.json"), "--around", "fp16"]
    assert precision([*command, *more, "--frames", str(place / "photos")]) == 0
    constants = {i.name: numpy_helper.to_array(i) for i in onnx.load(output).graph.initializer}
    for name, clip in plan["clips"].items():
        scale = constants.get(f"{name}_scale_half", constants.get(f"{name}_scale"))
        assert scale == np.float16(clip / 127)


def test_clips_follow_their_gradient() -> None:
    """A clip that cuts most values off must grow."""
    import tensorflow as tf

    layer = FakeQuantise(0.1)
    x = tf.constant(np.linspace(-1, 1, 64, dtype=np.float32)[None])
    layer(x)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(layer(x) - x))
    assert float(tape.gradient(loss, layer.log_clip)) < 0
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(FakeQuantise(2.0)(x))
    assert np.allclose(tape.gradient(total, x), 1)  # straight through


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ("{}", "holds no plan"),
        ('{"plan": {"layers": ["hers"], "clips": {}, "float_residuals": []}}', "speaks of hers"),
        ('{"plan": {"layers": ["down1"], "clips": {}, "float_residuals": []}}', "has no clip"),
    ],
)
def test_plans_of_other_networks_are_one_clear_line(
    plan: str, message: str, place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plan.json").write_text(plan)
    command = ["--model", str(place / "x2.keras"), "--plan", str(tmp_path / "plan.json")]
    more = ["--data", str(place / "photos"), "--output", str(tmp_path / "run"), "--steps", "1"]
    assert main([*command, *more]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("qat:")]
    assert len(lines) == 1
    assert message in lines[0]


@pytest.mark.slow
def test_a_plan_of_other_weights_is_refused(
    trained: Path, place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--model", str(place / "x2.onnx"), "--to", "int8", "--frames", str(place / "photos")]
    more = ["--plan", str(trained / "best.plan.json"), "--output", str(tmp_path / "no.onnx")]
    assert precision([*command, *more]) == 1
    assert "export the best.keras that lies beside the plan" in capsys.readouterr().err
