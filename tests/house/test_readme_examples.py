"""The pages tell the truth: their files load, their commands run, and print what the page says."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from support import checkout, readme
from support.commands import clean_environment
from support.private_home import private_home

from reconciler.kinds import built_in, names
from reconciler.settings import PREFIX, Settings
from reconciler.source.load import load

FILES = [
    pytest.param(block, id=f"{page}:{block.line}")
    for page in readme.pages()
    for block in readme.blocks(page, "yaml")
]
SCRIPTS = [
    pytest.param(block, id=f"{page}:{block.line}")
    for page in readme.pages()
    for block in readme.blocks(page, "sh")
]
EXAMPLES = readme.examples("README.md")

# As much of it as the README uses: a machine without PostgreSQL has none.
PSQL = """
import sys, psycopg
_, place, _, statement = sys.argv
with psycopg.connect(place, application_name="psql") as connection:
    print(connection.execute(statement).statusmessage)
"""


@pytest.mark.parametrize("block", FILES)
def test_a_file_in_a_page_loads(block, tmp_path):
    if block.remark == "workflow":
        assert "jobs" in yaml.safe_load(block.text)
        return
    (tmp_path / "page.yaml").write_text(block.text, encoding="utf-8")
    assert [problem for problem in load(tmp_path).problems if problem.severity == "error"] == []


@pytest.mark.parametrize("block", SCRIPTS)
def test_a_script_in_a_page_can_be_read_by_a_shell(block):
    subprocess.run(["sh", "-n"], input=block.text, text=True, check=True)


def test_the_shipped_files_load_with_one_warning():
    state = load(checkout.ROOT / "providers.d")
    assert [(problem.code, problem.place.file) for problem in state.problems] == [
        ("unsupported-parameter", "openai.yaml")
    ]
    assert state.counts == {"provider": 3, "parameters": 3, "template": 2, "model": 3}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What every command of the README printed, run one after the other as one person would."""
    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(checkout.ROOT / "providers.d", folder / "providers.d")
    (folder / "bin").mkdir()
    write_program(folder / "bin" / "reconciler", f'#!/bin/sh\nexec "{sys.executable}" -m reconciler "$@"\n')
    write_program(folder / "bin" / "psql", f"#!{sys.executable}\n{PSQL}")
    with private_home() as home:
        environment = clean_environment(
            {
                "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
                "RECONCILER_HOME": str(home),
                "RECONCILER_DATABASE_URL": "embedded",
            }
        )
        yield [typed(example.command, folder, environment) for example in EXAMPLES]


def write_program(path, text):
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def typed(command, folder, environment):
    """Run a command as it is typed, and keep what the terminal would show."""
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=[example.command for example in EXAMPLES])
def test_a_command_of_the_readme_does_what_it_says(number, told):
    example, ran = EXAMPLES[number], told[number]
    assert ran.returncode == example.status, ran.stdout
    assert example.is_told_truly(ran.stdout), (
        f"{example.place} promises\n{example.output}\nbut it is\n{ran.stdout}"
    )


def test_the_readme_shows_the_verbs_at_work():
    shown = {example.command.split()[1] for example in EXAMPLES if example.command.startswith("reconciler ")}
    assert {"validate", "plan", "apply", "drift", "list", "show", "history", "export", "verify"} <= shown


def test_the_readme_names_every_kind_and_no_other():
    listed = re.search(r"^Kinds: (.*?)\.", checkout.text_of("README.md"), re.MULTILINE | re.DOTALL)
    assert listed
    shipped = {path.stem for path in (checkout.ROOT / "reconciler" / "kinds").glob("*.yaml")}
    assert named(listed[1]) == shipped


def test_the_readme_says_that_every_kind_has_rules():
    page = " ".join(checkout.text_of("README.md").split())
    kinds = {
        path.stem: path.read_text("utf-8") for path in (checkout.ROOT / "reconciler" / "kinds").glob("*.yaml")
    }
    ruled = re.search(r"Parameters are checked for (.*?);", page)
    assert ruled
    assert ruled[1] == "every one of them"
    assert all("\nparameters:" in text for text in kinds.values())


@pytest.mark.parametrize(
    ("level", "words"),
    [
        ("model", r"nothing short of generating proves a model \((.*?)\)"),
        ("credential", r"asks for less \(but not of (.*?), which"),
    ],
)
def test_the_readme_names_the_kinds_that_a_level_proves_nothing_of(level, words):
    said = re.search(words, " ".join(checkout.text_of("README.md").split()))
    assert said
    assert named(said[1]) == {name for name in names() if level not in built_in(name).probes}


def named(text):
    """The words that a page marks as code."""
    return set(re.findall(r"`([^`]+)`", text))


def test_the_readme_names_every_setting():
    settings = [field.name for field in dataclasses.fields(Settings)]
    page = checkout.text_of("README.md")
    spoken_of = [name for name in settings if f"| `{PREFIX}{name.upper()}` |" in page]
    # CI is the one variable that is not ours.
    assert [name for name in settings if name not in spoken_of] == ["ci"]


@pytest.mark.parametrize(
    ("promised", "printed", "true"),
    [
        pytest.param("3 models\n", "3 models\n", True, id="the same"),
        pytest.param("a  b\n", "a      b\n", True, id="other columns"),
        pytest.param("run 1\n...\nin ... s\n", "run 1\nx\ny\nin 0.4 s\n", True, id="anything between"),
        pytest.param("3 models\n", "4 models\n", False, id="another number"),
        pytest.param("", "3 models\n", False, id="silence is promised"),
    ],
)
def test_a_promise_is_compared_with_what_was_printed(promised, printed, true):
    assert readme.Example("x", 0, promised, "page").is_told_truly(printed) is true
