"""The tree as the rules of the house see it: its rooms, its files, their syntax trees."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("wire", "hal", "host_link", "firmware", "bank", "tools")


def files(*folders: str, suffix: str = "") -> list[Path]:
    """Every file below the folders, by its path from the root; without what Python and tools leave behind."""
    found = [path for folder in folders for path in (ROOT / folder).rglob(f"*{suffix}") if path.is_file()]
    return sorted(path.relative_to(ROOT) for path in found if "__pycache__" not in path.parts)


def python_files(*folders: str) -> list[Path]:
    return files(*folders, suffix=".py")


def text_files() -> list[Path]:
    """Every file of the project that people read as text."""
    kinds = {".py", ".toml", ".md", ".sh", ".sql", ".txt", ".svg", ".json"}
    listed = [path for path in files(*ROOMS, "tests", "docs", "examples", ".ci") if path.suffix in kinds]
    top = [path.relative_to(ROOT) for path in ROOT.iterdir() if path.is_file() and path.suffix in kinds]
    return [*listed, *top, Path("Makefile"), Path("LICENSE"), Path(".ci/run")]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text("utf-8"), str(path))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def calls(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every call whose target is a plain name: `print`, `datetime.now`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and (name := dotted(node.func)):
            yield node.lineno, name


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := dotted(node.value)):
        return f"{base}.{node.attr}"
    return ""


def imports(path: Path) -> Iterator[str]:
    """The full names of what a file imports, wherever in it: modules, and what is taken out of them."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
