"""What the GPU runtime calls is there, in the real packages; nothing of it is run without a GPU."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sr.cuda.cuda_python_handles import SUCCESS

ROOT = Path(__file__).parents[3]
TENSORRT = {
    "Runtime": ["deserialize_cuda_engine", "engine_host_code_allowed"],
    "ICudaEngine": [
        "create_execution_context",
        "get_tensor_dtype",
        "get_tensor_mode",
        "get_tensor_name",
        "get_tensor_shape",
        "num_io_tensors",
    ],
    "IExecutionContext": [
        "execute_async_v3",
        "get_tensor_shape",
        "set_input_shape",
        "set_tensor_address",
    ],
    "ILogger": ["Severity"],
    "DataType": ["UINT8"],
    "TensorIOMode": ["INPUT"],
}
INSPECTOR = {  # the lean runtime has none
    "ICudaEngine": ["create_engine_inspector"],
    "EngineInspector": ["get_engine_information"],
    "LayerInformationFormat": ["JSON"],
}
RTX = {
    "ICudaEngine": ["create_runtime_config"],
    "DynamicShapesKernelSpecializationStrategy": ["EAGER", "NONE"],
    "IRuntimeConfig": [
        "create_runtime_cache",
        "dynamic_shapes_kernel_specialization_strategy",
        "set_runtime_cache",
    ],
    "IRuntimeCache": ["deserialize", "serialize"],
}
LOOK = """
import {module} as found
assert found.__version__
for name in {severities}:
    getattr(found.ILogger.Severity, name)
for kind, names in {wanted}.items():
    for name in names:
        getattr(getattr(found, kind), name)
print("all there")
"""
SEVERITIES = ["INTERNAL_ERROR", "ERROR", "WARNING"]


@pytest.mark.parametrize(
    ("module", "wanted"),
    [
        ("tensorrt_rtx", {**TENSORRT, "ICudaEngine": TENSORRT["ICudaEngine"] + RTX["ICudaEngine"]}),
        ("tensorrt_rtx", RTX),
        ("tensorrt_rtx", INSPECTOR),
        ("tensorrt_lean", TENSORRT),
        ("tensorrt", TENSORRT),
        ("tensorrt", INSPECTOR),
    ],
)
def test_tensorrt_has_what_is_used(module: str, wanted: dict[str, list[str]]) -> None:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        pytest.skip(f"{module} is not installed")
    code = LOOK.format(module=module, wanted=wanted, severities=SEVERITIES)
    command = [sys.executable, "-c", code]  # lean may crash without a driver: on its own
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "all there", done.stderr


def attributes(path: str, name: str) -> set[str]:
    """The attributes of a module that a file uses, as ``driver.cuInit``, with what follows."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Attribute):
            chain = [node.attr]
            inner = node.value
            while isinstance(inner, ast.Attribute):
                chain.insert(0, inner.attr)
                inner = inner.value
            if isinstance(inner, ast.Name) and inner.id == name:
                found.add(".".join(chain))
    return found


def test_every_call_of_tensorrt_is_listed() -> None:
    groups = (TENSORRT, INSPECTOR, RTX)
    listed = {name for group in groups for names in group.values() for name in names}
    listed |= {*TENSORRT, *INSPECTOR, *RTX, *SEVERITIES}
    used = set()
    for path in ("engine", "execution", "log"):
        file = f"edge_sr/backend/tensorrt/{path}.py"
        for owner in ("engine", "runtime", "known", "kinds", "inspector"):
            used |= {chain.split(".")[0] for chain in attributes(file, owner)}
        for chain in attributes(file, "self"):
            owner, _, name = chain.partition(".")
            if owner in ("_engine", "_runtime", "_config", "_cache", "_open", "_module") and name:
                used.add(name.split(".")[0])
    assert {"execute_async_v3", "deserialize_cuda_engine", "Runtime"} <= used
    assert used - {"__version__"} <= listed


def test_cuda_python_has_what_is_used() -> None:
    driver = pytest.importorskip("cuda.bindings.driver")
    files = [f"edge_sr/cuda/cuda_python{end}.py" for end in ("", "_handles")]
    used = set().union(*(attributes(file, "driver") for file in files))
    assert {"cuMemcpyHtoDAsync", "cuMemHostAlloc", "cuCtxPushCurrent"} <= used
    assert int(driver.CUresult.CUDA_SUCCESS) == SUCCESS
    for chain in sorted(used):
        found = driver
        for part in chain.split("."):
            found = getattr(found, part)
    for name in attributes("edge_sr/cuda/cuda_python.py", "known"):
        getattr(driver.CUdevice_attribute, name)


def test_no_driver_is_one_line_with_a_way_out() -> None:
    pytest.importorskip("cuda.bindings.driver")
    code = """
from edge_sr.cuda import open_device
from edge_sr.errors import BackendError
try:
    open_device("cuda-python").close()
except BackendError as error:
    print(error)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    if done.stdout:  # on a machine with a GPU there is nothing to report
        (line,) = done.stdout.splitlines()
        assert "--backend onnxruntime" in line
