"""Start the building process, show its progress, and ask for less when it fails."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import onnx
from tqdm import tqdm

from convert.engine.child import Job
from convert.engine.flavours import LEVEL
from convert.onnx.specialise import widen_scales
from edge_sr.children import child_environment, module_command, stop
from edge_sr.cuda import driver
from edge_sr.errors import BackendError

Reply = dict[str, Any]


class Int8RefusedError(BackendError):
    """TensorRT builds this int8 network on this GPU neither with fp16 nor with fp32 scales."""


def build(job: Job, notify: Callable[[str], None]) -> Reply:
    """Build in a child process, with less workspace and a lower level each time it gives up.

    Returns what `build_child.describe` says.

    Raises:
        BackendError: the network or an option is refused, or every try failed.
    """
    reasons: list[str] = []
    for options, words in ladder(job.options):
        if reasons:
            notify(f"{reasons[-1]}; trying again with {words}")
        reply = _once(replace(job, options=options))
        if "built" in reply:
            built: Reply = reply["built"]
            return built
        reasons.append(str(reply["error"]))
        if reply.get("half_scales") and not job.float_scales:
            return _with_float_scales(replace(job, options=options), notify)
        if not reply.get("retry"):
            raise BackendError(reasons[-1])
    raise BackendError(
        f"{reasons[-1]}; {len(reasons)} tries failed, the last with the least workspace and the "
        "lowest level: close other programs that use the GPU, or build a smaller --size"
    )


def _with_float_scales(job: Job, notify: Callable[[str], None]) -> Reply:
    """Build int8 once more with float32 around it.

    Raises:
        Int8RefusedError: that fails as well.
    """
    notify(
        "TensorRT has no kernel for int8 with fp16 scales on this GPU; trying again with int8 and "
        "float32 scales"
    )
    path = Path(job.onnx)
    model = onnx.load(path, load_external_data=False)
    widen_scales(model)
    path.write_bytes(model.SerializeToString())
    try:
        return build(replace(job, float_scales=True), notify)
    except BackendError as error:
        raise Int8RefusedError(f"int8 cannot be built on this GPU: {error}") from error


def ladder(options: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Options to try one after the other, and how each differs in words."""
    yield options, ""
    level = options.get("optimization_level")
    level = LEVEL if level is None else level
    free = driver.free_mib()
    workspace = options.get("workspace_mib") or (free // 2 if free else None)
    for part, lower in ((2, level), (4, min(level, 2)), (8, 0)):
        smaller = {"workspace_mib": max(1, workspace // part)} if workspace else {}
        said = f"optimisation level {lower}" + (
            f", {smaller['workspace_mib']} MiB of workspace" if smaller else ""
        )
        if smaller or lower != level:
            yield options | smaller | {"optimization_level": lower}, said


def _once(job: Job) -> Reply:
    """One try: the child's last line, or how it ended. Its job files are beside the engine."""
    order, words = (Path(job.engine).with_name(name) for name in ("job.json", "stderr"))
    order.write_text(json.dumps(asdict(job)))
    command = module_command("convert.engine.child", [str(order)])
    with words.open("w") as stderr, _child(command, stderr) as child:
        reply = _listen(child)
        code = child.wait()
    return reply or _post_mortem(code, words.read_text(errors="replace"))


@contextlib.contextmanager
def _child(command: list[str], stderr: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that never outlives the block."""
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=child_environment()
    )
    try:
        yield child
    finally:
        stop(child)
        if child.stdout:
            child.stdout.close()


def _listen(child: subprocess.Popen[str]) -> Reply | None:
    """Show progress until the child is done; its last word."""
    last: Reply | None = None
    shape = "{desc} {percentage:3.0f} %|{bar}| {elapsed}{postfix}"
    bar: Any = tqdm(total=100, desc="building", bar_format=shape, disable=None, leave=False)
    with bar:
        for line in child.stdout or ():
            try:
                found = json.loads(line)
            except ValueError:
                continue  # a library that prints
            if "share" in found:
                bar.set_postfix_str(found["phase"], refresh=False)
                bar.update(round(100 * found["share"]) - bar.n)
            else:
                last = found
    return last


def _post_mortem(code: int, words: str) -> Reply:
    said = next((line for line in reversed(words.splitlines()) if line.strip()), "")
    if code == -signal.SIGKILL:
        reason = "the builder was killed, which is what Linux does when memory runs out"
    elif code < 0:
        reason = f"the builder crashed ({signal.Signals(-code).name})"
    else:
        reason = f"the builder ended with code {code}" + (f" ({said})" if said else "")
    return {"error": reason, "retry": code < 0}
