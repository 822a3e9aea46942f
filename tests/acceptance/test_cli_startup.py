"""Start-up is nearly all of a quick command, so what it imports is pinned."""

import subprocess
import sys

import pytest
from support.commands import clean_environment, run_command

HEAVY = {"sqlalchemy", "alembic", "deepdiff", "httpx2", "pydantic", "psycopg", "yaml", "rich"}

LISTING = """
import sys
from reconciler.cli.main import main
status = main({words!r})
print(*sorted({{name.partition('.')[0] for name in sys.modules}}), file=sys.stderr)
sys.exit(status)
"""


@pytest.mark.parametrize(
    "words", [["--help"], ["apply", "--help"], ["db", "--help"], ["--version"], ["plna"]], ids=" ".join
)
def test_help_and_mistakes_import_nothing_heavy(words):
    ran = subprocess.run(
        [sys.executable, "-c", LISTING.format(words=words)],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    imported = set(ran.stderr.splitlines()[-1].split())
    assert "typer" in imported
    assert imported & HEAVY == set()


def test_the_version_is_told():
    answer = run_command("--version")
    assert answer.status == 0
    assert answer.stdout.startswith("reconciler")
    assert answer.stderr == ""


def test_no_verb_shows_the_verbs():
    assert run_command().stdout == run_command("--help").stdout
    assert run_command("db").stdout == run_command("db", "--help").stdout
    assert run_command().status == 0
