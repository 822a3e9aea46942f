"""What becomes of rows: every field in its place, what is shared made once, and what a hand spoilt unset."""

import copy
import json
import math
import pickle
import warnings
from datetime import timedelta

import pytest
from support.effective_rows import HOUR, NOW, answer, held, override, row, set_row, template_row

from reconciler.core.schemas import Limits
from reconciler.errors import UsageError
from reconciler.runtime import reading
from reconciler.runtime.responses import ProviderModelConfigResponse, ProviderRegistryResponse

# The shape of a key, and no key.
KEY = "sk-" + "x" * 40

RICH = row(
    limits='{"context": 8192}',
    capabilities='["streaming", "tools"]',
    labels='{"team": "rag"}',
    version="2.1",
    status="verified",
    outcome="ok",
    detail="it answered",
    last_verified=NOW,
    managed_by="default",
    kind_spec='{"protocol": "openai"}',
    base_url="https://example.org/v1",
    credentials='{"api_key": "env:OPENAI_API_KEY"}',
    parameters=set_row(
        temperature=0.7,
        top_k=50,
        stop_sequences='["\\n"]',
        response_format='{"type": "json_object"}',
        extra='{"user": "x", "n": [1, null]}',
        decoding_method="greedy",
        reasoning_effort="low",
        labels='{"a": "b"}',
        unsupported="drop",
    ),
    template=template_row(id=7, name="rag", query_prefix="Question:", labels='{"c": "d"}'),
    held=held(override(parameters={"temperature": 0.0})),
)


def test_every_field_of_a_row_is_in_its_place():
    found = answer(RICH)
    assert str(found.address) == "model:openai/gpt-4o"
    assert (found.id, found.is_active, found.hold, found.kind) == (1, True, None, "openai")
    assert found.limits == Limits(context=8192)
    assert (found.capabilities, found.labels, found.version) == (
        ["streaming", "tools"],
        {"team": "rag"},
        "2.1",
    )
    assert (found.verification_status, found.verification_outcome) == ("verified", "ok")
    assert (found.verification_detail, found.last_verified) == ("it answered", NOW)
    assert (found.managed_by, found.base_url) == ("default", "https://example.org/v1")
    assert found.credentials == {"api_key": "env:OPENAI_API_KEY"}
    assert found.kind_spec == {"protocol": "openai"}
    assert found.parameters.values == {
        "temperature": 0.0,
        "top_k": 50,
        "stop_sequences": ["\n"],
        "response_format": {"type": "json_object"},
        "extra": {"user": "x", "n": [1, None]},
        "decoding_method": "greedy",
        "reasoning_effort": "low",
        "unsupported": "drop",
    }
    assert found.prompt_template is not None
    assert (found.prompt_template_id, found.prompt_template.query_prefix) == (7, "Question:")


def test_a_model_whose_provider_nobody_registered_has_no_kind_and_keeps_its_activity():
    found = answer(row(provider_is_active=None, kind=None))
    assert (found.kind, found.is_active, found.credentials, found.base_url) == ("", True, None, None)


@pytest.mark.parametrize(
    ("own", "provider", "held_value", "active"),
    [
        pytest.param(True, True, None, True, id="both"),
        pytest.param(True, False, None, False, id="its provider is not"),
        pytest.param(False, True, None, False, id="it is not"),
        pytest.param(False, True, True, True, id="held active"),
        pytest.param(True, True, False, False, id="held inactive"),
        pytest.param(False, False, True, False, id="held active, and its provider is not"),
    ],
)
def test_a_model_is_active_where_it_or_its_override_is_and_its_provider_is_too(
    own, provider, held_value, active
):
    holds = None if held_value is None else held(override(is_active=held_value))
    assert answer(row(is_active=own, provider_is_active=provider, held=holds)).is_active is active


@pytest.mark.parametrize(
    ("stored", "hold", "status"),
    [(None, None, "unverified"), ("verified", None, "verified"), (None, "pending", "pending")],
)
def test_the_status_is_what_is_stored_and_whether_it_waits(stored, hold, status):
    assert answer(row(status=stored, hold=hold, is_active=False)).verification_status == status


# -- overrides


def test_an_overrides_values_stand_over_the_sets_and_none_takes_one_away():
    stored = set_row(temperature=0.7, top_k=5, description="ours")
    found = answer(
        row(parameters=stored, held=held(override(parameters={"temperature": 0.1, "top_k": None})))
    )
    assert found.parameters.values == {"temperature": 0.1}
    assert (found.parameters.name, found.parameters.description) == ("base", "ours")
    assert found.override is not None
    assert (found.override.reason, found.override.actor) == ("an incident", "night shift")
    assert found.override.fields == {"parameters": {"temperature": 0.1, "top_k": None}}
    assert found.override.ends_at == NOW + HOUR


