"""Every name of TensorRT that convert uses exists in NVIDIA's own modules."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "convert/engine" / f"{name}.py" for name in ("child", "census", "flavours")]
# how the files call their objects -> what they are
VARIABLES = {
    "builder": "Builder",
    "network": "INetworkDefinition",
    "config": "IBuilderConfig",
    "parser": "OnnxParser",
    "error": "ParserError",
    "layer": "ILayer",
    "source": "ITensor",
    "profile": "IOptimizationProfile",
    "cache": "ITimingCache",
    "runtime": "Runtime",
    "engine": "ICudaEngine",
    "inspector": "EngineInspector",
}
RUNTIME = ("runtime", "engine")
OURS = {"use", "load"}  # of convert.engine.trt itself


def names(file: Path) -> Iterator[str]:
    """ "Builder.create_network", "BuilderFlag.GPU_FALLBACK", ... as used in a file."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.Attribute):
            continue
        owner = node.value
        if isinstance(owner, ast.Name) and owner.id == "trt" and node.attr not in OURS:
            yield node.attr
        elif isinstance(owner, ast.Name) and owner.id in VARIABLES:
            yield f"{VARIABLES[owner.id]}.{node.attr}"
        elif (
            isinstance(owner, ast.Attribute)
            and isinstance(owner.value, ast.Name)
            and owner.value.id == "trt"
        ):
            yield f"{owner.attr}.{node.attr}"


def missing(module: str, wanted: list[str]) -> list[str]:
    """Names that a module lacks; asked in a process of its own, as some crash without a driver."""
    code = (
        "import json, sys, importlib, functools\n"
        "module = importlib.import_module(sys.argv[1])\n"
        "def has(name):\n"
        "    try:\n"
        "        functools.reduce(getattr, name.split('.'), module)\n"
        "    except AttributeError:\n"
        "        return False\n"
        "    return True\n"
        "print(json.dumps([name for name in json.loads(sys.argv[2]) if not has(name)]))"
    )
    command = [sys.executable, "-c", code, module, json.dumps(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "ModuleNotFoundError" in done.stderr:
        pytest.skip(f"{module} is not installed: pip install 'edge-sr[dev]'")
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def used() -> list[str]:
    return sorted({name for file in FILES for name in names(file)})


def test_the_search_is_not_blind() -> None:
    assert {
        "Builder.build_serialized_network",
        "BuilderFlag.GPU_FALLBACK",
        "ICudaEngine.create_engine_inspector",
        "ParserError.node_operator",
        "LayerType.CONVOLUTION",
    } <= set(used())


def test_the_builder_has_all_that_is_called() -> None:
    assert missing("tensorrt_rtx", used()) == []


def test_version_11_has_all_of_the_runtime_that_is_called() -> None:
    classes = {VARIABLES[name] for name in RUNTIME} | {"LayerInformationFormat"}
    wanted = [name for name in used() if name.partition(".")[0] in classes]
    lean = {"ICudaEngine.create_engine_inspector"}  # the lean runtime cannot inspect
    assert len(wanted) > 3
    assert set(missing("tensorrt_lean", wanted)) <= lean
