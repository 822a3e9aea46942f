"""The example application as a process: against the local protocol server and, unchanged, against a genuine
llama.cpp server; what a file says counts from the next answer on, without a restart.
"""

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from support.commands import PATIENCE, clean_environment
from support.directories import Story
from support.gguf import write_tiny_model
from support.llama import llama_server
from support.providers import key
from support.working_providers import WRITTEN, WorkingProviders

import reconciler

APP = Path(reconciler.__file__).parents[1] / "docs/examples/rag_app.py"
CANARY = key()
QUESTION = "When is the reading room open?"
FILES = """
providers:
  library:
    kind: {kind}
    base_url: {base_url}
    credentials: {credentials}
    models:
      "{model}":
        parameters: {parameters}
        prompt_template: qa
templates:
  qa:
    system_prompt: {system}
    context_prefix: "Context:"
    query_prefix: "Question:"
    answer_prefix: "Answer:"
"""


def write(story, server, **fields):
    usual = {"system": "Be brief.", "parameters": "{max_new_tokens: 8, temperature: 0.0}"}
    story.write(library=FILES.format(**usual | server | fields))
    story.apply()


@pytest.fixture
def fake():
    with WorkingProviders() as server:
        yield server


@pytest.fixture
def library(fake):
    """What a file says of the local server."""
    credentials = "{api_key: env:LIBRARY_API_KEY}"
    return {"kind": "openai", "base_url": fake.openai, "credentials": credentials, "model": "gpt-4"}


@pytest.fixture
def story(tmp_path, database, fake):
    return Story(tmp_path, database).with_env(RECONCILER_ALLOWED_HOSTS=fake.host, LIBRARY_API_KEY=CANARY)


@contextmanager
def started(story, *words):
    """The application as a process."""
    env = clean_environment({"RECONCILER_DATABASE_URL": story.database, **story.env})
    with subprocess.Popen(
        [sys.executable, APP, *words],
        env=env,
        cwd=story.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def ask(running, question):
    """The application's next answer."""
    running.stdin.write(f"{question}\n".encode())
    running.stdin.flush()
    return running.stdout.readline()


def test_the_application_fits_on_a_page():
    assert len(APP.read_text().splitlines()) <= 60


def test_it_answers_a_question_from_the_passages_that_fit(story, fake, library):
    write(story, library)
    with started(story, "library", "gpt-4", *QUESTION.split()) as running:
        answer, told = running.communicate(timeout=PATIENCE)
    assert (answer.decode(), told.decode(), running.returncode) == (f"{WRITTEN}\n", "", 0)
    (asked,) = fake.sent("/openai/v1/chat/completions")
    assert asked["stream"] is True
    assert (asked["max_completion_tokens"], asked["temperature"]) == (8, 0.0)
    system, user = asked["messages"]
    assert system["content"] == "Be brief."
    assert user["content"].startswith("Context: The reading room is open from nine to six")
    assert user["content"].endswith(f"Question: {QUESTION}\n\nAnswer:")
    assert "Books are lent" not in user["content"]


def test_what_a_file_says_counts_from_the_next_answer_on(story, fake, library):
    write(story, library)
    with started(story, "library", "gpt-4") as running:
        assert ask(running, QUESTION).decode() == f"{WRITTEN}\n"
        write(story, library, system="Answer in French.", parameters="{max_new_tokens: 9}")
        assert ask(running, QUESTION).decode() == f"{WRITTEN}\n"
        _, told = running.communicate(timeout=PATIENCE)
    before, after = fake.sent("/openai/v1/chat/completions")
    assert (before["messages"][0]["content"], before["max_completion_tokens"]) == ("Be brief.", 8)
    assert (after["messages"][0]["content"], after["max_completion_tokens"]) == ("Answer in French.", 9)
    assert "temperature" not in after
    assert (told, running.returncode) == (b"", 0)


def test_what_was_asked_is_counted_when_it_ends(story, fake, library):
    write(story, library)
    with started(story, "library", "gpt-4") as running:
        running.communicate(f"{QUESTION}\n{QUESTION}\n".encode(), timeout=PATIENCE)
    with psycopg.connect(story.database) as connection:
        rows = connection.execute(
            "SELECT provider_name, model_id, outcome, sum(calls), sum(input_tokens), sum(output_tokens)"
            " FROM model_usage GROUP BY 1, 2, 3"
        ).fetchall()
    assert rows == [("library", "gpt-4", "ok", 2, 18, 24)]


@pytest.mark.parametrize(
    ("fields", "env", "code"),
    [
        ({}, {"LIBRARY_API_KEY": f"{CANARY}-bad"}, "invalid_api_key"),
        ({}, {"LIBRARY_API_KEY": ""}, "generation"),
        ({"model": "gpt-99"}, {}, "not-found"),
    ],
)
def test_a_question_that_cannot_be_answered_ends_nothing_and_tells_no_key(story, library, fields, env, code):
    write(story, {**library, **fields})
    with started(story.with_env(**env), "library", "gpt-4") as running:
        answer, told = running.communicate(f"{QUESTION}\n".encode(), timeout=PATIENCE)
    assert (answer, running.returncode) == (b"", 0)
    assert told.decode().startswith(f"[{code}] ")
    assert len(told.splitlines()) == 1
    assert CANARY.encode() not in told


def test_it_runs_unchanged_against_a_genuine_server(story, tmp_path):
    with llama_server(write_tiny_model(tmp_path / "tiny.gguf"), "tiny-llama") as llama:
        here = {"kind": "lmstudio", "base_url": llama.base_url, "credentials": "none", "model": "tiny-llama"}
        write(story, here)
        with started(story, "library", "tiny-llama") as running:
            first = ask(running, QUESTION)
            assert (llama.last_asked()["n_predict"], llama.last_asked()["temperature"]) == (8, 0.0)
            write(story, here, parameters="{max_new_tokens: 24, temperature: 0.0}")
            second = ask(running, QUESTION)
            assert llama.last_asked()["n_predict"] == 24
            _, told = running.communicate(timeout=PATIENCE)
    assert len(second) > len(first) > 1
    assert (told, running.returncode) == (b"", 0)
