"""The public interface: docs/api.md lists all of it and nothing else, and tests use all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import edge_sr
from edge_sr import errors

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "api.md").read_text()


def public() -> Iterator[str]:
    """`__all__`, and what the classes in it define under a name of their own."""
    for name in edge_sr.__all__:
        thing = getattr(edge_sr, name)
        members = [key for key in vars(thing) if not key.startswith("_")] if is_class(thing) else []
        fields = getattr(thing, "__dataclass_fields__", {})
        yield from (f"{name}.{key}" for key in members if key not in fields)
        if not members or fields or issubclass(thing, tuple):
            yield name


def is_class(thing: object) -> bool:
    return isinstance(thing, type) and not issubclass(thing, Exception)


def test_the_list_is_complete() -> None:
    first = [row.split("|")[1] for row in PAGE.splitlines() if row.startswith("| `")]
    listed = [name for cell in first for name in re.findall(r"`([^`]+)`", cell)]
    assert sorted(listed) == sorted(public())
    assert "Upscaler.stream" in listed


def test_every_name_is_used_by_a_test() -> None:
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for name in public():
        *_, last = name.split(".")
        assert re.search(rf"\b{last}\b", tests.replace(Path(__file__).read_text(), "")), name


def test_every_error_class_is_public() -> None:
    found = {
        name
        for name, thing in vars(errors).items()
        if isinstance(thing, type) and issubclass(thing, errors.EdgeSRError)
    }
    assert found <= set(edge_sr.__all__)
    assert sorted(edge_sr.__all__) == edge_sr.__all__
    assert set(edge_sr.__all__) <= set(dir(edge_sr))
    with pytest.raises(AttributeError, match="no attribute 'upscaler_of'"):
        edge_sr.upscaler_of  # noqa: B018


EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_its_examples_run(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("logging.basicConfig", lambda **_options: None)
    exec(compile(EXAMPLES[number], "docs/api.md", "exec"), {})  # noqa: S102 - our own document
    assert capsys.readouterr().out


def test_opening_a_model_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with edge_sr.Upscaler.open("edge-unet-s") as upscaler:
        upscaler.session((64, 48)).close()
    assert capfd.readouterr() == ("", "")


def test_type_checkers_see_the_types() -> None:
    assert (ROOT / "edge_sr" / "py.typed").is_file()
