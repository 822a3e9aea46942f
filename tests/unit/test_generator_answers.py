"""What is asked and what is answered, as values: prompts are put together and never evaluated, answers are
texts that remember where they came from, and failures keep their parts. Nothing is sent.
"""

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.configured import TEMPLATE, configured

from reconciler.errors import GenerationError, ProviderConfigError, UsageError
from reconciler.protocols.exchange import Verdict
from reconciler.protocols.generation import Piece, Reply
from reconciler.runtime import calling
from reconciler.runtime.generation import Generation
from reconciler.runtime.providers import OURS, AnthropicProvider, LLMProvider, OpenAIProvider, WatsonxProvider

TRICKY = ["{}", "{0}", "{context}", "%s %(x)s", "{{ query }}", "{% raw %}", "$x ${y}", "\\1", "f'{1+1}'"]
FACTS = {
    "provider": "openai",
    "model_id": "gpt-4o",
    "model": "gpt-4o-2024-08-06",
    "finish_reason": "stop",
    "input_tokens": 9,
    "output_tokens": 2,
    "latency_ms": 31,
    "values": [[0.5]],
}
ANSWER = Generation("In the room.", **FACTS)


# -- prompts


@pytest.mark.parametrize("text", TRICKY)
def test_nothing_in_a_question_or_a_template_is_evaluated(text):
    config = configured(template=dict.fromkeys(TEMPLATE, text))
    prompt = calling.told(config, text, text)
    assert prompt.system == text
    assert prompt.user == f"{text} {text}\n\n{text} {text}\n\n{text}"


@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc"))), min_size=3, max_size=3))
def test_every_text_arrives_as_it_is(texts):
    query, context, prefix = texts
    prompt = calling.told(configured(template={**TEMPLATE, "query_prefix": prefix}), query, context)
    assert query in prompt.user
    assert prefix in prompt.user
    assert context in prompt.user


@pytest.mark.parametrize(
    ("context", "user"),
    [
        ("Some maps.", "Context: Some maps.\n\nQuestion: Where?\n\nAnswer:"),
        (None, "Question: Where?\n\nAnswer:"),
    ],
)
def test_a_context_stands_before_the_question(context, user):
    assert calling.told(configured(template=TEMPLATE), "Where?", context).user == user


def test_a_model_without_a_template_is_told_the_question_alone():
    assert calling.told(configured(), "Where?", None) == ("Where?", "")


@pytest.mark.parametrize(("prompt", "context"), [(["a"], None), (None, None), ("a", ["b"]), (b"a", None)])
def test_what_is_no_text_is_refused(prompt, context):
    with pytest.raises(UsageError) as caught:
        calling.told(configured(), prompt, context)
    assert caught.value.code == "bad-prompt"


# -- answers


def test_an_answer_is_its_text():
    assert ANSWER == "In the room."
    assert f"{ANSWER}|{ANSWER!r}|{ANSWER.upper()}" == "In the room.|'In the room.'|IN THE ROOM."
    assert json.dumps([ANSWER]) == '["In the room."]'
    assert type(ANSWER.text) is str
    assert {ANSWER: 1}["In the room."] == 1
    assert Generation("").text == ""


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, *(lambda one, p=p: pickle.loads(pickle.dumps(one, p)) for p in range(6))],
)
def test_an_answer_survives_being_copied_with_all_that_it_knows(again):
    found = again(ANSWER)
    assert (type(found), found.text) == (Generation, "In the room.")
    assert {name: getattr(found, name) for name in FACTS} == FACTS


def test_an_answer_does_not_change():
    with pytest.raises(AttributeError, match="does not change"):
        ANSWER.model = "another"
    with pytest.raises(AttributeError):
        ANSWER.more = "more"


def test_a_reply_becomes_an_answer_with_its_time_in_milliseconds():
    made = calling.generation(configured(), Reply("pong", "gpt-4o-x", "stop", 3, 2), 0.0316)
    assert (made, made.provider, made.model_id, made.model) == ("pong", "openai", "gpt-4o", "gpt-4o-x")
    assert (made.finish_reason, made.input_tokens, made.output_tokens) == ("stop", 3, 2)
    assert (made.latency_ms, made.values) == (32, None)


def test_pieces_together_say_what_the_last_of_them_says():
    pieces = [Piece("po", "m", None, 3, 1), Piece("ng"), Piece("", None, "stop", None, 2), Piece()]
    assert calling.together(pieces) == Reply("pong", "m", "stop", 3, 2)
    assert calling.together([]) == Reply()


# -- failures


def test_a_verdict_becomes_an_error_that_keeps_its_parts():
    verdict = Verdict("rate_limited", "slow down", 429, provider_code="rate_limit", retry_after=7.0)
    error = calling.failure(configured(), verdict)
    assert isinstance(error, ProviderConfigError)
    assert (str(error), error.code, error.outcome) == ("slow down", "rate_limit", "rate_limited")
    assert (error.http_status, error.retry_after) == (429, 7.0)
    assert (error.provider, error.model_id) == ("openai", "gpt-4o")
    assert error.hint == "ask again later, and less often"


def test_a_verdict_without_words_has_some():
    error = calling.failure(configured(), Verdict("timeout"))
    assert (str(error), error.code) == ("model:openai/gpt-4o did not answer (timeout)", "generation")


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), "5"])
def test_a_call_needs_some_time(timeout):
    with pytest.raises(UsageError) as caught:
        calling.target_for(configured(), timeout)
    assert caught.value.code == "bad-timeout"


def test_a_row_that_a_hand_has_spoilt_is_an_error_of_its_call():
    config = configured(kind="mine", kind_spec={"protocol": 7})
    with pytest.raises((GenerationError, UsageError)):
        calling.target_for(config, 1.0)


# -- classes


@pytest.mark.parametrize(
    ("kind", "made"),
    [("openai", OpenAIProvider), ("groq", OpenAIProvider), ("watsonx", WatsonxProvider)],
)
def test_a_class_takes_every_kind_that_speaks_its_protocol(kind, made):
    config = configured(kind=kind)
    assert made(config).config is config
    assert LLMProvider(config).config is config


@pytest.mark.parametrize(("kind", "made"), [("watsonx", OpenAIProvider), ("openai", AnthropicProvider)])
def test_a_class_refuses_what_speaks_another_protocol(kind, made):
    with pytest.raises(ProviderConfigError) as caught:
        made(configured(kind=kind))
    assert caught.value.code == "wrong-provider"
    assert (caught.value.provider, caught.value.model_id) == ("openai", "gpt-4o")


def test_every_protocol_has_its_class():
    assert sorted(OURS) == [
        *("anthropic", "azure-openai", "bedrock", "cohere", "gemini", "ollama", "openai", "vertex", "watsonx")
    ]
    assert all(made.protocol == name for name, made in OURS.items())


def test_only_embedding_models_embed():
    with pytest.raises(UsageError) as caught:
        LLMProvider(configured()).embed(["a"])
    assert caught.value.code == "wrong-mode"
    embedder = LLMProvider(configured(mode="embedding"))
    assert embedder.embed([]) == []
    for texts in ("a", [1], [b"a"]):
        with pytest.raises(UsageError):
            embedder.embed(texts)
