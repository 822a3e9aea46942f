"""A mistake on the command line costs one line that says what to do, and never an exit status that a script
takes for an answer.
"""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from support.commands import clean_environment, command_line, run_command


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(["plna"], "Did you mean 'plan'?", id="a verb"),
        pytest.param(["plan", "--acept", "x"], "--accept", id="an option"),
        pytest.param(["plan", "--output", "yaml"], "--output", id="a choice"),
        pytest.param(["plan", "a", "b"], "b", id="one word too many"),
        pytest.param(["show"], "ADDRESS", id="one word too few"),
        pytest.param(["show", "gpt-4o"], "has no kind", id="an address without a kind"),
        pytest.param(["apply", "--lock-timeout", "soon"], "--lock-timeout", id="a number"),
        pytest.param(["history", "--limit", "0"], "--limit", id="a range"),
        pytest.param(["verify", "--all", "--failed"], "one of", id="a contradiction"),
        pytest.param(["apply", "--no-verify", "--require-verified"], "contradict", id="another"),
        pytest.param(["db", "upgrad"], "upgrade", id="a verb below db"),
    ],
)
def test_a_mistake_is_an_error_in_one_line_with_a_hint(words, told, tmp_path):
    answer = run_command(*words, cwd=tmp_path)
    assert answer.status == 1
    assert answer.stdout == ""
    assert answer.stderr.startswith("error[")
    assert told in answer.stderr
    assert "Traceback" not in answer.stderr
    document = run_command(*words, cwd=tmp_path, env={"RECONCILER_OUTPUT": "json"})
    assert document.status == 1
    if "yaml" not in words:
        assert list(document.document) == ["format", "error"]
        assert list(document.document["error"]) == ["code", "message", "hint"]
        assert document.stderr == ""


def test_a_wrong_value_in_the_environment_names_the_variable():
    answer = run_command("history", env={"RECONCILER_LIMIT": "many"})
    assert answer.status == 1
    assert "RECONCILER_LIMIT" in answer.stderr


def test_apply_without_a_terminal_needs_yes(tmp_path):
    answer = run_command("apply", "--output", "json", cwd=tmp_path)
    assert answer.status == 1
    assert answer.document["error"]["code"] == "confirmation"
    assert "--yes" in answer.document["error"]["hint"]


def test_a_reader_that_leaves_early_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(
        command_line("--version"),
        env=clean_environment(),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-"])
def test_closed_streams_are_no_error(closed):
    shell = f'exec "$@" {closed}'
    ran = subprocess.run(
        ["sh", "-c", shell, "sh", *command_line("--version")],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_full_disk_is_an_error_that_is_told():
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            command_line("--version"),
            env=clean_environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ran.returncode == 1
    assert ran.stderr == "error[output]: The answer could not be written: No space left on device.\n"


WAITING = """
import os, signal, sys, threading
from reconciler.cli import files, main
def wait(directory="", output="text"):
    os.kill(os.getpid(), signal.{name})
    threading.Event().wait(20)
def fail(directory="", output="text"):
    raise KeyError("s3cret")
main.VERBS = (main.Verb("wait", wait, ()), main.Verb("fail", fail, ()))
sys.exit(main.main(sys.argv[1:]))
"""


def run_script(script, *words, **env):
    line = [command_line()[0], "-c", script, *words]
    return subprocess.run(line, env=clean_environment(env), capture_output=True, text=True, check=False)


def test_ctrl_c_ends_with_one_line():
    ran = run_script(WAITING.format(name=signal.SIGINT.name), "wait")
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "error[interrupted]: Interrupted.\n")


def test_an_unexpected_failure_is_one_line_without_what_it_held():
    ran = run_script(WAITING.format(name=signal.SIGINT.name), "fail")
    assert ran.returncode == 1
    assert ran.stderr.startswith("error[internal]: internal error: KeyError at ")
    assert len(ran.stderr.splitlines()) == 2
    assert "s3cret" not in ran.stderr
    assert "RECONCILER_DEBUG" in ran.stderr


def test_a_developer_can_ask_for_the_traceback():
    ran = run_script(WAITING.format(name=signal.SIGINT.name), "fail", RECONCILER_DEBUG="1")
    assert "Traceback" in ran.stderr
