"""The README's two commands, typed by a newcomer in a fresh clone with nothing but Python."""

import json
import os
import shutil
import subprocess

import pytest
from support import checkout, readme
from support.private_home import private_home

# What pip and the network need on this machine; nothing else of the environment reaches a newcomer's shell.
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "USER", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
# Environments are made and packages are fetched, on a machine that may be busy.
PATIENCE = 600

pytestmark = pytest.mark.timeout(2 * PATIENCE)

MAIN_JOB, ALL_TESTS = readme.install_commands()


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A fresh clone; a copy of what a commit would hold where there are changes, or no repository."""
    folder = tmp_path_factory.mktemp("newcomer") / "clone"
    if is_clean() and git("clone", "-q", checkout.ROOT, folder).returncode == 0:
        return folder
    for name in checkout.files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(checkout.ROOT / name, folder / name)
    return folder


def is_clean():
    asked = git("status", "--porcelain")
    return asked.returncode == 0 and not asked.stdout.strip()


def git(*words):
    return subprocess.run(["git", *words], cwd=checkout.ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def shell(clone):
    """Types a line in the clone."""
    with private_home() as home:
        environment = {
            name: value
            for name, value in os.environ.items()
            if name in KEPT or name.startswith("PIP_") or name.lower().endswith("_proxy")
        }
        # In CI a forgotten database is an error; the command names the embedded one, so it works there too.
        environment |= {"CI": "true", "RECONCILER_HOME": str(home)}

        def typed(line):
            return subprocess.run(
                ["sh", "-c", line],
                cwd=clone,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE,
            )

        yield typed


@pytest.fixture(scope="module")
def main_job(shell):
    return shell(MAIN_JOB)


@pytest.fixture
def installed(shell, main_job):
    """The shell, once the first command has made the environment."""
    assert main_job.returncode == 0, main_job.stdout + main_job.stderr
    return shell


def test_the_first_command_applies_the_example(main_job):
    assert main_job.returncode == 0, main_job.stdout + main_job.stderr
    assert "granite-13b" in main_job.stdout
    assert "created" in main_job.stdout


def test_afterwards_there_is_nothing_to_do(installed):
    planned = installed(
        "RECONCILER_DATABASE_URL=embedded .venv/bin/reconciler plan providers.d --output json"
    )
    assert planned.returncode == 0, planned.stderr
    summary = json.loads(planned.stdout)["summary"]
    assert summary.pop("unchanged") > 0
    assert set(summary.values()) == {0}


def test_the_installed_package_carries_what_it_needs(installed):
    listed = installed(
        ".venv/bin/python -I -c \"import importlib.resources as r; root = r.files('reconciler');"
        "print(*sorted(str(p.relative_to(root)) for p in root.rglob('*') if p.is_file()), sep='\\n')\""
    )
    assert listed.returncode == 0, listed.stderr
    carried = {name for name in listed.stdout.splitlines() if "__pycache__" not in name}
    expected = {
        name.removeprefix("reconciler/")
        for name in checkout.files()
        if name.startswith(("reconciler/", "migrations/"))
    }
    assert carried == expected
    assert "py.typed" in carried
    assert [name for name in carried if name.startswith("migrations/versions/")]
    assert [name for name in carried if name.startswith("kinds/") and name.endswith(".yaml")]


def test_the_second_command_finds_the_tests(installed):
    # The tests run right now, so they are only counted there.
    collected = installed(f"{ALL_TESTS} --collect-only -q")
    assert collected.returncode == 0, collected.stdout + collected.stderr
    assert "test_readme_commands.py" in collected.stdout


def test_ci_runs_the_line_that_the_readme_shows():
    script = checkout.text_of(".ci/run")
    assert "grep -E '^python3 -m venv .* -m pytest' README.md" in script
    assert ALL_TESTS.count(" -m pytest") == 1
    assert " -m pytest" not in MAIN_JOB
