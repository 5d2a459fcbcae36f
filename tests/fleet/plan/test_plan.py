"""Which cameras of a fleet file get a place, which do not, and what the command says of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.__main__ import main
from fleet.plan.admission import Costs, Plan, make_plan
from fleet.plan.fleet_file import read_fleet

Write = Callable[..., Path]


def streams(count: int, **keys: str) -> str:
    """Tables of so many cameras: cam1 reads rtsp://cam1/1."""
    more = "".join(f"{key} = {value!r}\n" for key, value in keys.items())
    return "".join(
        f'[camera.cam{n}]\ninput = "rtsp://cam{n}/1"\n{more}' for n in range(1, count + 1)
    )


def planned(path: Path) -> Plan:
    fleet = read_fleet(path)
    return make_plan(fleet, Costs(fleet.boards, path.parent))


def counts(plan: Plan) -> dict[str, int]:
    return {name: len(placed) for name, placed in plan.placed.items()}


def test_sixteen_cameras_fill_three_boards(fleet_file: Write) -> None:
    pytest.importorskip("onnx", reason="pip install 'edge-sr[bench]'")
    plan = planned(fleet_file(streams(16)))
    assert counts(plan) == {"hall": 5, "yard": 3, "roof": 8}  # 6 ms of 40: 15 % each
    assert plan.refused == []
    assert [item.port for item in plan.placed["yard"]] == [9000, 9001, 9002]
    assert plan.placed["hall"][0].cost.source == "measured, 50 runs (rows.jsonl)"
    estimated = plan.placed["roof"][0]
    assert "estimate, not measured (orin-nano-super)" in estimated.cost.source
    assert (estimated.spec.backend, estimated.spec.precision) == ("tensorrt", "fp16")


