"""The documentation speaks of what is there: links resolve, named files exist, commands are real."""

import doctest
import re
from pathlib import Path

import pytest

import posterm
import tools.runtime
from tests.arch.house import ROOMS, ROOT, files
from tools.cli import COMMANDS

DOCUMENTS = [Path(name) for name in ("README.md", "README.zh-CN.md", "CHANGELOG.md")] + files(
    "docs", suffix=".md"
)
LINK = re.compile(r"\]\(([^)\s]+)\)|<(?:img|a)[^>]+(?:src|href)=\"([^\"]+)\"")
CODE = re.compile(r"`([^`\n]+)`")
TOP = (*ROOMS, "tests", "docs", "examples", ".ci")
FILE = re.compile(rf"(?:{'|'.join(map(re.escape, TOP))})/[\w./*-]*")
TARGET = re.compile(r"\bmake ([a-z]+)\b")
COMMAND = re.compile(r"\bposterm ([a-z]+)\b")
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
READMES = (Path("README.md"), Path("README.zh-CN.md"))


@pytest.fixture(params=DOCUMENTS, ids=lambda path: path.as_posix())
def document(request: pytest.FixtureRequest) -> Path:
    assert isinstance(request.param, Path)
    return request.param


def text_of(document: Path) -> str:
    return (ROOT / document).read_text("utf-8")


def headings(document: Path) -> set[str]:
    """The anchors that a page's headings have on the usual forges."""
    lines = re.findall(r"^#+ (.+)$", text_of(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def test_every_link_inside_the_project_resolves(document: Path) -> None:
    broken = []
    for groups in LINK.findall(text_of(document)):
        target = groups[0] or groups[1]
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name) if name else document
        if not (ROOT / path).exists() or (anchor and path.suffix == ".md" and anchor not in headings(path)):
            broken.append(target)
    assert broken == []


def test_every_file_that_is_named_exists(document: Path) -> None:
    missing = []
    for span in CODE.findall(text_of(document)):
        for name in FILE.findall(span):
            found = list(ROOT.glob(name)) if "*" in name else [ROOT / name]
            if not any(path.exists() for path in found):
                missing.append(name)
    assert missing == []


def test_every_make_target_that_is_named_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert targets >= {"help", "run", "test", "check", "bench", "diagrams", "clean"}
    named = {name for span in CODE.findall(text_of(document)) for name in TARGET.findall(span)}
    assert named <= targets


def test_the_ci_runs_the_readme_s_commands() -> None:
    ci = (ROOT / ".ci/run").read_text("utf-8")
    readme = text_of(Path("README.md"))
    for command in ("make check", "make test"):
        assert f"\n{command}" in ci
        assert command in readme


def test_every_command_that_is_named_exists(document: Path) -> None:
    named = {name for span in CODE.findall(text_of(document)) for name in COMMAND.findall(span)}
    assert named <= {command.name for command in COMMANDS}


@pytest.mark.parametrize("readme", READMES, ids=str)
def test_the_readme_s_example_runs_and_ends_in_a_slip(
    readme: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = EXAMPLE.findall(text_of(readme))
    exec(compile(example, str(readme), "exec"), {})
    printed = capsys.readouterr().out
    assert "approved" in printed
    assert "12.34" in printed
    assert "622588******0100" in printed


def test_both_readmes_show_the_same() -> None:
    english, chinese = (
        re.findall(r"`posterm [^`]+`|^make \w+", text_of(readme), re.MULTILINE) for readme in READMES
    )
    assert english == chinese
    assert len(english) > 8


def test_the_examples_in_the_api_s_docstrings_hold() -> None:
    for module in (posterm, tools.runtime):
        result = doctest.testmod(module)
        assert result.attempted > 0
        assert result.failed == 0
