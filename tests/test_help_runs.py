"""Of every command, an example that its ``--help`` shows is run: by a document's test, or here."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
import shutil
from pathlib import Path

import pytest
from PIL import Image
from stand_ins import film, make_files, moving, scene
from test_commands import PAGES, is_run, shown
from test_help import module, parsers  # noqa: F401 - a fixture

from edge_sr import zoo

ROOT = Path(__file__).parent.parent
ELSEWHERE = {  # what is not run here, and the test that runs it
    "edge-sr demo": "tests/edge_sr/cli/test_cli.py",  # runs until it is stopped
    "edge-sr library": "tests/fleet/films/test_library.py",
    "python -m convert.zoo": "tests/convert/test_zoo.py",
    "python -m bench device-check": "tests/edge_sr/backend/on_double/case_bench.py",
    "python -m lab.choice": "tests/lab/test_lab_choice.py",  # needs clips and photographs
    "python -m lab.host_cost": "tests/edge_sr/backend/on_double/case_bench.py",
    "python -m bench demo": "tests/bench/commands/test_demo.py",
    "python -m lab.on_video": "tests/lab/test_lab_on_video.py",  # needs rivals
    "python -m lab.readme": "tests/lab/test_lab_readme.py",  # needs rows of all models
    "python -m lab.soak.fuzz": "tests/test_fuzz.py",  # needs atheris
    "python -m lab.overhead": "tests/bench/commands/test_demo.py",
    "python -m lab.pages.animation": "tests/lab/test_lab_animation.py",  # fetches a clip
    "python -m lab.repeat": "tests/lab/test_lab_repeat.py",  # exits by time
    "python -m lab.search": "tests/lab/test_lab_targets.py",  # as the next two: needs rivals
    "python -m lab.external_models": "tests/lab/test_lab_external_models.py",
    "python -m lab.targets": "tests/lab/test_lab_targets.py",
    "python -m lab.soak.live_figures": "tests/lab/test_lab_live_figures.py",  # exits by time
    "python -m lab.soak.page_figures": "tests/lab/test_lab_page_figures.py",
    "python -m lab.page_together": "tests/lab/test_lab_page_together.py",
    "python -m lab.soak.corpus": "tests/lab/test_lab_corpus.py",  # as the next: minutes
    "python -m lab.forms.table": "tests/lab/test_lab_forms.py",
    "python -m lab.soak.real": "tests/lab/test_lab_corpus.py",  # reads a whole /usr/share
    "python -m fleet.library": "tests/fleet/films/test_library.py",
    "python -m training.draw": "tests/training/test_draw.py",
    "python -m training.evaluate_video": "tests/training/test_evaluate_video.py",
    "python -m training.held_out": "tests/training/test_held_out.py",
    "python -m training.make_pool": "tests/training/test_pool.py",
    "python -m training.scenes.vivid": "tests/training/test_vivid.py",
}
CHOSEN = {"python -m bench run": 1, "python -m bench report": 1}
BENCH = "--size 64x36 --runs 2 --seconds 0.2 --images Set5/"
LESS = {  # the same with less to do; of an option that is given twice the later counts
    "edge-sr bench run ": BENCH,
    "edge-sr import ": "--force",
    "edge-sr train ": "--steps 2",
    "python -m bench run ": BENCH,
    "python -m lab.nodes ": "--size 64x36 --runs 2",
    "python -m lab.pages.shots ": "--only phone",
    "python -m training.qat ": "--steps 2",
    "python -m training.train ": "--steps 2",
}
BEFORE = {
    "training.qat": ["python -m calibration.sensitivity --model x2.onnx --output layers.json"]
}


def examples(parser: argparse.ArgumentParser) -> list[str]:
    """The lines of its help that call it."""
    text = re.sub(r"\\\n *", "", parser.format_help())
    return re.findall(rf"^  ({re.escape(parser.prog)}\b.*)$", text, re.MULTILINE)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the documents' readers have, and what else the examples name."""
    for package in ("keras", "onnx", "skimage", "tensorrt_rtx"):
        pytest.importorskip(package, reason="pip install 'edge-sr[convert,train,bench,dev]'")
    folder = tmp_path_factory.mktemp("help")
    make_files(folder)
    for name in ("clip", "street", "hall"):
        film(folder / f"{name}.mp4", moving(4, 180, 320))
    for name in ("mine", "x2.int8"):
        for ending in ("onnx", "onnx.json"):
            shipped = "edge-unet-s-x2.int8" if name == "x2.int8" else "edge-unet-s-x2"
            shutil.copy(zoo.FOLDER / f"{shipped}.{ending}", folder / f"{name}.{ending}")
    for name in ("third", "fourth", "edge-unet-s-x2"):
        (folder / "runs" / name).mkdir(parents=True)
        shutil.copy(folder / "x2.keras", folder / "runs" / name / "best.keras")
    for ending in ("keras", "keras.json"):
        shutil.copy(folder / f"x2.{ending}", folder / f"edge-unet-s-x2.{ending}")
    shutil.copytree(folder / "Set5", folder / "Set14")
    (folder / "frames").mkdir()
    for seed in range(4):
        Image.fromarray(scene(seed, 90, 160)).save(folder / "frames" / f"{seed}.png")
    Image.fromarray(scene(9, 360, 360)).save(folder / "photos" / "large.jpg", quality=95)
    (folder / "mine.toml").write_text('architecture = "edge_unet"\nscale = "2"\nsteps = 2\n')
    return folder


@pytest.mark.slow
def test_an_example_of_every_help_is_run(
    module: str,  # noqa: F811
    everything: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    documents = {command.line for page in PAGES for command in filter(is_run, shown(page))}
    program = importlib.import_module(module)
    whole = program.build_parser()
    lines = list(BEFORE.get(module, []))
    for parser in parsers(whole):
        found = examples(parser)
        if parser.prog in ELSEWHERE:
            name = parser.prog.removeprefix("python -m ").split()[-1].rpartition(".")[2]
            assert name in (ROOT / ELSEWHERE[parser.prog]).read_text()
        elif not documents.intersection(found):
            lines.append(found[CHOSEN.get(parser.prog, 0)])
    if not lines:
        return
    folder = tmp_path / "here"
    shutil.copytree(everything, folder, symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    for line in dict.fromkeys(lines):
        more = [options for start, options in LESS.items() if line.startswith(start)]
        words = shlex.split(" ".join([line, *more]), comments=True)
        output = Path(words[words.index("--output") + 1]) if "--output" in words else None
        if output == Path("frames"):
            shutil.rmtree(output)
        files = [
            name
            for word in words
            for name in (sorted(map(str, folder.glob(word))) if "*" in word else [word])
        ]
        code = called(files, whole, program)
        printed = capfd.readouterr()
        assert code == 0, f"$ {line}\n{printed.out}{printed.err}"
        assert printed.out or output, line
        assert output is None or output.exists(), line


def called(words: list[str], whole: argparse.ArgumentParser, program: object) -> int:
    """The exit code of a line, run in this process."""
    begin = 1 if words[0] == "edge-sr" else 3
    if words[0] == "python" and f"python -m {words[2]}" != whole.prog:
        program = importlib.import_module(words[2])
    return int(program.main(words[begin:]) or 0)  # type: ignore[attr-defined]
