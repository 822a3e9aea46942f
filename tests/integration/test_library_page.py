"""What the pages tell people who embed the registry is true: their Python runs as it stands, from top to
bottom, and prints what the page says; their files are applied where they stand.
"""

import contextlib
import doctest
import io
import os
import re
from typing import NamedTuple

import pytest
from support import checkout, readme
from support.commands import run_command
from support.hosted import hosted

import reconciler
from reconciler import open_service

BLOCK = re.compile(r"^```(?P<language>\w+)(?P<remark>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LENIENT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PAGE = "docs/library.md"


class Step(NamedTuple):
    """A block of a page, what it is said to print, and where it stands."""

    language: str
    text: str
    printed: str | None
    place: str


def steps(page):
    """The blocks of Python and YAML, each with the block of text that follows it."""
    text = checkout.text_of(page)
    found = []
    for block in BLOCK.finditer(text):
        place = f"{page}:{text.count(chr(10), 0, block.start()) + 1}"
        if block["remark"].strip():
            continue
        if block["language"] in {"python", "yaml"}:
            found.append(Step(block["language"], block["text"], None, place))
        elif block["language"] == "text" and found:
            found[-1] = found[-1]._replace(printed=block["text"])
    return found


@pytest.fixture
def environment(tmp_path, database, monkeypatch):
    """What the operator of the page's application sets."""
    for name in [name for name in os.environ if name.startswith("RECONCILER_")]:
        monkeypatch.delenv(name)
    with hosted(tmp_path / "authority") as fake:
        chosen = {**fake.environment, "RECONCILER_DATABASE_URL": database}
        for name, value in chosen.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        yield chosen


def do(step, namespace, environment, folder):
    """Do what a block says, and compare what it printed."""
    if step.language == "yaml":
        (folder / "providers.d").mkdir(exist_ok=True)
        (folder / "providers.d" / "rag.yaml").write_text(step.text, encoding="utf-8")
        ran = run_command("apply", "providers.d", "--yes", env=environment, cwd=folder)
        assert ran.status == 0, ran.stderr
        return
    with contextlib.redirect_stdout(io.StringIO()) as told:
        exec(compile(step.text, step.place, "exec"), namespace)
    promised = step.printed or ""
    assert doctest.OutputChecker().check_output(promised, told.getvalue(), LENIENT), (
        f"{step.place} promises\n{promised}\nbut it is\n{told.getvalue()}"
    )


def test_the_page_runs_from_top_to_bottom(environment, database, tmp_path):
    found = steps(PAGE)
    assert len(found) > 15
    with open_service(actor="the page") as service:
        namespace = {"service": service, "__name__": "page"}
        for step in found:
            do(step, namespace, environment, tmp_path)


def test_the_readmes_application_runs(environment, database, tmp_path):
    found = [step for step in steps("README.md") if step.language == "python"]
    assert found
    for step in found:
        do(step, {"__name__": "page"}, environment, tmp_path)


def test_the_readme_leads_to_the_page():
    assert f"]({PAGE})" in checkout.text_of("README.md")


def test_the_page_draws_every_error():
    (tree,) = [block for block in readme.blocks(PAGE, "text") if block.remark == "tree"]
    errors = {name for name in reconciler.__all__ if name.endswith("Error")}
    assert set(re.findall(r"\w+Error\b", tree.text)) == errors
