"""The public interface: docs/api.md lists all of it and nothing else, and tests use all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import edge_sr

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "api.md").read_text()


def public() -> Iterator[str]:
    """`__all__`, and what the classes in it define under a name of their own."""
    for name in edge_sr.__all__:
        thing = getattr(edge_sr, name)
        members = [key for key in vars(thing) if not key.startswith("_")] if is_class(thing) else []
        fields = getattr(thing, "__dataclass_fields__", {})
        yield from (f"{name}.{key}" for key in members if key not in fields)
        if not members or fields:
            yield name


def is_class(thing: object) -> bool:
    return isinstance(thing, type) and not issubclass(thing, Exception)


def test_the_list_is_whole() -> None:
    first = [row.split("|")[1] for row in PAGE.splitlines() if row.startswith("| `")]
    listed = [name for cell in first for name in re.findall(r"`([^`]+)`", cell)]
    assert sorted(listed) == sorted(public())
    assert "Upscaler.stream" in listed


def test_every_name_is_used_by_a_test() -> None:
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for name in public():
        *_, last = name.split(".")
        assert re.search(rf"\b{last}\b", tests.replace(Path(__file__).read_text(), "")), name


def test_its_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(example, "docs/api.md", "exec"), {})  # noqa: S102 - our own document
