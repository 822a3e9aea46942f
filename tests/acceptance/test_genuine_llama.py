"""Verification of a server that nobody here wrote: llama.cpp with a tiny model, as a process
of its own, probed by the installed command, and asked as applications ask.
"""

import asyncio
import json
from contextlib import aclosing
from dataclasses import replace

import pytest
from support.directories import FORMS, Story, provider
from support.gguf import write_tiny_model
from support.llama import llama_server, loading_server
from support.probing import target

from reconciler.core.probe import Access
from reconciler.core.prompt import Inputs, Prompt, prompt_of
from reconciler.kinds import built_in
from reconciler.protocols.client import open_client
from reconciler.protocols.generation import Piece, Reply

NAME = "tiny-llama"
CANARY = "sk-canary-llama-5f3b9d71"
FREE = {"credentials": "none"}
# The levels from the cheapest, with what becomes of a model that the server does not have.
ABSENT = {"reach": "ok", "credential": "ok", "model": "model_not_found", "generate": "model_mismatch"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.fixture(scope="module")
def llama(model):
    with llama_server(model, NAME) as server:
        yield server


@pytest.fixture
def story(tmp_path, database):
    return Story(tmp_path, database)


def at(server, name, *models, **fields):
    """A provider at the server that needs no key; its models are ids, or pairs of an id and fields."""
    spelt = {one: {} for one in models if isinstance(one, str)} | dict(
        one for one in models if not isinstance(one, str)
    )
    text = provider(name, base_url=server.base_url, **{**FREE, **fields})
    return f"{text}    models: {json.dumps(spelt)}\n"


def verified(story, level, *, status=0):
    """What verifying all models anew at a level says, by address."""
    answer = story.ask("verify", "--all", "--fresh", "--probe", level, status=status)
    assert {one["probe"] for one in answer["verification"]} == {level}
    return {one["address"].removeprefix("model:"): one for one in answer["verification"]}


def outcomes(results):
    return {address: one["outcome"] for address, one in results.items()}


@pytest.mark.parametrize("kind", ["openai-compatible", "lmstudio"])
def test_each_level_tells_what_it_proves(kind, story, llama):
    story.write(here=at(llama, "here", NAME, "another-model", kind=kind))
    applied = story.ask("apply", "--yes", "--require-verified", status=5)
    assert {one["address"]: one["outcome"] for one in applied["verification"]} == {
        f"model:here/{NAME}": "ok",
        "model:here/another-model": "model_not_found",
    }
    for level, outcome in ABSENT.items():
        found = verified(story, level, status=0 if outcome == "ok" else 5)
        assert outcomes(found) == {f"here/{NAME}": "ok", "here/another-model": outcome}, level
        assert {one["http_status"] for one in found.values()} == {200}
    assert {one["answered_by"] for one in found.values()} == {NAME}
    assert NAME in found["here/another-model"]["detail"]


def test_a_file_is_the_name_where_the_server_was_given_none(story, model):
    with llama_server(model) as server:
        story.write(here=at(server, "here", str(model), NAME))
        story.apply()
        for level in ("model", "generate"):
            expected = {f"here/{model}": "ok", f"here/{NAME}": ABSENT[level]}
            assert outcomes(verified(story, level, status=5)) == expected


@pytest.mark.parametrize("level", ["model", "generate"])
def test_a_key_is_proven_and_goes_nowhere_else(level, story, model):
    with llama_server(model, NAME, api_key=CANARY) as server:
        for name in ("good", "bad", "missing"):
            reference = f"{{api_key: env:{name.upper()}_API_KEY}}"
            story.write(**{name: at(server, name, NAME, credentials=reference)})
        keys = {"GOOD_API_KEY": CANARY, "BAD_API_KEY": f"{CANARY}-not"}
        story = story.with_env(RECONCILER_ALLOWED_HOSTS=server.host, **keys)
        story.apply()
        found = verified(story, level, status=5)
        answers = [
            story.run("verify", "--all", "--fresh", "--probe", level, "--output", form) for form in FORMS
        ]
    assert outcomes(found) == {
        f"good/{NAME}": "ok",
        f"bad/{NAME}": "auth_failed",
        f"missing/{NAME}": "secret_missing",
    }
    assert found[f"bad/{NAME}"]["http_status"] == 401
    assert "MISSING_API_KEY" in found[f"missing/{NAME}"]["detail"]
    told = "".join(f"{answer.stdout}{answer.stderr}" for answer in answers) + json.dumps(found)
    assert CANARY not in told
    assert not [table for table, row in story.everything() if CANARY in row]


def test_a_server_that_nobody_allowed_gets_no_key(story, model):
    with llama_server(model, NAME, api_key=CANARY) as server:
        story = story.with_env(HERE_API_KEY=CANARY)
        story.write(here=at(server, "here", NAME, credentials="{api_key: env:HERE_API_KEY}"))
        story.apply()
        assert outcomes(verified(story, "generate")) == {f"here/{NAME}": "refused_host"}
        assert server.last_asked({"Authorization": f"Bearer {CANARY}"}) == {}


def test_the_probe_sends_what_is_configured(story, llama):
    parameters = {
        "max_new_tokens": 7,
        "temperature": 0.25,
        "top_p": 0.5,
        "top_k": 7,
        "repetition_penalty": 1.25,
        "frequency_penalty": 0.5,
        "presence_penalty": -0.5,
        "seed": 42,
        "stop_sequences": ["END"],
        "extra": {"min_p": 0.125},
    }
    story.write(here=at(llama, "here", (NAME, {"parameters": parameters}), kind="lmstudio"))
    story.apply()
    assert outcomes(verified(story, "generate")) == {f"here/{NAME}": "ok"}
    taken = llama.last_asked()
    assert taken["n_predict"] == 7
    same = {"temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "seed"}
    assert {name: taken[name] for name in same} == {name: parameters[name] for name in same}
    assert (taken["repeat_penalty"], taken["min_p"]) == (1.25, 0.125)


def test_a_probe_without_a_limit_of_its_own_asks_for_few_tokens(story, llama):
    story.write(here=at(llama, "here", NAME))
    story.apply()
    assert outcomes(verified(story, "generate")) == {f"here/{NAME}": "ok"}
    assert llama.last_asked()["n_predict"] == 16


def test_what_the_server_refuses_is_named(story, llama):
    cases = {
        "format": ({"response_format": {"type": "nonsense"}}, ["response_format"]),
        "extra": ({"extra": {"repeat_last_n": -7}}, ["extra.repeat_last_n"]),
        "choices": ({"extra": {"n": 99}}, ["extra.n"]),
        "alternatives": ({"logprobs": 3, "extra": {"logprobs": False}}, ["logprobs", "extra.logprobs"]),
    }
    for name, (parameters, _) in cases.items():
        story.write(**{name: at(llama, name, (NAME, {"parameters": parameters}))})
    story.apply()
    found = verified(story, "generate")
    assert {address: (one["outcome"], one["http_status"]) for address, one in found.items()} == {
        f"{name}/{NAME}": ("probe_invalid", 400) for name in cases
    }
    named = {address.partition("/")[0]: one["refused_parameters"] for address, one in found.items()}
    assert named == {name: refused for name, (_, refused) in cases.items()}


def test_a_mode_is_probed_where_it_is_served(story, llama, model):
    embedding, chat, completion = (
        (f"{NAME}", {"mode": mode}) for mode in ("embedding", "chat", "completion")
    )
    with llama_server(model, NAME, embeddings=True) as server:
        story.write(
            vectors=at(server, "vectors", embedding),
            ranks=at(server, "ranks", (NAME, {"mode": "rerank"})),
            none=at(llama, "none", embedding),
            talk=at(llama, "talk", chat),
            text=at(llama, "text", completion),
        )
        story.apply()
        found = verified(story, "generate")
    assert {
        address.partition("/")[0]: (one["outcome"], one["http_status"]) for address, one in found.items()
    } == {
        "vectors": ("ok", 200),
        "ranks": ("unprobeable", 501),
        "none": ("unprobeable", 501),
        "talk": ("ok", 200),
        "text": ("ok", 200),
    }
    assert "--embeddings" in found[f"none/{NAME}"]["detail"]


def test_a_server_that_is_still_loading_says_nothing_of_its_model(story, tmp_path):
    with loading_server(tmp_path) as server:
        assert server.ask("/v1/models")[0] == 503
        story.write(here=at(server, "here", NAME))
        story.apply()
        assert outcomes(verified(story, "reach")) == {f"here/{NAME}": "ok"}
        for level in ("model", "generate"):
            (found,) = verified(story, level).values()
            assert (found["outcome"], found["http_status"]) == ("overloaded", 503)
            assert "Loading model" in found["detail"]


def test_a_killed_server_is_unreachable_and_its_model_keeps_its_status(story, model):
    with llama_server(model, NAME) as server:
        story.write(here=at(server, "here", NAME))
        assert story.ask("apply", "--yes")["verification"][0]["outcome"] == "ok"
        server.kill()
        for level in ("reach", "generate"):
            (found,) = verified(story, level).values()
            assert (found["outcome"], found["http_status"]) == ("unreachable", None)
    assert [(one["status"], one["is_active"]) for one in story.ask("list")["models"]] == [("verified", True)]


def test_many_models_at_one_server_are_each_told_apart(story, model):
    with llama_server(model, NAME, slots=2) as server:
        for number in range(10):
            name = f"team-{number}"
            story.write(**{name: at(server, name, NAME, f"model-{number}")})
        story.apply()
        found = verified(story, "generate", status=5)
    assert outcomes(found) == {
        f"team-{number}/{one}": outcome
        for number in range(10)
        for one, outcome in ((NAME, "ok"), (f"model-{number}", "model_mismatch"))
    }


def asked(server, act, *, timeout=60.0, **parameters):
    """What `act` makes of the server's model, as an application asks it."""
    kind = built_in("openai-compatible")
    model = replace(
        target(NAME, kind, server.base_url, credentials="none", level="generate", timeout=timeout),
        parameters=parameters,
    )

    async def run():
        async with open_client(Access(environ={})) as client:
            return await act(client, model)

    return asyncio.run(run())


def test_an_application_gets_a_reply_and_the_same_one_bit_by_bit(llama):
    async def ask(client, model):
        prompt = prompt_of({"system_prompt": "Be brief.", "query_prefix": "Question:"}, "What is 2+2?")
        return await client.generate(model, prompt), [one async for one in client.stream(model, prompt)]

    reply, pieces = asked(llama, ask, max_new_tokens=9, temperature=0.0, seed=7)
    assert isinstance(reply, Reply), reply
    assert all(isinstance(one, Piece) for one in pieces), pieces
    assert len([one for one in pieces if one.text]) > 1
    assert "".join(one.text for one in pieces) == reply.text
    ends = [one.finish_reason for one in pieces if one.finish_reason]
    assert ([reply.finish_reason], reply.model) == (ends, NAME)
    counted = (pieces[-1].input_tokens, pieces[-1].output_tokens)
    assert counted == (reply.input_tokens, reply.output_tokens) == (reply.input_tokens, 9)


def test_an_application_that_stops_listening_stops_the_server(llama):
    async def ask(client, model):
        async with aclosing(client.stream(model, Prompt("Count!"))) as pieces:
            first = await anext(pieces)
        # The one slot is free again at once, though thousands of tokens were asked for.
        return first, await client.generate(replace(model, parameters={"max_new_tokens": 1}), Prompt("ping"))

    first, reply = asked(llama, ask, max_new_tokens=100_000, extra={"ignore_eos": True})
    assert isinstance(first, Piece)
    assert (type(reply), reply.output_tokens) == (Reply, 1)


def test_what_the_server_refuses_of_an_application_is_named(llama):
    async def ask(client, model):
        return [
            await client.generate(model, Prompt("x")),
            *[one async for one in client.stream(model, Prompt("x"))],
        ]

    for verdict in asked(llama, ask, extra={"repeat_last_n": -7}):
        assert (verdict.outcome, verdict.http_status) == ("probe_invalid", 400)
        assert verdict.refused_parameters == ("extra.repeat_last_n",)


def test_an_application_gets_an_embedding_for_each_text(model):
    async def ask(client, case):
        return await client.generate(
            replace(case, mode="embedding"), Prompt(""), inputs=Inputs(texts=("one", "two", "one"))
        )

    with llama_server(model, NAME, embeddings=True) as server:
        first, second, third = asked(server, ask).values
    assert first == third != second
    assert all(isinstance(number, float) for number in first)