def test_a_camera_too_many_is_refused_with_the_figures(
    fleet_file: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = fleet_file(streams(6, board="hall"))
    assert main(["plan", str(path), "--output", str(tmp_path / "plan")]) == 1
    printed = capsys.readouterr()
    assert (
        "cam6 (edge-unet-s at 640x360, 25 fps) does not fit: hall holds 5 cameras, which take "
        "30.0 ms of 40.0; it needs 6.0 more, 32.0 may be planned (measured, 50 runs (rows.jsonl))\n"
    ) in printed.out
    assert printed.err == f"fleet: {path}: 1 of 6 cameras do not fit; nothing was written\n"
    assert not (tmp_path / "plan").exists()


def test_boards_that_hold_the_same_are_named_together(
    fleet_file: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    boards = "".join(
        f'[board.b{n}]\nhost = "10.0.0.{n}"\ndevice = "orin-nano-super"\n' for n in range(1, 6)
    )
    large = '[camera.wide]\ninput = "rtsp://w/1"\nsize = "3840x2160"\nfps = 200\n'
    assert main(["plan", str(fleet_file(large, boards=boards))]) == 1
    line = next(line for line in capsys.readouterr().out.splitlines() if "does not fit" in line)
    assert "does not fit: each of b1, b2, b3 and 2 others holds 0 cameras" in line
    assert line.count("holds") == 1


def test_the_row_of_the_model_and_precision_that_will_run_counts(fleet_file: Write) -> None:
    large = '[camera.a]\ninput = "rtsp://a/1"\nmodel = "edge-unet-l"\nprecision = "int8"\n'
    plan = planned(fleet_file(large + 'board = "hall"\n'))
    (item,) = plan.placed["hall"]
    assert item.cost.frame_ms == pytest.approx(15 / 0.9)
    assert (item.spec.backend, item.spec.precision) == ("tensorrt", "int8")
    slower = plan.fleet.cameras[0]
    assert slower.spec.backend == "auto"  # as the file says; the plan names what was measured


def test_the_model_that_is_chosen_for_a_camera_is_named(fleet_file: Write) -> None:
    camera = '[camera.a]\ninput = "rtsp://a/1"\nfps = 5\n'
    path = fleet_file(camera + 'flavour = "plain"\nmodel = "edge-unet-s"\n', defaults="")
    assert read_fleet(path).cameras[0].spec.model == "edge-unet-s"
    (chosen,) = read_fleet(fleet_file(camera, defaults="")).cameras
    assert (chosen.spec.model, chosen.spec.flavour) == ("edge-unet-s-live", None)


def test_large_cameras_are_placed_first(fleet_file: Write) -> None:
    fast = '[camera.fast]\ninput = "rtsp://f/1"\nfps = 80\n'
    boards = (
        '[board.a]\nhost = "a"\nrows = "rows.jsonl"\n[board.b]\nhost = "b"\nrows = "rows.jsonl"\n'
    )
    plan = planned(fleet_file(streams(7) + fast, boards=boards))
    assert plan.placed["a"][0].camera.name == "fast"
    assert counts(plan) == {"a": 3, "b": 5}


FAULTS = [
    ('[camera.a]\ninput = "rtsp://a/1"\n[camera.a]\ninput = "rtsp://a/1"\n', "each name once"),
    ('[camera.a]\ninput = "rtsp://a/1"\npreset_ = "fast"\n', "unknown key preset_; did you mean"),
    ('[bord.a]\nhost = "a"\n', "fleet.toml: unknown key bord; did you mean board?"),
    ('[camera.a]\ninput = "rtsp://a/1"\nboard = "attic"\n', "expected one of hall, yard, roof"),
    ('[camera.a]\ninput = "rtsp://a/1"\nfps = 0\n', "fps"),
    ('[camera.a]\ninput = "rtsp://a/1"\nsize = "big"\n', "expected WIDTHxHEIGHT"),
    ('[camera.a]\ninput = "rtsp://a/1"\nserve = "80"\n', "serve is not for cameras of a fleet"),
    ('[camera.a]\ninput = "rtsp://a/1"\noutput = "a.mp4"\n', "expected a path of the board"),
    ('[camera.a]\ninput = "rtsp://a/1"\noutput = ["/a.mp4", "b.mp4?crf=20"]\n',
     "'b.mp4' is relative"),
    ('[camera.a]\ninput = "env:EDGE_SR_NOT_SET"\n', "EDGE_SR_NOT_SET is not set"),
    ('[camera.a]\ninput = "film.mp4"\n', "expected a camera or a stream"),
    ('[camera.a]\nfps = 5\n', "nothing to read"),
    ('[camera.A]\ninput = "rtsp://a/1"\n', "expected lower-case letters"),
    ('[camera.a]\ninput = "0"\n', "give board = NAME"),
    ('[camera.a]\ninput = "0"\nboard = "hall"\n[camera.b]\ninput = "0"\nboard = "hall"\n',
     "which a reads as well"),
    ('[camera.a]\ninput = "rtsp://a/1"\nsize = "320x240"\n', "measure there: python -m bench run"),
    ('[camera.a]\ninput = "rtsp://a/1"\nmodel = "edge-unet-z"\n', "no such model"),
    ("camera = 3\n", "camera"),
    ('[[camera]]\nname = "a"\ninput = "rtsp://a/1"\n', "with a name for each: [camera.NAME]"),
]  # fmt: skip


@pytest.mark.parametrize(("cameras", "message"), FAULTS)
def test_a_wrong_camera_is_one_line(
    fleet_file: Write, cameras: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = fleet_file("" if cameras.startswith("camera") else cameras)
    if cameras.startswith("camera"):
        path.write_text(cameras + path.read_text())
    assert main(["plan", str(path)]) in (1, 2)
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert message in line
    assert printed.out == ""


@pytest.mark.parametrize(
    ("board", "message"),
    [
        ('host = "h"\n', "needs rows = FILE of a bench run, or device = NAME"),
        ('host = "h"\ndevice = "toaster"\n', "device is 'toaster'; expected agx-orin"),
        ('host = "h"\nrows = "none.jsonl"\n', "none.jsonl: cannot be read"),
        ('host = "h/1"\ndevice = "thor"\n', "host is 'h/1'"),
        ('host = "h"\ndevice = "thor"\nload = 2\n', "board.b: Expected"),
        ('host = "h"\ndevice = "thor"\nlod = 0.5\n', "board.b: unknown key lod"),
        ('host = "h"\ndevice = "thor"\npython = "python3"\n', "expected an absolute path"),
    ],
)
def test_a_wrong_board_is_one_line(
    fleet_file: Write, board: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = fleet_file(streams(1), boards=f"[board.b]\n{board}")
    assert main(["plan", str(path)]) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_rows_of_two_devices_are_refused(
    fleet_file: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = fleet_file(streams(1))
    rows = tmp_path / "rows.jsonl"
    other = rows.read_text().replace('"device_name":"Orin"', '"device_name":"RTX"')
    rows.write_text(rows.read_text() + other)
    assert main(["plan", str(path)]) == 2
    assert "rows of 2 devices (Orin; RTX)" in capsys.readouterr().err
