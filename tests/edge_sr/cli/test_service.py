"""The systemd unit and its options: what it allows, what it hides, and that systemd takes it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edge_sr.cli import service
from edge_sr.cli.config import read_config
from edge_sr.cli.main import main
from edge_sr.cli.run import make_spec, run_parser
from edge_sr.cli.service import Service, install_service, make_service
from edge_sr.errors import MediaError
from edge_sr.pipeline.job import JobSpec

SECRET = "rtsp://me:p@ss/word@cam.local/1"  # noqa: S105 - made up


def made(*words: str, name: str = "edge-sr", user: str | None = None) -> Service:
    return make_service(make_spec(run_parser().parse_args(words)), name=name, user=user)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(service, "UNITS", tmp_path)
    monkeypatch.setattr(service, "SETTINGS", tmp_path / "settings")
    return tmp_path


def test_print_shows_a_hardened_unit_and_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["service", "install", "--print", "--user", "nobody", "run", "0"]
    assert main([*words, "--serve", "8080"]) == 0
    printed = capsys.readouterr().out
    for line in ("Type=notify", "NoNewPrivileges=yes", "PrivateTmp=yes", "WatchdogSec=30",
                 "StartLimitBurst=10", "ProtectSystem=strict", "User=nobody"):  # fmt: skip
        assert f"\n{line}\n" in printed
    assert " edge_sr run --config /etc/edge-sr/edge-sr.toml\n" in printed
    assert " -m edge_sr" not in printed  # the folder that the service writes to holds no code
    assert printed.endswith('input = "0"\nserve = "127.0.0.1:8080"\n')


def test_the_options_are_the_ones_of_the_command_line(folders: Path) -> None:
    words = ["0", "--serve", "[::1]:80", "--crf", "20", "--no-overlay", "--tile", "off", "-n", "9"]
    wanted = make_spec(run_parser().parse_args(words))
    install_service(make_service(wanted, name="door"))
    path = folders / "settings/door.toml"
    assert read_config(path, run_parser(exit_on_error=False)) == {
        "input": "0", "serve": ("::1", 80), "crf": 20, "overlay": False, "tile": 0, "max_frames": 9,
    }  # fmt: skip
    assert make_spec(run_parser().parse_args(["--config", str(path)])) == wanted


@pytest.mark.parametrize("option", ["--input", "--camera", None])
def test_a_password_moves_to_a_file_of_its_own(option: str | None) -> None:
    found = made(*([option] if option else []), SECRET, "--output", "null", name="door")
    for text in (found.unit, found.config):
        assert "p@ss" not in text
        assert "word" not in text
    assert 'input = "env:EDGE_SR_INPUT"' in found.config
    assert "camera" not in found.config
    assert "EnvironmentFile=/etc/edge-sr/door.env" in found.unit
    assert found.secrets == (("EDGE_SR_INPUT", SECRET),)


def test_the_token_of_the_page_is_the_same_at_each_start(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("EDGE_SR_TOKEN", raising=False)
    words = ["service", "install", "--name", "door", "run", "0", "--serve", "0.0.0.0:8080"]
    assert main(words) == 0
    path = folders / "settings/door.env"
    text = path.read_text()
    assert len(text.removeprefix('EDGE_SR_TOKEN="').removesuffix('"\n')) >= 20
    assert path.stat().st_mode & 0o777 == 0o600
    unit = (folders / "door.service").read_text()
    assert f"EnvironmentFile={path}\n" in unit
    token = text.split('"')[1]
    assert token not in unit + (folders / "settings/door.toml").read_text()
    assert token not in capsys.readouterr().out
    assert main([*words[:2], "--force", *words[2:]]) == 0
    assert path.read_text() == text  # installed again: the page keeps its address
    monkeypatch.setenv("EDGE_SR_TOKEN", "chosen")
    assert made("0", "--serve", "0.0.0.0:80").secrets == (("EDGE_SR_TOKEN", "chosen"),)
    assert made("0", "--serve", "80").secrets == ()


def test_files_are_absolute_and_their_folders_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.onnx").touch()
    found = made("0", "--output", "a b%.mp4", "-m", "mine.onnx", "--save-to", "clips")
    for line in (f'output = "{tmp_path}/a b%.mp4"', f'model = "{tmp_path}/mine.onnx"',
                 f'save-to = "{tmp_path}/clips"'):  # fmt: skip
        assert line in found.config
    assert f"ReadWritePaths={tmp_path}\nReadWritePaths={tmp_path}/clips\n" in found.unit


def test_installing_writes_all_files_and_never_over_another(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = made(SECRET, "--output", "null", name="door")
    install_service(found)
    assert (folders / "settings/door.env").read_text() == f'EDGE_SR_INPUT="{SECRET}"\n'
    assert (folders / "settings/door.env").stat().st_mode & 0o777 == 0o600
    assert (folders / "settings/door.toml").stat().st_mode & 0o777 == 0o644
    assert (folders / "door.service").read_text() == found.unit
    with pytest.raises(MediaError, match="--force"):
        install_service(found)
    install_service(found, force=True)
    monkeypatch.setattr(service, "UNITS", folders / "missing")
    with pytest.raises(MediaError, match="use sudo, or --print"):
        install_service(found)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["service", "install"], 2),
        (["service", "install", "models"], 2),
        (["service", "install", "--name", "a/b", "--print", "run", "--camera", "0"], 2),
        (["service", "install", "--user", "a b", "--print", "run", "--camera", "0"], 2),
    ],
)
def test_wrong_usage_is_one_line(
    words: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == code
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    path = tmp_path / "edge-sr.service"
    path.write_text(made(SECRET, "--output", "null", user="root").unit)
    done = subprocess.run(
        ["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if "edge-sr.service" in line]
    assert complaints == []


def test_all_outputs_are_absolute_and_servers_with_passwords_are_hidden(tmp_path: Path) -> None:
    service = make_service(
        JobSpec(
            input="0",
            output=str(tmp_path / "a.mp4"),
            more_outputs=(f"{tmp_path}/b/b.mkv?crf=30",),
            publish=("rtsp://me:secret@host/x", "rtmp://host/y", f"{tmp_path}/c/live.m3u8"),
        )
    )
    assert f'output = ["{tmp_path}/a.mp4", "{tmp_path}/b/b.mkv?crf=30"]' in service.config
    assert 'publish = ["env:EDGE_SR_PUBLISH", "rtmp://host/y", ' in service.config
    assert "secret" not in service.unit + service.config
    assert dict(service.secrets)["EDGE_SR_PUBLISH"] == "rtsp://me:secret@host/x"
    for folder in (tmp_path, tmp_path / "b", tmp_path / "c"):
        assert f"ReadWritePaths={folder}\n" in service.unit
