"""The checkout as the house's tests see it: its files, its modules, and what their syntax says."""

from __future__ import annotations

import ast
import os
import statistics
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]

MOST_LINES_OF_A_FUNCTION = 45
MOST_LINES_OF_A_MODULE = 400
USUAL_LINES_OF_A_FUNCTION = 10
USUAL_LINES_OF_A_MODULE = 150

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Place(NamedTuple):
    """Where a definition stands; prints as an editor reads it."""

    path: str
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.name}"


@cache
def files() -> tuple[str, ...]:
    """Every file of the checkout that is tracked or would be, relative, sorted."""
    asked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    # A copy without a repository has no ignored files to tell apart, but for what the tests themselves make.
    found = asked.stdout.split("\0") if asked.returncode == 0 else _walked()
    return tuple(sorted(name for name in set(found) if name and (ROOT / name).is_file()))


def _walked() -> Iterator[str]:
    made = {".git", ".venv", ".hypothesis", "__pycache__", "build", "dist"}
    for folder, below, names in os.walk(ROOT):
        below[:] = [name for name in below if name not in made and not name.endswith(("_cache", ".egg-info"))]
        yield from (str((Path(folder) / name).relative_to(ROOT)) for name in names)


def text_of(name: str) -> str:
    """A file's text; what is no UTF-8 in it does not matter here."""
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")


def modules(*folders: str) -> tuple[str, ...]:
    """The Python files below some folders; those of the package where none is named."""
    chosen = tuple(f"{folder}/" for folder in folders or ("reconciler",))
    return tuple(name for name in files() if name.endswith(".py") and name.startswith(chosen))


@cache
def tree(name: str) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse(text_of(name), filename=name)


def functions(name: str) -> Iterator[tuple[Place, Function]]:
    """Every function of a module, methods and nested ones included."""
    for node in ast.walk(tree(name)):
        if isinstance(node, Function):
            yield Place(name, node.lineno, node.name), node


def definitions(name: str) -> Iterator[tuple[Place, Definition]]:
    """Every function and class of a module."""
    for node in ast.walk(tree(name)):
        if isinstance(node, Definition):
            yield Place(name, node.lineno, node.name), node


def length(node: Definition) -> int:
    """How many lines a definition takes, its documentation included, its decorators not."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def code_length(node: Definition) -> int:
    """How many of a definition's lines are not its docstring."""
    first = node.body[0]
    documented = ast.get_docstring(node, clean=False) is not None
    return length(node) - (((first.end_lineno or first.lineno) - first.lineno + 1) if documented else 0)


def function_sizes() -> dict[Place, tuple[int, int]]:
    """The lines of every function of the package: all of them, and those that are code."""
    found = (pair for name in modules() for pair in functions(name))
    return {place: (length(node), code_length(node)) for place, node in found}


def module_sizes() -> dict[str, int]:
    """The lines of every module of the package."""
    return {name: text_of(name).count("\n") for name in modules()}


def figures() -> str:
    """How long functions and modules are, for people."""
    sizes, lines = function_sizes(), module_sizes()
    longest, largest = max(sizes, key=lambda place: sizes[place]), max(lines, key=lambda name: lines[name])
    usual = statistics.median(code for _, code in sizes.values())
    tests = sum(text_of(name).count("\n") for name in modules("tests"))
    return (
        f"{len(sizes)} functions: median {usual:g} lines of code, "
        f"the longest {sizes[longest][0]} ({longest})\n"
        f"{len(lines)} modules: median {statistics.median(lines.values()):g} lines, "
        f"the longest {lines[largest]} ({largest})\n"
        f"{sum(lines.values())} lines in the package, {tests} in the tests"
    )


if __name__ == "__main__":
    print(figures())
