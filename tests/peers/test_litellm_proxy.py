"""Verification through a LiteLLM proxy that nobody here wrote, with a llama.cpp server behind it. The proxy's
packages want versions of their own, so this stands apart from the tests that always run.
"""

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

import pytest
from support.commands import clean_environment
from support.directories import FORMS, Story, provider
from support.gguf import write_tiny_model
from support.llama import llama_server
from support.polling import eventually
from support.ports import free_port

CANARY = "sk-canary-litellm-7c1e40aa"
MODELS = ("chat", "embed", "dead")
# The proxy imports much before it listens.
PATIENCE = 120.0


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    """The address of a proxy before a server that lives and one that does not."""
    folder = tmp_path_factory.mktemp("litellm")
    model = write_tiny_model(folder / "tiny.gguf")
    with llama_server(model, "tiny-llama", embeddings=True) as llama:
        (folder / "config.yaml").write_text(json.dumps(configured(llama.base_url)))
        with started(folder / "config.yaml") as address:
            yield address


def configured(upstream):
    addresses = dict.fromkeys(MODELS, upstream) | {"dead": f"http://127.0.0.1:{free_port()}/v1"}
    return {
        "model_list": [
            {
                "model_name": name,
                "litellm_params": {"model": "openai/tiny-llama", "api_base": address, "api_key": "none"},
            }
            for name, address in addresses.items()
        ],
        "general_settings": {"master_key": CANARY},
        "litellm_settings": {"num_retries": 0, "telemetry": False},
    }


@contextmanager
def started(config):
    port = free_port()
    command = Path(sys.executable).with_name("litellm")
    words = [command, "--config", config, "--host", "127.0.0.1", "--port", str(port)]
    env = clean_environment({"LITELLM_LOCAL_MODEL_COST_MAP": "True"})
    log = config.with_name("log")
    with (
        log.open("w") as lines,
        subprocess.Popen(words, env=env, cwd=config.parent, stdout=lines, stderr=lines) as running,
    ):
        try:
            assert eventually(lambda: is_alive(port), within=PATIENCE), log.read_text()[-2000:]
            yield f"127.0.0.1:{port}"
        finally:
            running.terminate()
            running.wait(PATIENCE)


def is_alive(port):
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/health/liveliness", timeout=PATIENCE) as answer:
            return answer.status == 200
    except (HTTPError, URLError):
        return False


@pytest.fixture
def story(tmp_path, database, proxy):
    story = Story(tmp_path, database)
    keys = {"GOOD_API_KEY": CANARY, "BAD_API_KEY": f"{CANARY}-not"}
    return story.with_env(RECONCILER_ALLOWED_HOSTS=proxy, **keys)


def at(proxy, name, models):
    """A provider at the proxy with the key in `NAME_API_KEY`; `models` are fields by id."""
    key = f"{{api_key: env:{name.upper()}_API_KEY}}"
    text = provider(name, kind="litellm", base_url=f"http://{proxy}/v1", credentials=key)
    return f"{text}    models: {json.dumps(models)}\n"


def verified(story, level, *, status=0):
    answer = story.ask("verify", "--all", "--fresh", "--probe", level, status=status)
    return {one["address"].removeprefix("model:"): one for one in answer["verification"]}


def outcomes(results):
    return {address: one["outcome"] for address, one in results.items()}


def test_each_level_tells_what_it_proves(story, proxy):
    models = {"chat": {}, "dead": {}, "nobody": {}, "embed": {"mode": "embedding"}}
    story.write(good=at(proxy, "good", models))
    story.apply()
    every = {f"good/{model}": "ok" for model in models}
    assert outcomes(verified(story, "reach")) == every
    assert outcomes(verified(story, "credential")) == every
    # The proxy lists what it is configured for, alive or not.
    assert outcomes(verified(story, "model", status=5)) == every | {"good/nobody": "model_not_found"}
    found = verified(story, "generate", status=5)
    assert outcomes(found) == every | {"good/dead": "overloaded", "good/nobody": "model_not_found"}
    assert {address: one["http_status"] for address, one in found.items()} == {
        "good/chat": 200,
        "good/embed": 200,
        "good/dead": 500,
        "good/nobody": 400,
    }


@pytest.mark.parametrize("level", ["credential", "model", "generate"])
def test_a_key_is_proven_and_shown_nowhere(level, story, proxy):
    for name in ("good", "bad", "missing"):
        story.write(**{name: at(proxy, name, {"chat": {}})})
    story.apply()
    found = verified(story, level, status=5)
    assert outcomes(found) == {
        "good/chat": "ok",
        "bad/chat": "auth_failed",
        "missing/chat": "secret_missing",
    }
    answers = [story.run("verify", "--all", "--fresh", "--probe", level, "--output", form) for form in FORMS]
    told = "".join(f"{answer.stdout}{answer.stderr}" for answer in answers) + json.dumps(found)
    assert CANARY not in told
    assert not [table for table, row in story.everything() if CANARY in row]


def test_what_the_server_behind_it_refuses_is_named(story, proxy):
    refused = {"chat": {"parameters": {"extra": {"repeat_last_n": -7}}}}
    accepted = {"chat": {"parameters": {"max_new_tokens": 4, "temperature": 0.5, "top_k": 7, "seed": 1}}}
    story.write(good=at(proxy, "good", accepted), odd=at(proxy, "odd", refused))
    story = story.with_env(ODD_API_KEY=CANARY)
    story.apply()
    found = verified(story, "generate")
    assert outcomes(found) == {"good/chat": "ok", "odd/chat": "probe_invalid"}
    assert found["odd/chat"]["refused_parameters"] == ["extra.repeat_last_n"]
