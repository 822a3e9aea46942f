"""What the linters do not know: docstrings, broad `except`, positional booleans, marks of unfinished work."""

import ast
import re
from collections.abc import Iterator

import pytest
from support import checkout

# The roots, where an error that nobody foresaw is told to a person, or survived; and where a thread of ours
# calls what a program gave it: words to be said, an engine with hooks.
BROAD_EXCEPTS = {
    "reconciler/cli/main.py": 1,
    "reconciler/daemon/loop.py": 1,
    "reconciler/runtime/keeper.py": 1,
    "reconciler/runtime/recorder.py": 1,
}

# Written so that they do not find themselves.
UNFINISHED = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X]|HAC[K]|NotImplemente[d]Error)\b")
SWITCHED_OFF = re.compile(r"mark\.(?:ski[p]|skipi[f]|xfai[l])|pytest\.(?:ski[p]|xfai[l]|importorski[p])\b")


@pytest.mark.parametrize("name", checkout.modules("reconciler", "migrations", "tests/support"))
def test_every_module_says_what_lives_in_it(name):
    assert ast.get_docstring(checkout.tree(name))


def test_everything_public_is_documented():
    found = [
        str(place)
        for name in checkout.modules()
        for place, node in public(checkout.tree(name).body, name)
        if not ast.get_docstring(node)
    ]
    assert found == []


def public(body: list[ast.stmt], name: str) -> Iterator[tuple[checkout.Place, checkout.Definition]]:
    """What a module offers: its public functions and classes, and the public methods of those."""
    for node in body:
        if not isinstance(node, checkout.Definition) or node.name.startswith("_"):
            continue
        if not _stands_for_another(node):
            yield checkout.Place(name, node.lineno, node.name), node
        if isinstance(node, ast.ClassDef):
            yield from public(node.body, name)


def _stands_for_another(node: checkout.Definition) -> bool:
    marks = {ast.unparse(mark).rpartition(".")[2] for mark in node.decorator_list}
    return bool(marks & {"overload", "override", "setter"})


def test_only_the_roots_catch_everything():
    found = {name: sum(map(is_broad, ast.walk(checkout.tree(name)))) for name in checkout.modules()}
    too_many = {name: times for name, times in found.items() if times > BROAD_EXCEPTS.get(name, 0)}
    assert too_many == {}


def is_broad(node: ast.AST) -> bool:
    """Whether this catches every error and keeps it; one that tidies up and raises again does not."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    caught = set(re.findall(r"\w+", ast.unparse(node.type))) if node.type else {"Exception"}
    last = node.body[-1]
    passed_on = isinstance(last, ast.Raise) and last.exc is None
    return bool(caught & {"Exception", "BaseException"}) and not passed_on


@pytest.mark.parametrize(
    ("handler", "broad"),
    [
        pytest.param("except Exception: pass", True, id="everything"),
        pytest.param("except (ValueError, BaseException) as error: print(error)", True, id="among others"),
        pytest.param("except: pass", True, id="bare"),
        pytest.param("except BaseException:\n    close()\n    raise", False, id="tidies up and raises"),
        pytest.param("except OSError: pass", False, id="narrow"),
    ],
)
def test_a_broad_except_is_found(handler, broad):
    code = ast.parse(f"try:\n    pass\n{handler}")
    assert any(map(is_broad, ast.walk(code))) is broad


def test_booleans_are_passed_by_name():
    found = [
        f"{place} {argument.arg}"
        for name in checkout.modules()
        for place, node in checkout.functions(name)
        for argument in positional_booleans(node)
    ]
    assert found == []


def positional_booleans(function: checkout.Function) -> list[ast.arg]:
    """The parameters that make a call read `f(True)`; a lone one says what it is by the function's name."""
    arguments = [*function.args.posonlyargs, *function.args.args]
    booleans = [one for one in arguments if one.annotation and ast.unparse(one.annotation) == "bool"]
    return booleans if len(arguments) > 1 else []


@pytest.mark.parametrize(
    ("signature", "found"),
    [
        pytest.param("def write(rows: list, force: bool) -> None: ...", ["force"], id="by position"),
        pytest.param("def write(rows: list, *, force: bool) -> None: ...", [], id="by name"),
        pytest.param("def written(value: bool) -> str: ...", [], id="alone"),
    ],
)
def test_a_positional_boolean_is_found(signature, found):
    function = ast.parse(signature).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert [argument.arg for argument in positional_booleans(function)] == found


@pytest.mark.parametrize(
    ("pattern", "folders"),
    [
        pytest.param(UNFINISHED, ("reconciler", "migrations", "tests", "docs", ".ci"), id="unfinished work"),
        pytest.param(SWITCHED_OFF, ("tests",), id="tests that are switched off"),
    ],
)
def test_nothing_is_left_for_later(pattern, folders):
    chosen = [name for name in checkout.files() if name.startswith(tuple(f"{one}/" for one in folders))]
    found = [f"{name}: {hit[0]}" for name in chosen for hit in pattern.finditer(checkout.text_of(name))]
    assert chosen
    assert found == []
