"""The glossary of CONTRIBUTING.md: none of the words it replaces is in code, comments or documents.

``python tests/test_glossary.py [PATH ...]`` lists what is left, with file and line.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ENDINGS = (".py", ".md", ".toml", ".yml", ".yaml", ".sh", ".js", ".html", ".j2", ".css", ".c")
NAMES = ("Makefile", ".ci/run")

# what we do not write -> what finds it, in text whose identifiers are split into their words
WORDS = {
    "anew": r"\banew\b",
    "dear, dearest": r"\bdear(er|est|ly)?\b",
    "stranger": r"\bstrangers?\b",
    "spelling": r"\b(re)?spell(s|ed|ing|ings)?\b|\b(re)?spelt\b",
    "what became of it": r"\bbec[ao]mes? of (it|them|an?|the)\b",
    "to be had": r"\bbe had\b",
    "mend": r"\bmend(s|ed|ing|able)?\b",
    "for want of": r"\bfor want of\b",
    "thereof, whence": r"\b(there|where|here)(of|by|in|upon|unto)\b|\b(when|then|hen)ce\b(?! \d)"
    r"|\b(hi|thi|whi)ther\b",
    "upon, whilst": r"\b(upon|unto|whilst|amongst|lest|albeit|naught|nought|nigh|ere)\b",
    "tell": r"(?<!\.)\b(tell(s|ing)?|told)\b",
    "in its own words": r"\b(own|last|these) words\b",
    "wish": r"\bwish(es|ed)?\b",
    "desk": r"\bdesk\b",
    "adopt": r"\badopt(s|ed|ion|ing)?\b",
    "settle": r"\bsettl(e|es|ed|ing)\b",
    "spoilt": r"\bspoil(s|t|ed)?\b",
    "kin": r"\b(its|their) kin\b|\bkindest\b",
}
# the same in identifiers alone, where the ordinary word may stay
IDENTIFIERS = {
    "Link": r"\bLink\b",
    "ends": r"\b(Ends|ends)\b|\b\w+_ends\b|\bends_\w+|\b(\w+)Ends\b",
}
# and in prose alone
PROSE = {
    "ends of a network": r"\b(uint8|float|the network's|both|its) ends\b"
    r"|\bat (its|their|the) ends\b",
}

EVERYTHING = {*WORDS, *IDENTIFIERS, *PROSE}
# what is being rewritten: folders and files that may still hold them
LEFT: tuple[str, ...] = ()


def paths() -> Iterator[Path]:
    """Every text file of the repository that people read."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in sorted(filter(None, listed.stdout.decode().split("\0"))):
        path = ROOT / name
        if (path.suffix in ENDINGS or name in NAMES) and path.is_file() and path != Path(__file__):
            yield path


def split(text: str) -> str:
    """`text` with snake_case and CamelCase as separate words, for the table of words."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text.replace("_", " "))


def text_of(path: Path) -> str:
    """The file without the glossary itself, which has to name what it replaces."""
    text = path.read_text()
    if path.name == "CONTRIBUTING.md":
        start = text.index("## Glossary")
        end = text.find("\n## ", start + 1)
        blank = "\n" * text[start : end if end > 0 else None].count("\n")
        text = text[:start] + blank + (text[end:] if end > 0 else "")
    return text


def search(text: str, *, code: bool) -> Iterator[tuple[int, str, str]]:
    """(line, entry of the tables, what was found)."""
    tables = [(WORDS, split(text)), (PROSE, text)] + ([(IDENTIFIERS, text)] if code else [])
    for table, seen in tables:
        for entry, pattern in table.items():
            flags = re.IGNORECASE if table is not IDENTIFIERS else re.NOFLAG
            for hit in re.finditer(pattern, seen, flags):
                line = seen[seen.rfind("\n", 0, hit.start()) + 1 :].partition("\n")[0]
                if table is IDENTIFIERS and is_prose(line, hit[0]):
                    continue
                yield seen.count("\n", 0, hit.start()) + 1, entry, line.strip()


def is_prose(line: str, word: str) -> bool:
    """Whether a word is of a comment or of a sentence, and so no identifier."""
    code = re.sub(r"""(["'])(?:\\.|(?!\1).)*\1|#.*""", "", line)
    return not re.search(rf"\b{word}\b\s*[\].,:=()\[]|[(\[,=.]\s*\b{word}\b", code)


def test_no_word_that_the_glossary_replaces() -> None:
    found = []
    for path in paths():
        name = path.relative_to(ROOT).as_posix()
        if not any(name == left or name.startswith(f"{left}/") for left in LEFT):
            for line, entry, text in search(text_of(path), code=path.suffix == ".py"):
                found.append(f"{name}:{line}: {entry}: {text}")
    assert found == [], "CONTRIBUTING.md, Glossary, has the words that we use"


def test_the_glossary_names_every_entry() -> None:
    _, _, text = (ROOT / "CONTRIBUTING.md").read_text().partition("## Glossary")
    text = text.partition("\n## ")[0]
    for entry in EVERYTHING:
        assert f"| {entry} |" in text, f"CONTRIBUTING.md, Glossary: no line for {entry!r}"


@pytest.mark.parametrize(
    ("text", "code", "entry"),
    [
        ("the file is made anew", False, "anew"),
        ("what became of it", False, "what became of it"),
        ("class FrameLink(Link):", True, "Link"),
        ("ends = find_ends(graph)", True, "ends"),
        ("a file with uint8 ends", False, "ends of a network"),
        ("notify(told.append)", True, "tell"),
        ("BuildWish = 3", True, "wish"),
        ("int8_spelling = 1", True, "spelling"),
        ("which cannot be had here", False, "to be had"),
    ],
)
def test_the_search_sees(text: str, code: bool, entry: str) -> None:
    assert entry in {found for _, found, _ in search(text, code=code)}


@pytest.mark.parametrize(
    "text",
    [
        "name.endswith('.onnx')  # a film ends here",
        "position = file.tell()",
        "recommends amendments",
        "on a desktop; the link is broken",
        "words = shlex.split(line)",
    ],
)
def test_the_search_leaves_ordinary_words(text: str) -> None:
    assert list(search(text, code=True)) == []


if __name__ == "__main__":
    only = tuple(sys.argv[1:]) or ("",)
    for path in paths():
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(only):
            for line, entry, text in search(text_of(path), code=path.suffix == ".py"):
                print(f"{name}:{line}: {entry}: {text}")
