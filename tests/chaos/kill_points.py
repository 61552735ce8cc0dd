"""A kill at every await, by rewriting the code as it is imported: before and after each await it passes a kill point.

A point is named `file:function:number:before|after`, with the number of the await within its function. All points are
enumerated from the source, so a new await is a new point, whether or not anybody thought of it.
"""

from __future__ import annotations

import ast
import builtins
import importlib.abc
import importlib.machinery
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).parents[2]
# What launches, follows, searches, cancels, records and posts.
FILES = (
    "bot/use_cases/launch_run.py",
    "bot/use_cases/follow_run.py",
    "bot/use_cases/find_lost_run.py",
    "bot/use_cases/cancel_run.py",
    "bot/use_cases/persist.py",
    "bot/use_cases/review_run.py",
    "bot/use_cases/tend_approvals.py",
    "bot/slack/asking.py",
    "bot/slack/posting.py",
    "bot/slack/announcer.py",
    "bot/slack/witness.py",
)
NAME = "__kill_point__"  # of the function that every point calls


@dataclass
class _Armed:
    point: str = ""
    trace: int | None = None
    traced: set[str] = field(default_factory=set)


_armed = _Armed()


def arm(point: str, trace: str) -> None:
    """Have this process killed at `point`, and every point passed noted in the file `trace`. Empty for neither."""
    _armed.point = point
    _armed.trace = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if trace else None


def install() -> None:
    """Rewrite what is imported from now on."""
    setattr(builtins, NAME, _passed)
    sys.meta_path.insert(0, _Finder())


def every_point() -> list[str]:
    """All points, in the order of the source."""
    points: list[str] = []
    for file in FILES:
        rewriter = _Rewriter(file)
        rewriter.visit(ast.parse((ROOT / file).read_text("utf-8")))
        points += rewriter.points
    return points


def _passed(point: str) -> None:
    if _armed.trace is not None and point not in _armed.traced:
        _armed.traced.add(point)
        os.write(_armed.trace, f"{point}\n".encode())
    if point == _armed.point:
        os.kill(os.getpid(), signal.SIGKILL)


class _Rewriter(ast.NodeTransformer):
    """`await x` becomes `(point before, await x, point after)[1]`: the tuple is made from left to right."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._within: list[str] = []
        self._numbers: dict[str, int] = {}
        self.points: list[str] = []

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._inside(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._inside(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._inside(node)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        raise NotImplementedError(f"{self._file}:{node.lineno}: kill points know no `async with` yet")

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        raise NotImplementedError(f"{self._file}:{node.lineno}: kill points know no `async for` yet")

    def visit_Await(self, node: ast.Await) -> ast.AST:
        place = f"{self._file}:{'.'.join(self._within)}"
        number = self._numbers[place] = self._numbers.get(place, 0) + 1
        before, after = (f"{place}:{number}:{when}" for when in ("before", "after"))
        self.points += [before, after]
        self.generic_visit(node)
        whole = ast.Tuple([_call(before), node, _call(after)], ast.Load())
        return ast.copy_location(ast.Subscript(whole, ast.Constant(1), ast.Load()), node)

    def _inside(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        self._within.append(node.name)
        try:
            return self.generic_visit(node)
        finally:
            self._within.pop()


def _call(point: str) -> ast.Call:
    return ast.Call(ast.Name(NAME, ast.Load()), [ast.Constant(point)], [])


class _Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        """Compiled anew, and never kept: the folder of compiled files is everybody's."""
        path = Path(self.path)
        rewriter = _Rewriter(path.relative_to(ROOT).as_posix())
        tree = ast.fix_missing_locations(rewriter.visit(ast.parse(path.read_text("utf-8"), filename=self.path)))
        return compile(tree, self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        file = f"{fullname.replace('.', '/')}.py"
        if file not in FILES:
            return None
        loader = _Loader(fullname, str(ROOT / file))
        return importlib.machinery.ModuleSpec(fullname, loader, origin=str(ROOT / file))
