"""Start-up is nearly all of a quick command, so what it imports is pinned."""

import subprocess
import sys

import psycopg
import pytest
from support.commands import clean_environment, run_command
from support.directories import Story

HEAVY = {"sqlalchemy", "alembic", "deepdiff", "httpx2", "pydantic", "psycopg", "yaml", "rich"}

LISTING = """
import sys
from reconciler.cli.main import main
status = main({words!r})
print(*sorted({{name.partition('.')[0] for name in sys.modules}}), file=sys.stderr)
sys.exit(status)
"""


@pytest.fixture
def story(tmp_path, database):
    return Story(tmp_path, database)


def imported(words, **more):
    """The packages that a command line loads."""
    ran = subprocess.run(
        [sys.executable, "-c", LISTING.format(words=words)],
        capture_output=True,
        text=True,
        check=False,
        **more,
    )
    return set(ran.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "words", [["--help"], ["apply", "--help"], ["db", "--help"], ["--version"], ["plna"]], ids=" ".join
)
def test_help_and_mistakes_import_nothing_heavy(words):
    found = imported(words, env=clean_environment())
    assert "typer" in found
    assert found & HEAVY == set()


FILE = "providers: {{openai: {{kind: openai, models: {{m: {{version: {version}}}}}}}}}\n"
COMPARING = {"psycopg", "pydantic", "yaml"}
BY_HAND = "UPDATE provider_model_configs SET version = 'other'"


@pytest.mark.parametrize(
    ("words", "version", "needed"),
    [
        (["plan"], "one", {"psycopg"}),
        (["plan", "--output", "json"], "one", {"psycopg"}),
        (["apply", "--yes"], "one", {"psycopg"}),
        (["drift"], "one", {"psycopg"}),
        (["list"], "one", {"psycopg"}),
        (["show", "model:openai/m"], "one", {"psycopg"}),
        (["history"], "one", {"psycopg"}),
        (["db", "current"], "one", {"psycopg"}),
        (["plan"], "two", COMPARING),
        (["apply", "--yes", "--no-verify"], "two", COMPARING),
        (["validate"], "one", {"pydantic", "yaml"}),
        (["schema"], "one", {"pydantic"}),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else str(one) if isinstance(one, str) else "",
)
def test_a_verb_imports_what_it_needs(story, words, version, needed):
    story.write(openai=FILE.format(version="one"))
    story.apply()
    story.write(openai=FILE.format(version=version))
    env = clean_environment({"RECONCILER_DATABASE_URL": story.database})
    assert imported(words, env=env, cwd=story.folder) & HEAVY == needed


def test_rows_changed_by_hand_are_compared_without_reading_any_file(story):
    story.write(openai=FILE.format(version="one"))
    story.apply()
    with psycopg.connect(story.database) as connection:
        connection.execute(BY_HAND)
    env = clean_environment({"RECONCILER_DATABASE_URL": story.database})
    assert imported(["plan"], env=env, cwd=story.folder) & HEAVY == {"psycopg"}


def test_the_version_is_told():
    answer = run_command("--version")
    assert answer.status == 0
    assert answer.stdout.startswith("reconciler")
    assert answer.stderr == ""


def test_no_verb_shows_the_verbs():
    assert run_command().stdout == run_command("--help").stdout
    assert run_command("db").stdout == run_command("db", "--help").stdout
    assert run_command().status == 0