def test_an_override_replaces_the_template_or_takes_it_away():
    own, other = template_row(id=1, name="own"), template_row(id=2, name="other", system_prompt="Be brief.")
    replaced = answer(row(template=own, held=held(override(prompt_template="other", template=other))))
    assert replaced.prompt_template is not None
    assert (replaced.prompt_template_id, replaced.prompt_template.system_prompt) == (2, "Be brief.")
    assert replaced.prompt_template.created_at == NOW
    removed = answer(row(template=own, held=held(override(prompt_template=None))))
    assert (removed.prompt_template_id, removed.prompt_template) == (None, None)
    kept = answer(row(template=own, held=held(override(is_active=True))))
    assert kept.prompt_template is not None


def test_of_several_overrides_the_newest_that_counts_is_the_one():
    several = held(
        override(1, parameters={"seed": 1}),
        override(2, parameters={"seed": 2}),
        override(3, starts=NOW + HOUR, ends=NOW + 2 * HOUR, is_live=False, parameters={"seed": 3}),
    )
    assert answer(row(held=several)).parameters.seed == 2


@pytest.mark.parametrize(
    ("at", "seed"),
    [
        pytest.param(NOW - 2 * HOUR, None, id="before all"),
        pytest.param(NOW - HOUR, 1, id="when the first begins"),
        pytest.param(NOW + HOUR - timedelta(microseconds=1), 1, id="until it ends"),
        pytest.param(NOW + HOUR, None, id="when it ends"),
        pytest.param(NOW + 2 * HOUR, 2, id="when the second begins"),
        pytest.param(NOW + timedelta(days=10_000), 2, id="which never ends"),
    ],
)
def test_which_override_counts_is_a_matter_of_the_moment(at, seed):
    two = held(
        override(1, parameters={"seed": 1}),
        override(2, starts=NOW + 2 * HOUR, ends="infinity", is_live=False, parameters={"seed": 2}),
    )
    assert answer(row(held=two), at=at).parameters.seed == seed


def test_models_that_share_a_set_share_it_still_where_another_is_overridden():
    rows = [
        row(id=1, model_id="a"),
        row(id=2, model_id="b", held=held(override(parameters={"seed": 1}))),
        row(id=3, model_id="c"),
    ]
    first, second, third = reading.answers(rows)
    assert first.parameters is third.parameters
    assert (second.parameters.seed, first.parameters.seed) == (1, None)


# -- what a hand has spoilt


@pytest.mark.parametrize(
    ("column", "value", "field", "read"),
    [
        ("mode", "dance", "mode", "chat"),
        ("limits", '"many"', "limits", None),
        ("limits", '{"context": "many", "output": 5}', "limits", Limits(output=5)),
        ("limits", '{"context": true, "output": -1}', "limits", Limits()),
        ("capabilities", '{"tools": 1}', "capabilities", None),
        ("capabilities", '["tools", 1, null, ""]', "capabilities", ["tools"]),
        ("labels", '["team"]', "labels", {}),
        ("labels", '{"team": {"a": 1}, "tier": "1"}', "labels", {"tier": "1"}),
        ("outcome", "exploded", "verification_outcome", None),
        ("kind_spec", "[1]", "kind_spec", None),
        ("credentials", "[1]", "credentials", "***"),
        ("credentials", '"none"', "credentials", "none"),
        ("credentials", "null", "credentials", None),
        ("labels", "[" * 100_000 + "]" * 100_000, "labels", {}),
        ("limits", f'{{"context": {"9" * 5000}}}', "limits", None),
    ],
)
def test_a_spoilt_column_costs_its_own_field_alone(column, value, field, read):
    found = answer(row(**{column: value}))
    assert getattr(found, field) == read
    untouched = {name: value for name, value in vars(found).items() if name != field}
    assert untouched == {name: value for name, value in vars(answer(row())).items() if name != field}
    assert_dumps(found)


@pytest.mark.parametrize(
    ("column", "value", "read"),
    [
        ("temperature", math.nan, None),
        ("top_p", math.inf, None),
        ("decoding_method", "magic", None),
        ("reasoning_effort", "heroic", None),
        ("stop_sequences", '"stop"', None),
        ("stop_sequences", '["stop", 5]', ["stop"]),
        ("response_format", '"xml"', None),
        ("response_format", "{}", None),
        ("response_format", '"text"', "text"),
        ("extra", "[1]", None),
        ("labels", "5", {}),
    ],
)
def test_a_spoilt_value_of_a_set_reads_as_unset(column, value, read):
    found = answer(row(parameters=set_row(**{"seed": 5, column: value})))
    assert getattr(found.parameters, column) == read
    assert found.parameters.seed == 5
    assert_dumps(found)


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        ({"is_active": "no"}, {}),
        ({"parameters": [1]}, {}),
        ({"prompt_template": 5}, {}),
        ({"parameters": {"temperature": "hot", "top_k": 5, "heat": 1}}, {"parameters": {"top_k": 5}}),
        ({"surprise": 1, "is_active": False}, {"is_active": False}),
    ],
)
def test_an_override_holds_what_can_be_held(fields, read):
    found = answer(row(held=held(override(**fields))))
    assert found.override is not None
    assert found.override.fields == read
    assert_dumps(found)


