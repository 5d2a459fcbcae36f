"""The OpenVINO backend: frames in flight, bfloat16, sizes, devices, and errors in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_sr import Upscaler, zoo
from edge_sr.backend import cpu, installed_on_cpu, open_backend
from edge_sr.backend.openvino import backend as module
from edge_sr.backend.openvino.backend import OpenVinoBackend, precision_name
from edge_sr.errors import BackendError, MissingDependencyError, UsageError
from edge_sr.quality import psnr

pytest.importorskip("openvino", reason="pip install 'edge-sr[openvino]'")

PATH, SIDECAR = zoo.find("edge-unet-s-x2")
needs_bf16 = pytest.mark.skipif(not cpu.BF16 & cpu.flags(), reason="no bfloat16 on this CPU")


def noise(seed: int, rows: int = 32, columns: int = 48) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (1, rows, columns, 1), np.uint8)


def open_s(**options: object) -> OpenVinoBackend:
    return OpenVinoBackend(PATH, SIDECAR, **options)  # type: ignore[arg-type]


def test_it_gives_the_picture_of_onnx_runtime() -> None:
    ours = open_backend(PATH, SIDECAR, backend="openvino")
    other = open_backend(PATH, SIDECAR, backend="onnxruntime")
    found = ours.infer(noise(1)).astype(int) - other.infer(noise(1))
    assert np.abs(found).max() <= 1


def test_frames_in_flight_come_out_in_order() -> None:
    backend = open_s(slots=3)
    wanted = [backend.infer(noise(seed)) for seed in range(5)]
    frame = np.empty_like(noise(0))
    found = []
    for seed in range(5):
        np.copyto(frame, noise(seed))  # it may be overwritten when `submit` returns
        backend.submit(frame)
        if seed >= 2:
            found.append(backend.collect().copy())
    found += [backend.collect().copy(), backend.collect().copy()]
    assert all(np.array_equal(*pair) for pair in zip(found, wanted, strict=True))


def test_a_result_is_valid_until_the_next_frame_is_submitted() -> None:
    backend = open_s(slots=2)
    wanted = backend.infer(noise(1))
    backend.submit(noise(1))
    backend.submit(noise(2))
    assert np.array_equal(backend.collect(), wanted)


def test_slots_are_counted_and_sizes_not_mixed() -> None:
    backend = open_s(slots=2)
    with pytest.raises(BackendError, match="no frame is in flight"):
        backend.collect()
    backend.submit(noise(1))
    with pytest.raises(BackendError, match="collect the submitted frames first"):
        backend.infer(noise(2))
    with pytest.raises(BackendError, match="collect the frames of another size first"):
        backend.submit(noise(2, 16, 16))
    backend.submit(noise(2))
    with pytest.raises(BackendError, match="all 2 slots are in flight"):
        backend.submit(noise(3))
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        backend.submit(noise(1))


def test_few_sizes_stay_compiled_and_all_give_the_same_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SIZES", 2)
    backend = open_s()
    sizes = [(8, 8), (8, 16), (16, 8)]
    first = [backend.infer(noise(1, *size)) for size in sizes]
    assert len(backend._compiled) == 2
    again = [backend.infer(noise(1, *size)) for size in sizes]
    assert all(np.array_equal(*pair) for pair in zip(first, again, strict=True))


def test_a_failure_leaves_nothing_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def wait(self) -> None:
            raise RuntimeError("Exception from src/a.cpp:1:\nCheck 'x' failed at b.cpp:2:\nboom\n")

    backend = open_s()
    wanted = backend.infer(noise(1))
    backend.submit(noise(1))
    backend._busy.appendleft(Broken())  # type: ignore[arg-type]
    backend._idle.clear()
    with pytest.raises(BackendError, match=r"failed on a 48x32 frame \(boom\)"):
        backend.collect()
    assert not backend._busy
    backend._idle = type(backend._idle)(item for item in backend._idle if type(item) is not Broken)
    assert np.array_equal(backend.infer(noise(1)), wanted)


@needs_bf16
@pytest.mark.parametrize(("name", "precision"), [("", "bf16"), (".int8", "int8-bf16")])
def test_bfloat16_is_named_and_really_computed(name: str, precision: str) -> None:
    path, sidecar = zoo.find(f"edge-unet-s-x2{name}")
    backend = OpenVinoBackend(path, sidecar, bf16=True)
    assert backend.precision == precision
    backend.infer(noise(1))
    graph = next(iter(backend._compiled.values()))[0].get_compiled_model().get_runtime_model()
    kinds = {str(item.get_rt_info()["runtimePrecision"].value) for item in graph.get_ops()}
    assert any("bf16" in kind.lower() for kind in kinds)


@needs_bf16
def test_bfloat16_is_close_to_float32() -> None:
    rows, columns = np.mgrid[0:64, 0:96]
    image = (128 + 100 * np.sin(rows / 5) * np.cos(columns / 7)).astype(np.uint8)
    with (
        Upscaler.open("edge-unet-s-x2", backend="openvino") as whole,
        Upscaler.open("edge-unet-s-x2", precision="bf16") as half,
    ):
        found = psnr(whole.upscale(image), half.upscale(image), border=2)
    assert (half.backend.name, half.backend.precision) == ("openvino", "bf16")
    assert 50 < found < 90  # not the same, and not far off


def test_a_cpu_without_bfloat16_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "flags", lambda: frozenset({"avx512f", "avx512_vnni"}))
    with pytest.raises(
        BackendError, match=r"bf16: this CPU has no instructions for bfloat16 .* --precision fp32$"
    ):
        open_s(bf16=True)


def test_samples_of_more_than_8_bits_are_taken_but_not_in_bfloat16() -> None:
    frame = np.random.default_rng(0).integers(0, 1024, (32, 48), np.uint16)
    found = []
    for name in ("openvino", "onnxruntime"):
        with Upscaler.open("edge-unet-s-x2", backend=name, precision="int8", bits=10) as upscaler:
            result = upscaler.backend.infer(frame.view(np.uint8).reshape(1, 32, 48, 2))
            found.append(result.copy().view(np.uint16)[0, ..., 0].astype(int))
    assert np.abs(found[0] - found[1]).max() <= 4  # one level of 8 bits
    assert found[0].max() > 255
    with pytest.raises(UsageError, match="bf16 holds 8 bits of a sample, and the frames have 10"):
        Upscaler.open("edge-unet-s-x2", precision="bf16", bits=10)


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(BackendError, match=r"finds no device NPU here; expected CPU: leave --dev"):
        Upscaler.open("edge-unet-s-x2", backend="openvino", device="NPU")


def test_device_and_bf16_are_openvinos() -> None:
    with pytest.raises(UsageError, match="device is 'GPU' with --backend auto"):
        Upscaler.open("edge-unet-s-x2", device="GPU")
    with pytest.raises(UsageError, match="device is 'TPU'"):
        Upscaler.open("edge-unet-s-x2", backend="openvino", device="TPU")
    with pytest.raises(UsageError, match="precision bf16 is OpenVINO's: use --backend openvino"):
        Upscaler.open("edge-unet-s-x2", backend="onnxruntime", precision="bf16")
    with pytest.raises(UsageError, match="bf16 is OpenVINO's, and --backend is onnxruntime"):
        open_backend(PATH, SIDECAR, backend="onnxruntime", bf16=True)


def test_without_the_package_the_pip_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'edge-sr\[openvino\]'"):
        open_s()


def test_a_file_with_other_inputs_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="pip install 'edge-sr[convert]'")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    path = tmp_path / "x.onnx"
    kinds = [helper.make_tensor_value_info(name, kind, [1, 1, 8, 8]) for name in ("a", "b")]
    graph = helper.make_graph([helper.make_node("Relu", ["a"], ["b"])], "g", kinds[:1], kinds[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    with pytest.raises(BackendError, match=r"inputs and outputs are .*'a', 'f32'.*expected uint8"):
        OpenVinoBackend(path, SIDECAR)
    path.write_bytes(b"\x08\x07")
    with pytest.raises(BackendError, match=r"x\.onnx: OpenVINO cannot open it"):
        OpenVinoBackend(path, SIDECAR)


def test_a_size_that_cannot_be_compiled_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = open_s()
    backend._options = {"NO_SUCH_OPTION": 1}
    with pytest.raises(BackendError, match=r"cannot compile it for 48x32 frames and fp32 on CPU"):
        backend.infer(noise(1))


def test_importing_it_sends_no_statistics() -> None:
    """Its dependency openvino-telemetry would report the import."""
    code = "from edge_sr.backend.openvino.runtime import load; import sys; load(); print([name for "
    code += "name in sys.modules if name.startswith('openvino_telemetry')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_precisions_have_names() -> None:
    names = [precision_name(file, bf16=bf16) for file in ("fp32", "int8") for bf16 in (False, True)]
    assert names == ["fp32", "bf16", "int8", "int8-bf16"]


def test_int8_without_vnni_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    path, sidecar = zoo.find("edge-unet-s-x2.int8")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(cpu, "flags", lambda: frozenset({"avx2"}))
    assert "without VNNI" in "".join(OpenVinoBackend(path, sidecar).notices)
    monkeypatch.setattr(cpu, "flags", lambda: frozenset({"avx2", "avx_vnni"}))
    assert not OpenVinoBackend(path, sidecar).notices


@pytest.mark.parametrize("there", [(), ("openvino",), ("onnxruntime", "openvino")])
def test_what_is_installed_decides(there: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: object() if name in there else None
    )
    assert installed_on_cpu() == list(there)
    if there == ("openvino",):
        assert open_backend(PATH, SIDECAR).name == "openvino"


def test_sessions_use_the_slots() -> None:
    with Upscaler(open_s(slots=2), SIDECAR) as upscaler:
        assert upscaler.session((48, 32)).depth == 2
    with Upscaler(open_s(slots=2), SIDECAR, tile=64) as upscaler:
        assert upscaler.session((480, 320)).depth == 1  # in tiles
        assert upscaler.session((48, 32)).depth == 2
