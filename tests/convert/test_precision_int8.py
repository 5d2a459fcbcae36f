"""int8: the command end to end, both variants, the loss bounded, refusals in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from calibration import ranges as ranges_module
from calibration.network.load import load_network
from calibration.quantize.check_rules import broken_cpu_rules, broken_rules, int8_layers
from calibration.quantize.qdq import Plan, tensors_of
from convert import precision
from convert.precision import main
from convert.verify import main as verify_main
from convert.verify import verify
from edge_sr import Upscaler
from edge_sr.backend import cpu
from edge_sr.model.fastest import Candidate, Measured
from edge_sr.model.sidecar import Sidecar, load_sidecar
from edge_sr.model.value_range import RANGES
from tests.calibration.networks import (
    Builder,
    external_model,
    luma_model,
    picture,
    save_luma,
    save_pictures,
    scale_type,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("int8")
    save_luma(folder / "x2.onnx")
    onnx.save(external_model(), folder / "theirs.onnx")
    save_pictures(folder / "frames", 8)
    return folder


def convert(place: Path, source: str, output: str, *more: str) -> int:
    command = ["--model", str(place / source), "--to", "int8", "--output", str(place / output)]
    return main([*command, "--frames", str(place / "frames"), "--floor-db", "0", *more])


@pytest.fixture(scope="module")
def made(place: Path) -> Path:
    """x2.int8.onnx and x2.trt.onnx beside x2.onnx; the random network may lose what it likes."""
    assert convert(place, "x2.onnx", "x2.int8.onnx", "--max-loss-db", "2") == 0
    assert convert(place, "x2.onnx", "x2.trt.onnx", "--max-loss-db", "2", "--around", "fp16") == 0
    return place


def test_both_variants_keep_the_rules_and_the_same_numbers(made: Path) -> None:
    single, half = (onnx.load(made / name) for name in ("x2.int8.onnx", "x2.trt.onnx"))
    assert broken_cpu_rules(single) == broken_rules(half) == []
    assert (scale_type(single), scale_type(half)) == (TensorProto.FLOAT, TensorProto.FLOAT16)
    assert half.opset_import[0].version >= 19
    assert set() < set(int8_layers(single)) < set(int8_layers(half))  # one-channel layers less
    assert "anchor" not in int8_layers(half)
    levels = [
        {
            item.name: numpy_helper.to_array(item).tolist()
            for item in model.graph.initializer
            if item.data_type == TensorProto.INT8 and item.name.endswith("_int8")
        }
        for model in (single, half)
    ]
    assert levels[0].items() <= levels[1].items()


def test_the_runtime_takes_the_file_and_the_sidecar_has_the_loss(made: Path) -> None:
    sidecar = load_sidecar(made / "x2.int8.onnx")
    assert sidecar.precision == "int8"
    assert sidecar.quality["int8_loss_db"] <= 2
    assert set(sidecar.quality) == {
        "int8_loss_db",
        "int8_onnxruntime_loss_db",
        "int8_worst_psnr_db",
    }
    assert sidecar.calibration_sha256
    conversion = sidecar.training["conversion"]
    assert conversion["kept_out_of_int8"]["anchor"]["why"] == "anchor"
    assert conversion["frames"] == "the user's"
    image = picture(40, 48, 1, 9)
    with (
        Upscaler.open(str(made / "x2.int8.onnx")) as ours,
        Upscaler.open(str(made / "x2.onnx")) as theirs,
    ):
        found, expected = (upscaler.upscale(image) for upscaler in (ours, theirs))
    error = np.mean((found.astype(int) - expected) ** 2)
    assert 10 * np.log10(255**2 / error) > 30


@pytest.mark.parametrize(
    ("seconds", "last"),
    [
        ((0.1, 0.2, 0.4, 0.05), "int8 in ONNX Runtime takes 8.00 of its time"),
        ((0.1, 0.2, 0.4, None), "on this CPU keep the fp32 file"),
    ],
)
def test_it_says_what_is_fastest_on_this_cpu(
    made: Path, monkeypatch: pytest.MonkeyPatch, seconds: tuple[float | None, ...], last: str
) -> None:
    def measured(found: list[Candidate], **_: int) -> tuple[list[Measured], bool]:
        found_times = zip(found, seconds, strict=True)
        return [Measured(item.label, took) for item, took in found_times], False

    monkeypatch.setattr(precision, "installed_on_cpu", lambda: ["onnxruntime", "openvino"])
    monkeypatch.setattr(cpu, "flags", lambda: frozenset({"avx512_vnni"}))
    monkeypatch.setattr(precision, "measure", measured)
    files = [item for name in ("x2", "x2.int8") for item in _with_facts(made / f"{name}.onnx")]
    line = precision.speed(*files)
    fastest = "int8 in OpenVINO" if seconds[3] else "fp32 in ONNX Runtime"
    assert line.startswith(f"fastest on this CPU: {fastest}; fp32 in ")
    assert line.endswith(f"; {last}")


def test_a_file_that_loses_more_than_allowed_says_so(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--max-loss-db", "0.0001", "--allow-loss", "--around", "fp16")
    assert convert(place, "x2.onnx", "loses.onnx", *more) == 0
    lost = load_sidecar(place / "loses.onnx").quality["int8_loss_db"]
    said = f"loses.onnx: loses {lost:.3f} dB, with fp16 around the int8 layers; 0.0001 was allowed"
    assert lost > 0.0001
    assert said in capsys.readouterr().err


def _with_facts(path: Path) -> tuple[Path, Sidecar]:
    return path, load_sidecar(path)


def test_only_the_cpu_s_file_is_timed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for around, timed in (("fp32", True), ("fp16", False)):
        name = f"timed-{around}.onnx"
        assert convert(place, "x2.onnx", name, "--max-loss-db", "2", "--around", around) == 0
        assert ("fastest on this CPU: " in capsys.readouterr().out) == timed


def test_an_external_model_goes_through_the_same_command(place: Path) -> None:
    assert convert(place, "theirs.onnx", "theirs.int8.onnx", "--max-loss-db", "5") == 0
    model = onnx.load(place / "theirs.int8.onnx")
    assert broken_cpu_rules(model) == []
    assert model.graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8  # wrapped first


@pytest.mark.slow
def test_the_table_names_what_this_file_leaves_out(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(place, "x2.onnx", "kept.onnx", "--max-loss-db", "2") == 0
    kept = load_sidecar(place / "kept.onnx").training["conversion"]["kept_out_of_int8"]
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    for name in ("stem", "body0", "body1", "body2", "anchor"):
        line = next(line for line in lines if line.startswith(f"{name} "))
        assert line.rstrip().endswith(kept[name]["why"] if name in kept else line.split()[2])


@pytest.mark.slow
def test_a_bound_that_cannot_hold_fails_with_the_most_expensive_layers(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from calibration.quantize.judge import Judge

    monkeypatch.setattr(Judge, "loss_db", lambda self, model, integer=False: 0.5)
    assert convert(place, "x2.onnx", "no.onnx") == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "int8 loses 0.500 dB with all layers, 0.05 allowed" in error
    assert "the best plan loses 0.500 dB and is " in error
    assert "layers in int8 and" in error
    assert "--allow-loss" in error
    assert not (place / "no.onnx").exists()


@pytest.mark.slow
def test_a_network_of_low_psnr_is_held_to_fp32_on_every_picture(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--max-loss-db", "9", "--floor-db", "70")
    assert convert(place, "x2.onnx", "far.onnx", *asked) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "70 dB from fp32 asked for, with 99.9% of the samples within 8 levels; the best" in error
    assert "dB from fp32 on the worst picture" in error


def test_a_search_out_of_time_uses_its_best_plan_and_says_so(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = ("--max-loss-db", "9", "--minutes", "0.0001")
    assert convert(place, "x2.onnx", "quick.onnx", *asked) == 0
    [line] = [line for line in caplog.messages if "stopped after" in line]
    assert "the best plan so far is used, without: ranges of some tensors; weights rounded" in line
    assert "what each layer costs alone" in line
    assert load_sidecar(place / "quick.onnx").quality["int8_worst_psnr_db"] > 10


def test_a_file_without_an_int8_layer_is_not_written_as_int8(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, only = onnx.load(place / "x2.onnx"), frozenset(["stem"])
    clips = dict.fromkeys(tensors_of(model, Plan(only, {})), 1.0)
    plan = {"layers": [*only], "clips": clips, "float_residuals": []}
    path = tmp_path / "best.plan.json"
    weights = load_sidecar(place / "x2.onnx").made_from_sha256
    path.write_text(json.dumps({"keras_sha256": weights, "plan": plan}))
    command = ["--model", str(place / "x2.onnx"), "--to", "int8", "--plan", str(path)]
    command += ["--frames", str(place / "frames"), "--max-loss-db", "2", "--output"]
    # ONNX Runtime's CPU computes a layer of one channel in float; TensorRT takes it
    assert main([*command, str(tmp_path / "no.onnx")]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "no layer can be int8 within 2 dB with fp32 around it" in error
    assert "a larger --max-loss-db" in error
    assert not (tmp_path / "no.onnx").exists()
    assert main([*command, str(tmp_path / "yes.onnx"), "--around", "fp16"]) == 0


@pytest.mark.slow
def test_ranges_are_reused_by_digest_and_refused_otherwise(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ranges.json"
    command = ["--frames", str(place / "frames"), "--output", str(path)]
    assert ranges_module.main(["--model", str(place / "x2.onnx"), *command]) == 0
    more = ("--max-loss-db", "2", "--ranges", str(path))
    assert convert(place, "x2.onnx", "again.onnx", *more) == 0
    assert convert(place, "theirs.onnx", "wrong.onnx", *more) == 1
    assert "the ranges are of x2.onnx" in capsys.readouterr().err
    content = json.loads(path.read_text()) | {"frames_sha256": "0" * 64}
    path.write_text(json.dumps(content))
    assert convert(place, "x2.onnx", "wrong.onnx", *more) == 1
    assert "the ranges are of other frames" in capsys.readouterr().err


def test_verify_reports_how_far_apart_two_files_are(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = verify(made / "x2.onnx", made / "x2.onnx", made / "frames")
    assert (same.max_difference, same.differing_share, same.psnr_db) == (0, 0.0, float("inf"))
    pair = [str(made / "x2.onnx"), str(made / "x2.int8.onnx"), "--frames", str(made / "frames")]
    assert verify_main([*pair, "--min-psnr", "20", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["frames"] == 8
    assert found["alike"] is True
    assert found["max_difference"] >= 1
    assert verify_main([*pair, "--min-psnr", "99"]) == 1
    assert "99 or more expected" in capsys.readouterr().err
    assert verify_main([str(made / "x2.onnx"), str(made / "theirs.onnx")]) == 1
    assert "only alike networks can be compared" in capsys.readouterr().err


def test_verify_measures_the_loss_against_the_truth(made: Path, tmp_path: Path) -> None:
    from edge_sr.media.stills.files import resize_image, write_image

    (tmp_path / "low").mkdir()
    (tmp_path / "high").mkdir()
    for seed in range(2):
        high = picture(64, 96, 1, seed)[..., 0]
        write_image(tmp_path / "high" / f"{seed}.png", high)
        write_image(tmp_path / "low" / f"{seed}.png", resize_image(high, 48, 32))
    found = verify(
        made / "x2.onnx", made / "x2.int8.onnx", tmp_path / "low", truth=tmp_path / "high"
    )
    assert found.loss_db is not None
    assert abs(found.loss_db) < 3


def nan_weight(path: Path) -> None:
    model = luma_model()
    item = next(item for item in model.graph.initializer if item.name == "body0_w")
    value = numpy_helper.to_array(item).copy()
    value.ravel()[0] = np.nan
    item.CopyFrom(numpy_helper.from_array(value, item.name))
    save_luma(path, model)


def nan_activation(path: Path) -> None:
    model = luma_model()
    next(node for node in model.graph.node if node.name == "stem_relu").op_type = "Log"
    save_luma(path, model)


def branching(path: Path) -> None:
    model = luma_model()
    model.graph.node[2].domain = "com.theirs"
    model.opset_import.append(onnx.helper.make_opsetid("com.theirs", 1))
    save_luma(path, model)


def quantised(path: Path) -> None:
    from calibration.quantize.qdq import Plan, quantise

    save_luma(path, quantise(luma_model(), Plan(frozenset({"body0"}), {"stem_relu": 1.0})))


def outside(path: Path) -> None:
    model = luma_model()
    (path.parent.parent / "secret.bin").write_bytes(bytes(4096))
    item = next(item for item in model.graph.initializer if item.name == "body0_w")
    item.ClearField("raw_data")
    item.data_location = TensorProto.EXTERNAL
    item.external_data.add(key="location", value="../secret.bin")
    path.write_bytes(model.SerializeToString())


def two_outputs(path: Path) -> None:
    b = Builder()
    b.conv("y", "x", (3, 3, 3, 3))
    model = b.model([(name, TensorProto.FLOAT, [1, 3, "h", "w"]) for name in "xy"])
    model.graph.output.append(model.graph.output[0])
    model.graph.output[1].name = "x"
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.write_bytes(b"hello"), "not a"),
        (nan_weight, "weight body0_w holds NaN or infinity"),
        (nan_activation, "is NaN or infinite on"),
        (branching, r"operator com\.theirs\..* cannot be converted"),
        (quantised, "is quantised already"),
        (outside, r"in\.onnx: keeps weights in"),
        (two_outputs, "has 2 outputs.*--output-name|not a valid"),
    ],
)
def test_what_cannot_be_converted_is_one_clear_line(
    make: object, message: str, place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import re

    folder = tmp_path / "model"
    folder.mkdir()
    source = folder / "in.onnx"
    make(source)  # type: ignore[operator]
    command = ["--model", str(source), "--to", "int8", "--output", str(folder / "out.onnx")]
    assert main([*command, "--frames", str(place / "frames")]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("precision:")]
    assert len(lines) == 1
    assert re.search(message, lines[0]), lines[0]
    assert not (folder / "out.onnx").exists()


def test_frame_io_is_found_out(place: Path) -> None:
    luma = load_network(place / "x2.onnx").io
    rgb = load_network(place / "theirs.onnx", input_range="0..1", output_range="-1..1").io
    assert (luma.frames, luma.channels, luma.scale) == (True, 1, 2)
    assert (rgb.frames, rgb.channels, rgb.scale) == (False, 3, 2)
    assert (rgb.taken, rgb.given) == (RANGES["0..1"], RANGES["-1..1"])
