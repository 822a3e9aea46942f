"""The plan around the comparison: its digest, who uses what, drift, and what an apply touches."""

import pytest

from reconciler.core.address import Address, model_address, parse_address
from reconciler.core.options import PlanOptions
from reconciler.core.plan import action_of
from reconciler.core.planning import make_drift, make_plan, touched
from reconciler.core.problem import Place
from reconciler.core.state import (
    Applied,
    Desired,
    DesiredState,
    Identity,
    Observed,
    RegistryState,
    SourceRecord,
)
from reconciler.errors import UsageError

BASE = Address("parameters", "base")
EMPTY = RegistryState({}, {}, SourceRecord(), 0)


def state(**specs):
    """Sets by name, each used by the model of the same name."""
    desired = {}
    for name, spec in specs.items():
        for address, content in (
            (Address("parameters", name), spec),
            (model_address("p", name), {"mode": "chat", "parameters": name}),
        ):
            desired[address] = Desired(address, content, True, Place("a.yaml", 1, 1))
    return DesiredState(desired, {}, (), Identity("here"))


def stored(desired, **hand_made):
    """A database to which a state was applied, with fields of sets changed by hand."""
    applied = {a: Applied(d.spec, d.active, d.place.file, d.place.line) for a, d in desired.entities.items()}
    observed = {
        a: Observed(
            hand_made.get(a.key, d.spec) if a.kind == "parameters" else d.spec, True, None, 1, "1", "default"
        )
        for a, d in desired.entities.items()
    }
    return RegistryState(observed, applied, SourceRecord(Identity("here"), {}), 1)


def test_same_input_gives_the_same_digest_and_other_input_another():
    one, other = state(base={"top_k": 1}), state(base={"top_k": 2})
    digests = [make_plan(desired, EMPTY, PlanOptions()).digest for desired in (one, one, other)]
    assert digests[0] == digests[1] != digests[2]
    assert make_plan(one, EMPTY, PlanOptions(source="b")).digest != digests[0]


def test_the_summary_counts_what_is_there():
    before = state(base={"top_k": 1}, gone={"top_k": 1}, same={})
    plan = make_plan(state(base={"top_k": 2}, same={}, new={}), stored(before), PlanOptions())
    assert plan.summary == {
        "create": 2,
        "update": 1,
        "activate": 0,
        "deactivate": 2,
        "adopt": 0,
        "unchanged": 3,
    }
    actions = sorted(action_of(change) for change in plan.changes)
    assert actions == ["create", "create", "deactivate", "deactivate", "update"]


def test_a_changed_set_says_how_many_models_will_use_it():
    before = state(base={"top_k": 1})
    after = state(base={"top_k": 2})
    extra = model_address("p", "second")
    more = Desired(extra, {"mode": "chat", "parameters": "base"}, True, Place("a.yaml", 2, 1))
    desired = DesiredState({**after.entities, extra: more}, {}, (), Identity("here"))
    assert make_plan(desired, stored(before), PlanOptions()).used_by == {BASE: 2}


def test_drift_compares_the_database_with_what_was_applied_and_not_with_the_files():
    registry = stored(state(base={"top_k": 1}, other={"top_k": 3}), base={"top_k": 9})
    drift = make_drift(registry, source="default")
    assert [(str(c.address), c.cause, c.fields) for c in drift.changes] == [
        ("parameters:base", "drift", (("top_k", 9, 1),))
    ]
    assert drift.unchanged == 3


def test_what_was_deleted_by_hand_after_it_left_the_files_is_no_drift():
    registry = stored(state(base={}))
    gone = {a: last._replace(active=False) for a, last in registry.applied.items()}
    assert make_drift(RegistryState({}, gone, registry.record, 1), source="default").changes == ()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param({}, {"base": {}}, {"model:p/base"}, id="created"),
        pytest.param({"base": {}}, {"base": {}}, set(), id="unchanged"),
        pytest.param(
            {"base": {"top_k": 1}, "b": {}}, {"base": {}, "b": {}}, {"model:p/base"}, id="its set changed"
        ),
        pytest.param({"base": {}, "b": {}}, {"base": {}}, set(), id="another one left"),
    ],
)
def test_an_apply_touches_the_models_whose_request_changes(before, after, expected):
    desired = state(**after)
    registry = stored(state(**before)) if before else EMPTY
    plan = make_plan(desired, registry, PlanOptions())
    assert {str(address) for address in touched(plan, desired)} == expected


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("provider:openai", ("provider", "openai")),
        ("parameters:openai/gpt-4o", ("parameters", "openai/gpt-4o")),
        ("model:openrouter/meta-llama/llama-3:free", ("model", "openrouter/meta-llama/llama-3:free")),
        ("template:a:b", ("template", "a:b")),
    ],
)
def test_an_address_is_read_as_it_is_written(text, address):
    assert parse_address(text) == address
    assert str(parse_address(text)) == text


@pytest.mark.parametrize(
    "text", ["gpt-4o", "models:x", "model:openai", "model:/x", "model:x/", "provider:", ""]
)
def test_what_is_no_address_is_an_error_with_a_hint(text):
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    assert caught.value.code == "bad-address"
    assert "provider:NAME" in caught.value.hint
