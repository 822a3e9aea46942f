"""Which changes a program's wishes make, and what speaks against them: tables over values, no database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import kinds
from reconciler.core import rule_checks, rules
from reconciler.core.address import Address, model_address
from reconciler.core.changes import Activate, Create, Deactivate, Update
from reconciler.core.objections import View
from reconciler.core.provider_kind import CredentialRule, ParameterRule, Probe, ProviderKind
from reconciler.core.registration import (
    Feeling,
    Owner,
    Stored,
    changes_of,
    felt,
    let_go,
    merged,
    missing,
    owned,
)
from reconciler.core.requests import (
    LLMParametersCreate,
    LLMParametersUpdate,
    ProviderCreate,
    ProviderModelConfigCreate,
    ProviderModelConfigUpdate,
    ProviderUpdate,
)
from reconciler.core.state import Observed
from reconciler.core.wishes import (
    Wish,
    changed_model,
    changed_parameters,
    changed_provider,
    new_model,
    new_parameters,
    new_provider,
    switched,
)

PROVIDER = Address("provider", "acme")
SET = Address("parameters", "base")
TEMPLATE = Address("template", "qa")
MODEL = model_address("acme", "m")
OTHER = model_address("acme", "n")

ACME = ProviderKind(
    "acme",
    "openai",
    base_url="https://acme.example",
    credentials={"api_key": CredentialRule()},
    parameters={"temperature": ParameterRule(maximum=2.0), "top_p": ParameterRule(maximum=1.0)},
    probes={"model": Probe()},
)
STRICT = ProviderKind("strict", "openai", parameters={"temperature": ParameterRule(maximum=1.0)})


class _Kinds:
    def of(self, provider):
        return {"acme": ACME, "strict": STRICT}.get(provider.get("kind"))

    def hint(self, name):
        return f"{name} is none of them"


def row(*, active=True, hold=None, owner=None, **spec):
    return Observed(spec, active, hold, 1, "7", owner)


def model_row(parameters="base", **more):
    fields = {name: more.pop(name) for name in ("active", "hold", "owner") if name in more}
    return row(parameters=parameters, mode="chat", **more, **fields)


def stored(rows=None, owners=None):
    return Stored(rows or {}, owners or {})


ROWS = {
    PROVIDER: row(kind="acme"),
    SET: row(temperature=0.5),
    TEMPLATE: row(system_prompt="Be kind."),
    MODEL: model_row(),
    OTHER: model_row(),
}


def view(wishes, rows=None):
    kept = stored({**ROWS, **(rows or {})})
    return View(kept, changes_of(wishes, kept), _Kinds())


def told(wishes, rows=None):
    return [(fault.about, fault.message) for fault in view(wishes, rows).faults()]


@pytest.mark.parametrize(
    ("wish", "have", "change"),
    [
        pytest.param(Wish(SET, {"top_k": 1}, initial={}), None, Create, id="new"),
        pytest.param(Wish(SET, {"top_k": 1}), None, None, id="only a stored one is meant"),
        pytest.param(Wish(SET, {"top_k": 1}), row(top_k=1), None, id="as it is"),
        pytest.param(Wish(SET, {"top_k": 2}), row(top_k=1), Update, id="another value"),
        pytest.param(Wish(SET, {"top_k": None}), row(top_k=1), Update, id="a value goes"),
        pytest.param(Wish(SET, {"top_k": None}), row(), None, id="it went already"),
        pytest.param(Wish(SET, {}, is_whole=True), row(top_k=1), Update, id="all that it says"),
        pytest.param(Wish(SET, {}), row(top_k=1), None, id="nothing said"),
        pytest.param(Wish(SET, {"seed": 1}), row(seed=1.0), None, id="the same number"),
        pytest.param(Wish(SET, {"extra": {"a": True}}), row(extra={"a": 1}), Update, id="true is not 1"),
        pytest.param(switched(SET, active=False), row(), Deactivate, id="off"),
        pytest.param(switched(SET, active=False), row(active=False), None, id="off already"),
        pytest.param(switched(SET, active=True), row(active=False), Activate, id="on"),
        pytest.param(switched(MODEL, active=True), model_row(hold="pending"), Activate, id="lifts a hold"),
        pytest.param(switched(MODEL, active=False), model_row(hold="failing"), Deactivate, id="off, held"),
    ],
)
def test_a_wish_becomes_the_change_that_it_needs(wish, have, change):
    rows = {} if have is None else {wish.address: have}
    found = [type(one) for one in changes_of([wish], stored(rows))]
    assert found == ([] if change is None else [change])


def test_an_update_keeps_what_it_does_not_speak_of():
    wish = changed_parameters("base", LLMParametersUpdate(top_k=5, temperature=None))
    (change,) = changes_of([wish], stored({SET: row(temperature=0.1, seed=3)}))
    assert dict(change.desired.spec) == {"seed": 3, "top_k": 5}


def test_a_new_model_is_for_chat_with_the_built_in_set():
    asked = ProviderModelConfigCreate(provider_name="acme", model_id="m")
    (change,) = changes_of([new_model(asked, parameters=None, template=None)], stored())
    assert change.desired.spec == {"parameters": "default", "mode": "chat"}


def test_registering_again_keeps_what_is_not_given():
    asked = ProviderModelConfigCreate(provider_name="acme", model_id="m", version="2")
    wish = new_model(asked, parameters=None, template=None)
    (change,) = changes_of([wish], stored({MODEL: model_row(labels={"team": "rag"}, active=False)}))
    assert (change.desired.active, change.desired.spec["labels"]) == (False, {"team": "rag"})
    assert change.desired.spec["parameters"] == "base"


def test_what_is_given_as_none_is_unset():
    asked = ProviderModelConfigUpdate(parameters=None, prompt_template=None, mode=None, labels=None)
    wish = changed_model(MODEL, asked, parameters=None, template=None)
    rows = {MODEL: row(parameters="base", prompt_template="qa", mode="audio", labels={"a": "b"})}
    (change,) = changes_of([wish], stored(rows))
    assert change.desired.spec == {"parameters": "default", "mode": "chat"}


def test_a_provider_of_another_kind_loses_the_description_of_its_old_one():
    wish = changed_provider("acme", ProviderUpdate(kind="strict"), kind="acme")
    (change,) = changes_of([wish], stored({PROVIDER: row(kind="own", kind_spec={"protocol": "openai"})}))
    assert change.desired.spec == {"kind": "strict"}


def test_a_provider_that_gives_its_kind_up_gets_the_usual_one():
    wish = changed_provider("acme", ProviderUpdate(kind=None), kind="acme")
    assert wish.fields == {"kind": "acme"}


def test_a_provider_has_the_usual_kind_only_where_it_is_new():
    wish = new_provider(ProviderCreate(name="acme"), kind="acme")
    assert changes_of([wish], stored())[0].desired.spec == {"kind": "acme"}
    assert changes_of([wish], stored({PROVIDER: row(kind="strict")})) == ()


@pytest.mark.parametrize(
    ("wishes", "told"),
    [
        pytest.param(
            [new_parameters(LLMParametersCreate(name="base", top_k=1))] * 2, [], id="a set, the same"
        ),
        pytest.param(
            [new_parameters(LLMParametersCreate(name="base", top_k=number)) for number in (1, 2)],
            ["parameters:base is given twice with different values: top_k"],
            id="a set, other values",
        ),
        pytest.param(
            [Wish(MODEL, {}, initial={}), Wish(MODEL, {}, initial={})],
            ["model:acme/m is given twice"],
            id="a model",
        ),
        pytest.param(
            [Wish(PROVIDER, {"kind": "acme"}), Wish(PROVIDER, {"base_url": "https://a.example"})],
            [],
            id="a provider, one thing each",
        ),
        pytest.param(
            [Wish(PROVIDER, {"kind": "acme"}), Wish(PROVIDER, {"kind": "strict"})],
            ["provider:acme is given twice with different values: kind"],
            id="a provider, two kinds",
        ),
    ],
)
def test_wishes_that_contradict_each_other_are_told(wishes, told):
    assert [fault.message for fault in merged(wishes)[1]] == told


def test_what_is_to_be_changed_must_be_there():
    wishes = [switched(MODEL, active=True), Wish(SET, {}, initial={})]
    assert [fault.message for fault in missing(wishes, stored())] == ["there is no model:acme/m"]


def test_what_files_own_is_told_only_where_it_would_change():
    owner = Owner("default", "acme.yaml", 4)
    kept = stored({SET: row(top_k=1)}, {SET: owner})
    assert owned(changes_of([Wish(SET, {"top_k": 1})], kept), kept) == []
    assert owned(changes_of([Wish(SET, {"top_k": 2})], kept), kept) == [(SET, owner)]


def test_others_feel_what_they_share_and_nothing_new():
    rows = {SET: row(), TEMPLATE: row(), PROVIDER: row(kind="acme")}
    wishes = [
        Wish(SET, {"top_k": 1}),
        Wish(TEMPLATE, {"system_prompt": "x"}),
        Wish(PROVIDER, {"description": "x"}),
        Wish(Address("parameters", "new"), {"top_k": 1}, initial={}),
        Wish(Address("provider", "new"), {"kind": "acme"}, initial={}),
    ]
    feeling = felt(changes_of(wishes, stored(rows)))
    assert feeling == Feeling(parameters=("base",), templates=("qa",))


@pytest.mark.parametrize(
    ("before", "after", "goes"),
    [
        pytest.param("verified", "immediate", True, id="waits no longer"),
        pytest.param("verified", "verified", False, id="still waits"),
        pytest.param("immediate", "immediate", False, id="waits because a program said so"),
    ],
)
def test_models_wait_for_as_long_as_their_provider_asks(before, after, goes):
    rows = {
        PROVIDER: row(kind="acme", verification={"activation": before}),
        MODEL: model_row(hold="pending"),
        OTHER: model_row(hold="pending", owner="default"),
    }
    kept = stored(rows)
    changes = changes_of([Wish(PROVIDER, {"verification": {"activation": after, "every": "1h"}})], kept)
    found = [change.address for change in let_go(changes, kept) if isinstance(change, Activate)]
    assert found == ([MODEL] if goes else [])


@pytest.mark.parametrize(
    ("wishes", "rows", "faults"),
    [
        pytest.param([Wish(SET, {"temperature": 1.5})], {}, [], id="nothing"),
        pytest.param(
            [Wish(SET, {"temperature": 9.0})],
            {},
            [("values", "temperature is 9.0; acme takes at most 2.0 (model:acme/m, model:acme/n)")],
            id="a range, by each model that uses it, said once",
        ),
        pytest.param(
            [Wish(SET, {"top_p": 0.5})],
            {SET: row(temperature=9.0)},
            [("values", "temperature is 9.0; acme takes at most 2.0 (model:acme/m, model:acme/n)")],
            id="what a hand has spoilt, where the set changes",
        ),
        pytest.param(
            [Wish(MODEL, {"version": "2"})],
            {SET: row(temperature=9.0)},
            [],
            id="what a hand has spoilt, where the set does not change",
        ),
        pytest.param(
            [Wish(PROVIDER, {"kind": "strict"})],
            {SET: row(temperature=1.5)},
            [("values", "temperature is 1.5; strict takes at most 1.0 (model:acme/m, model:acme/n)")],
            id="another kind",
        ),
        pytest.param(
            [Wish(SET, {"seed": 1, "unsupported": "error"})],
            {},
            [("values", "acme takes no seed (model:acme/m, model:acme/n)")],
            id="not taken, and refused",
        ),
        pytest.param(
            [Wish(PROVIDER, {"kind": "acmee"})],
            {},
            [("registration", "there is no kind acmee")],
            id="an unknown kind",
        ),
        pytest.param(
            [Wish(PROVIDER, {"credentials": {"apikey": "env:A_API_KEY"}})],
            {},
            [("registration", "apikey is no credential of acme")],
            id="an unknown credential",
        ),
        pytest.param(
            [Wish(PROVIDER, {"verification": {"activation": "verified", "probe": "none"}})],
            {},
            [
                (
                    "registration",
                    "no model is ever activated: activation waits for a probe, and probe is none",
                )
            ],
            id="waits for nothing",
        ),
        pytest.param(
            [Wish(PROVIDER, {"verification": {"activation": "verified", "probe": "credential"}})],
            {},
            [
                (
                    "registration",
                    "no model is ever activated: it waits for the probe credential, and acme has none",
                )
            ],
            id="waits for a probe that there is none of",
        ),
        pytest.param(
            [Wish(MODEL, {"parameters": "gone"})],
            {},
            [("absence", "there is no parameters:gone")],
            id="a set that is not there",
        ),
        pytest.param(
            [Wish(MODEL, {"prompt_template": "gone"})],
            {},
            [("absence", "there is no template:gone")],
            id="a template that is not there",
        ),
        pytest.param([Wish(MODEL, {"parameters": "default"})], {}, [], id="the built-in set is there"),
        pytest.param(
            [Wish(MODEL, {"prompt_template": "qa"})],
            {TEMPLATE: row(provider="xai"), Address("provider", "xai"): row(kind="acme")},
            [("registration", "the template qa is only for the provider xai, not for model:acme/m")],
            id="another provider's template",
        ),
        pytest.param(
            [Wish(TEMPLATE, {"provider": "acme"})],
            {
                OTHER: model_row(prompt_template="qa"),
                model_address("xai", "x"): model_row(prompt_template="qa"),
            },
            [("registration", "the template qa is only for the provider acme, not for model:xai/x")],
            id="bound while another uses it",
        ),
        pytest.param(
            [Wish(TEMPLATE, {"provider": "nobody"})],
            {},
            [("absence", "template:qa is for the provider nobody, which is not registered")],
            id="bound to nobody",
        ),
        pytest.param(
            [Wish(MODEL, {"prompt_template": "qa"})],
            {TEMPLATE: row(active=False)},
            [("status", "template:qa, which model:acme/m uses, is not active")],
            id="an inactive template",
        ),
        pytest.param(
            [Wish(MODEL, {"prompt_template": "qa"}, active=False)],
            {TEMPLATE: row(active=False)},
            [],
            id="an inactive template of an inactive model",
        ),
        pytest.param(
            [switched(MODEL, active=True)],
            {SET: row(active=False), MODEL: model_row(active=False)},
            [("status", "parameters:base, which model:acme/m uses, is not active")],
            id="active again with an inactive set",
        ),
        pytest.param(
            [switched(SET, active=False)],
            {OTHER: model_row(active=False)},
            [("status", "parameters:base would be deactivated and model:acme/m still uses it")],
            id="a set in use",
        ),
        pytest.param(
            [switched(SET, active=False)],
            {MODEL: model_row(active=False), OTHER: model_row("default")},
            [],
            id="a set that only inactive models use",
        ),
        pytest.param(
            [switched(MODEL, active=False)],
            {PROVIDER: row(kind="acme", protected=True)},
            [("status", "model:acme/m would be deactivated and provider:acme is protected")],
            id="protected",
        ),
        pytest.param(
            [Wish(PROVIDER, {"protected": None}, active=False)],
            {PROVIDER: row(kind="acme", protected=True)},
            [("status", "provider:acme would be deactivated and provider:acme is protected")],
            id="unprotected and deactivated in one",
        ),
    ],
)
def test_what_speaks_against_a_change_is_told(wishes, rows, faults):
    assert told(wishes, rows) == faults


def test_everything_is_told_at_once():
    wishes = [
        Wish(SET, {"temperature": 9.0, "top_p": 3.0}),
        Wish(MODEL, {"prompt_template": "gone"}),
        Wish(PROVIDER, {"credentials": {"wrong": "env:A_API_KEY"}}),
    ]
    assert [about for about, _ in told(wishes)] == ["registration", "absence", "values", "values"]


def test_what_is_left_out_of_requests_is_a_warning_for_each_model():
    warnings = view(
        [Wish(MODEL, {"parameters": "own"}), Wish(Address("parameters", "own"), {"seed": 1}, initial={})]
    )
    assert warnings.warnings() == {
        MODEL: ("model:acme/m: acme takes no seed; it is left out of requests",),
    }


def test_who_else_uses_a_set_is_told_without_those_that_are_asked_for():
    changed = view([Wish(SET, {"top_p": 0.5}), Wish(MODEL, {"version": "2"})])
    assert changed.others({SET, MODEL}) == {SET: (OTHER,)}


@pytest.mark.parametrize(
    ("provider", "why"),
    [
        pytest.param(row(kind="acme"), None, id="the kind's endpoint"),
        pytest.param(row(kind="strict", base_url="https://s.example"), None, id="its own endpoint"),
        pytest.param(
            row(kind="strict"), "provider:acme has no base_url, and its kind strict has no default", id="none"
        ),
        pytest.param(
            row(kind="acme", active=False), "provider:acme is not active, so none of its models is", id="off"
        ),
    ],
)
def test_a_provider_without_an_endpoint_is_told(provider, why):
    found = view([], {PROVIDER: provider}).unreachable(["acme"])
    assert found == ({} if why is None else {"acme": why})


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param({PROVIDER: row(kind="acme", verification=[], credentials=["x"])}, id="a provider"),
        pytest.param({PROVIDER: row(kind=None)}, id="no kind"),
        pytest.param({SET: row(temperature="NaN", stop_sequences={"a": 1}, top_p=[1])}, id="a set"),
        pytest.param(
            {MODEL: model_row(labels=[1], limits="x", capabilities={}, prompt_template="qa")}, id="a model"
        ),
        pytest.param({TEMPLATE: row(provider="nobody")}, id="a template"),
    ],
)
def test_what_a_hand_has_spoilt_stops_no_other_change(spoilt):
    assert told([Wish(OTHER, {"version": "2"})], spoilt) == []


values = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 2) | st.none(),
        "top_k": st.integers(0, 9) | st.none(),
        "labels": st.none() | st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy") | st.none()),
        "unsupported": st.sampled_from([None, "warn", "drop"]),
        "stop_sequences": st.none() | st.lists(st.sampled_from("xy")),
        "extra": st.none() | st.dictionaries(st.sampled_from("ab"), st.none() | st.integers(0, 3)),
    },
)


def _rows_after(changes):
    return {
        change.address: Observed(change.desired.spec, change.desired.active, None, 1, "8", None)
        for change in changes
    }


@given(values)
def test_what_was_registered_is_no_change_the_next_time(asked):
    wish = new_parameters(LLMParametersCreate(name="base", **asked))
    rows = _rows_after(changes_of([wish], stored()))
    assert changes_of([wish], stored(rows)) == ()


@given(values, values)
def test_an_update_of_a_registered_set_settles_too(asked, updates):
    rows = _rows_after(changes_of([new_parameters(LLMParametersCreate(name="base", **asked))], stored()))
    wish = changed_parameters("base", LLMParametersUpdate(**updates))
    rows |= _rows_after(changes_of([wish], stored(rows)))
    assert changes_of([wish], stored(rows)) == ()


sets = st.dictionaries(
    st.sampled_from(sorted({*rules.PARAMETER_FIELDS, "description", "unsupported", "labels"})),
    st.floats(-3, 3)
    | st.integers(-3, 3)
    | st.sampled_from(["greedy", "text", [], True, float("nan"), "NaN"]),
    max_size=5,
)


@given(
    sets, st.sampled_from(kinds.names()), st.sampled_from(["m", "o3-mini", "gpt-5", "claude-opus-4", "qwq"])
)
def test_a_set_that_is_plainly_well_is_well_by_every_rule(values, name, model_id):
    kind = kinds.built_in(name)
    if rule_checks._is_plain(values, rules.plain_ranges(kind)):
        for mode in ("chat", "completion", "embedding"):
            assert rules.check(kind, model_id=model_id, mode=mode, parameters=values) == ()


@pytest.mark.parametrize("name", ["openai", "anthropic", "vllm", "mistral"])
def test_most_sets_are_plainly_well(name):
    values = {
        "description": "x",
        "max_new_tokens": 100,
        "presence_penalty": 0.0,
        "temperature": 0.5,
        "seed": 1,
    }
    ranges = rules.plain_ranges(kinds.built_in(name))
    assert rule_checks._is_plain({key: value for key, value in values.items() if key in ranges}, ranges)
    assert "max_new_tokens" in ranges or name == "openai"
