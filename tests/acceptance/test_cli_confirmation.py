"""On a terminal `apply` shows the plan and asks; what is not agreed to is not done."""

import pytest
from support.commands import run_command, run_on_terminal
from support.private_home import private_home

NOTHING = "error[declined]: Nothing was applied: the plan was declined.\n"


@pytest.fixture(scope="module")
def home():
    with private_home() as home:
        yield home


@pytest.fixture
def folder(tmp_path):
    """A folder in which `init` was run."""
    assert run_command("init", cwd=tmp_path).status == 0
    return tmp_path


@pytest.fixture
def env(home):
    return {"RECONCILER_HOME": str(home), "RECONCILER_DATABASE_URL": "embedded", "NO_COLOR": "1"}


def models(env):
    return run_command("list", "--output", "json", env=env).document["models"]


def test_what_is_agreed_to_is_done_and_nothing_else(folder, env):
    for refusal in ("n\n", "\n", "maybe\n", "\x04"):
        answer = run_on_terminal("apply", "--no-verify", typed=refusal, env=env, cwd=folder)
        assert answer.status == 1
        assert (
            answer.stdout.startswith("Plan for source default: 6 to create") or "\nPlan for" in answer.stdout
        )
        assert answer.stdout.endswith(NOTHING)
        assert models(env) == []
    answer = run_on_terminal("apply", "--no-verify", typed="\x03", env=env, cwd=folder)
    assert answer.stdout.endswith("error[interrupted]: Interrupted.\n")
    assert models(env) == []
    answer = run_on_terminal("apply", "--no-verify", typed="y\n", env=env, cwd=folder)
    assert answer.status == 0
    assert "Apply this plan? [y/N] y\n" in answer.stdout
    assert "Applied as run 1: 6 created." in answer.stdout
    assert len(models(env)) == 2
    answer = run_on_terminal("apply", env=env, cwd=folder)
    assert answer.status == 0
    assert answer.stdout.startswith("No changes. 6 entities match. (load ")
    assert len(answer.stdout.splitlines()) == 1
    answer = run_on_terminal("plan", env=env, cwd=folder)
    assert answer.stdout == "No changes. 6 entities match.\n"


def test_a_screen_has_colour_unless_it_is_not_wanted(folder, env):
    shared = folder / "providers.d" / "shared.yaml"
    shared.write_text(shared.read_text().replace("0.7", "0.8"))
    assert "\x1b" not in run_on_terminal("plan", env=env, cwd=folder).stdout
    assert "\x1b[3" in run_on_terminal("plan", env=env | {"NO_COLOR": ""}, cwd=folder).stdout
    assert (
        "\x1b" not in run_on_terminal("plan", env=env | {"TERM": "dumb", "NO_COLOR": ""}, cwd=folder).stdout
    )
    assert "\x1b" not in run_command("plan", env=env | {"NO_COLOR": ""}, cwd=folder).stdout
