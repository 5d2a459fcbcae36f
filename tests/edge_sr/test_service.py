"""The systemd unit: what it allows, what it hides, and that systemd takes it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edge_sr.cli import service
from edge_sr.cli.completion import SHELLS, completion_script
from edge_sr.cli.main import build_parser, main
from edge_sr.cli.service import install_service, make_service
from edge_sr.errors import MediaError

SECRET = "rtsp://me:p@ss/word@cam.local/1"  # noqa: S105 - made up


def test_print_shows_a_hardened_unit(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["service", "install", "--print", "--user", "nobody", "run", "--camera", "0"]
    assert main([*words, "--serve", "8080"]) == 0
    unit = capsys.readouterr().out
    for line in ("Type=notify", "NoNewPrivileges=yes", "PrivateTmp=yes", "WatchdogSec=30",
                 "StartLimitBurst=10", "ProtectSystem=strict", "User=nobody"):  # fmt: skip
        assert f"\n{line}\n" in unit
    assert "-m edge_sr.cli.main run --camera 0 --serve 8080\n" in unit


def test_a_password_moves_to_a_file_of_its_own() -> None:
    made = make_service(["run", "--input", SECRET, "--output", "null"], name="door")
    assert "p@ss" not in made.unit
    assert "word" not in made.unit
    assert "--input env:EDGE_SR_INPUT" in made.unit
    assert "EnvironmentFile=/etc/edge-sr/door.env" in made.unit
    assert made.secret == f'EDGE_SR_INPUT="{SECRET}"\n'


def test_files_are_absolute_and_their_folders_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    unit = make_service(["run", "--camera", "0", "--output", "a b%.mp4"]).unit
    assert f'"{tmp_path}/a b%%.mp4"' in unit
    assert f"ReadWritePaths={tmp_path}\n" in unit


def test_installing_writes_both_files_and_never_over_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "UNITS", tmp_path)
    monkeypatch.setattr(service, "SECRETS", tmp_path / "secrets")
    made = make_service(["run", "--input", SECRET, "--output", "null"], name="door")
    install_service(made)
    assert (tmp_path / "secrets/door.env").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "door.service").read_text() == made.unit
    with pytest.raises(MediaError, match="--force"):
        install_service(made)
    install_service(made, force=True)
    monkeypatch.setattr(service, "UNITS", tmp_path / "missing")
    with pytest.raises(MediaError, match="use sudo, or --print"):
        install_service(made)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["service", "install"], 2),
        (["service", "install", "models"], 2),
        (["service", "install", "--name", "a/b", "--print", "run", "--camera", "0"], 2),
        (["service", "install", "--user", "a b", "--print", "run", "--camera", "0"], 2),
    ],
)
def test_wrong_words_are_one_line(
    words: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == code
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    path = tmp_path / "edge-sr.service"
    made = make_service(["run", "--input", SECRET, "--output", "null"], user="root")
    path.write_text(made.unit)
    done = subprocess.run(
        ["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if "edge-sr.service" in line]
    assert complaints == []


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_knows_commands_options_and_choices(shell: str) -> None:
    script = completion_script(build_parser(), shell)
    names = ("doctor", "serve", "drop-policy", "newest")
    assert all(name in script for name in names)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("edge-sr doc", "doctor"),
        ("edge-sr run --drop-policy n", "newest none"),
        ("edge-sr run --drop", "--drop-policy"),
        ("edge-sr completion b", ""),
    ],
)
def test_bash_completes(words: str, found: str) -> None:
    script = completion_script(build_parser(), "bash")
    ask = f"COMP_WORDS=({words}); COMP_CWORD={len(words.split()) - 1}; _edge_sr"
    done = subprocess.run(
        ["bash", "-c", f'{script}\n{ask}\necho "${{COMPREPLY[*]}}"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == found
