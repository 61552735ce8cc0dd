"""The repository as the house rules see it: its files, and what its Python files contain. No rule stands here."""

from __future__ import annotations

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def files() -> tuple[Path, ...]:
    """Every file that is tracked, or would be by `git add .`; relative to ROOT."""
    # safe.directory: a checkout that belongs to another user (a volume in CI) is read all the same.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = {Path(name) for name in listed.split("\0") if name}
    return tuple(sorted(path for path in paths if (ROOT / path).is_file()))


def files_like(*patterns: str) -> list[Path]:
    """Those that match one of the patterns: "*.md" anywhere, "bot/*.py" at any depth below bot."""
    return [path for path in files() if any(_matches(path, pattern) for pattern in patterns)]


def _matches(path: Path, pattern: str) -> bool:
    folder, _, name = pattern.rpartition("/")
    return path.match(name) and (not folder or path.as_posix().startswith(folder + "/"))


def text(path: Path) -> str:
    """The text of a file; empty for one that is none (a picture)."""
    try:
        return (ROOT / path).read_text("utf-8")
    except UnicodeDecodeError:
        return ""


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(text(path), filename=str(path))


def functions(path: Path) -> Iterator[Function]:
    """All functions of a file, inner ones and methods too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, Function):
            yield node


def imported_modules(path: Path) -> Iterator[str]:
    """The full names that a file imports; `from a import b` gives a.b, which may be a module or a name in one."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def project() -> dict[str, Any]:
    """The [project] table of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads(text(Path("pyproject.toml")))["project"]
    return table
