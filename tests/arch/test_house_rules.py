"""Rules of the house that no linter knows: sizes, names, pure code, how files are written."""

import ast
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.arch.house import ROOMS, ROOT, calls, functions, imports, python_files, text_files

FILE_LINES_MAX = 450
FUNCTION_LINES_MAX = 60
LONG_FILES: Mapping[str, str] = {
    "hal/api.py": "every contract of the HAL in one place, which is what a maker of a driver reads",
}
NAMES_OF_NOTHING = {"utils", "util", "common", "helpers", "helper", "misc", "lib", "stuff"}

CLOCKS_AND_WORLD = (
    *("print", "input", "open", "exec", "eval", "breakpoint"),
    *("datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
    *("time.", "random.", "secrets.", "os.", "threading.", "asyncio.", "subprocess."),
)


def shells_of_the_link() -> set[str]:
    """The modules that the import rules excuse from being pure."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    pure = next(rule for rule in rules if rule["name"].startswith("the pure part of the link"))
    assert pure["source_modules"] == ["host_link.*"], "a new file is pure, unless it is named"
    return {text.split(" -> ")[0] for text in pure["ignore_imports"]}


def module_of(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


SHELLS = shells_of_the_link()
PURE_FILES = [path for path in python_files("firmware", "wire", "host_link") if module_of(path) not in SHELLS]


def ids(path: Path) -> str:
    return path.as_posix()


# --- size --------------------------------------------------------------------------------------------


def test_no_file_is_too_long_to_hold_one_thing() -> None:
    lengths = {
        path.as_posix(): len((ROOT / path).read_text("utf-8").splitlines())
        for path in python_files(*ROOMS, "tests")
    }
    long = {path for path, lines in lengths.items() if lines > FILE_LINES_MAX}
    assert long <= LONG_FILES.keys(), "cut it where it does two things"
    assert LONG_FILES.keys() <= long, "not long any more: take it off the list"


def test_no_function_is_too_long_to_be_read_at_once() -> None:
    long = [
        f"{path}:{function.lineno} {function.name}"
        for path in python_files(*ROOMS)
        for function in functions(path)
        if (function.end_lineno or function.lineno) - function.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert long == []


# --- names -------------------------------------------------------------------------------------------


def test_every_module_is_named_after_what_it_holds() -> None:
    assert [
        path for path in python_files(*ROOMS, "tests") if NAMES_OF_NOTHING & set(path.with_suffix("").parts)
    ] == []


def test_tests_are_found_by_their_names() -> None:
    """A file of tests that is not called test_*.py would never run."""
    asleep = [
        f"{path}: {function.name}"
        for path in python_files("tests")
        if not path.name.startswith("test_")
        for function in functions(path)
        if function.name.startswith("test_")
    ]
    assert asleep == []


# --- pure code ---------------------------------------------------------------------------------------


def forbidden_calls(path: Path) -> list[str]:
    return [
        f"{path}:{line} {name}"
        for line, name in calls(path)
        if any(
            name == banned or (banned.endswith(".") and name.startswith(banned))
            for banned in CLOCKS_AND_WORLD
        )
    ]


@pytest.mark.parametrize("path", PURE_FILES, ids=ids)
def test_pure_code_reads_no_clock_and_touches_no_world(path: Path) -> None:
    """Time, randomness, storage and everything outside are handed in: same seed, same run."""
    assert forbidden_calls(path) == []


def test_the_ban_is_not_blind(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = ast.parse(
        "import time\ntime.sleep(1)\nx = datetime.now()\nf(open)\nwith open('f') as g: print(g)\n"
    )
    monkeypatch.setattr("tests.arch.house.tree", lambda _path: broken)
    assert [text.split()[1] for text in forbidden_calls(Path("x.py"))] == [
        "time.sleep",
        "datetime.now",
        "open",
        "print",
    ]


def test_only_the_machine_knows_transitions() -> None:
    users = [path.as_posix() for path in python_files(*ROOMS) if "transitions" in set(imports(path))]
    assert users == ["firmware/txn/machine.py"]


@pytest.mark.parametrize("path", PURE_FILES, ids=ids)
def test_pure_code_imports_no_shell(path: Path) -> None:
    assert {"host_link.ports", "host_link.gateway"} <= SHELLS
    assert SHELLS.isdisjoint(imports(path))


# --- how files are written ---------------------------------------------------------------------------


def test_every_text_is_utf_8_with_unix_lines_and_a_last_newline() -> None:
    texts = text_files()
    assert len(texts) > 100
    bad = []
    for path in texts:
        data = (ROOT / path).read_bytes()
        text = data.decode("utf-8")  # raises for anything else
        if "\r" in text or "\ufeff" in text or (text and not text.endswith("\n")):
            bad.append(path.as_posix())
    assert bad == []


def test_nothing_merged_by_halves() -> None:
    marks = tuple(character * 7 for character in "<>|")
    bad = [
        f"{path}:{number}"
        for path in text_files()
        for number, line in enumerate((ROOT / path).read_text("utf-8").splitlines(), 1)
        if line.startswith(marks)
    ]
    assert bad == []