def test_an_override_without_fields_holds_nothing():
    for text in ('["is_active"]', f'{{"seed": {"9" * 5000}}}'):
        spoilt = override()
        spoilt[1] = text
        found = answer(row(held=held(spoilt)))
        assert found.override is not None
        assert (found.override.fields, found.is_active) == ({}, True)


def assert_dumps(found):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert json.loads(found.model_dump_json()) == found.model_dump(mode="json")


# -- answers made without pydantic's checks are pydantic's all the same


def test_an_answer_goes_through_json_and_comes_back_the_same():
    found = answer(RICH)
    assert_dumps(found)
    assert ProviderModelConfigResponse.model_validate_json(found.model_dump_json()) == found


def test_an_answer_has_every_field_of_its_schema():
    found = answer(RICH)
    for part in (found, found.parameters, found.prompt_template, found.override, found.limits):
        assert part is not None
        assert set(vars(part)) == set(type(part).model_fields) == part.model_fields_set


def test_an_answer_is_copied_compared_and_pickled():
    found, again = answer(RICH), answer(RICH)
    assert found == again
    assert found is not again
    for twin in (copy.copy(found), copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert twin == found
        assert twin.model_dump() == found.model_dump()
    assert found != answer(row())


def test_a_changed_copy_leaves_the_others_alone():
    found, other = answer(RICH), answer(row())
    changed = found.model_copy(update={"version": "3"})
    assert (changed.version, found.version) == ("3", "2.1")
    assert other.model_fields_set == set(ProviderModelConfigResponse.model_fields)


def test_answers_of_one_call_share_no_lists_or_labels():
    first, second = reading.answers([row(id=1, labels='{"a": "b"}'), row(id=2, labels='{"a": "b"}')])
    assert first.labels is not second.labels


def test_a_key_that_a_hand_pasted_is_in_no_answer():
    pasted = json.dumps({"api_key": KEY, "pin": "hunter2", "nested": {"a": KEY}, "good": "env:A_API_KEY"})
    for found in (answer(row(credentials=pasted)), answer(row(credentials=json.dumps(KEY)))):
        told = (
            repr(found),
            str(found.model_dump()),
            found.model_dump_json(),
            repr(ProviderRegistryResponse(providers=(found,))),
        )
        for text in told:
            assert KEY not in text
            assert "hunter2" not in text
    assert answer(row(credentials=pasted)).credentials == {
        "api_key": "***",
        "pin": "***",
        "nested": "***",
        "good": "env:A_API_KEY",
    }


# -- order, and what is asked for


def test_models_come_by_provider_and_id_by_code_point():
    names = [("b", "a"), ("B", "z"), ("a", "é"), ("a", "z"), ("a", "Z"), ("a-b", "a"), ("a", "\U0001f4a5")]
    rows = [row(id=number, provider_name=one, model_id=two) for number, (one, two) in enumerate(names)]
    found = reading.registry(rows)
    assert [(one.provider_name, one.model_id) for one in found] == sorted(names)


@pytest.mark.parametrize(
    "models",
    [
        [("openai",)],
        ["openai/gpt-4o"],
        [("openai", 5)],
        [(None, "gpt-4o")],
        [("a", "b", "c")],
        [5],
    ],
)
def test_what_is_no_pair_of_texts_is_refused(models):
    with pytest.raises(UsageError):
        reading.pairs(models)


@pytest.mark.parametrize(
    "condition", [{"provider": 5}, {"label": 5}, {"label": {"team": 5}}, {"label": {5: "x"}}]
)
def test_a_condition_that_is_no_text_is_refused(condition):
    with pytest.raises(UsageError):
        reading.listed(**condition)


@pytest.mark.parametrize(
    "condition",
    [{"provider": "a\0b"}, {"label": "team=\ud800"}, {"label": "te\0am"}, {"label": {"team": "\0"}}],
)
def test_what_the_database_cannot_hold_is_not_asked_for(condition):
    assert reading.listed(**condition) is None
    assert reading.found([("a\0", "b"), ("a", "\udfff")]) is None
