"""What an override is, which one counts when, and what a plan says of it; no database, no clock."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.small_states import model, parameters, provider, state

from reconciler.core.address import Address
from reconciler.core.changes import FieldChange
from reconciler.core.options import PlanOptions
from reconciler.core.overrides import Live, LiveOverride, end_of, flat, in_force, readable, reason_of
from reconciler.core.planning import make_drift, make_plan
from reconciler.core.state import Applied, Identity, Observed, RegistryState, SourceRecord
from reconciler.errors import RegistrationError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EAST = timezone(timedelta(hours=9))


def override(number=1, address="p/m", *, starts=NOW - HOUR, ends=NOW + HOUR, **fields):
    return LiveOverride(number, Address("model", address), fields, "incident 4711", "alice", starts, ends)


# -- its end and its reason


@pytest.mark.parametrize(
    ("until", "end"),
    [
        pytest.param(timedelta(hours=2), NOW + 2 * HOUR, id="a span"),
        pytest.param(timedelta(days=30), NOW + timedelta(days=30), id="the longest"),
        pytest.param(timedelta(microseconds=1), NOW + timedelta(microseconds=1), id="the shortest"),
        pytest.param(NOW + HOUR, NOW + HOUR, id="a moment"),
        pytest.param((NOW + HOUR).astimezone(EAST), NOW + HOUR, id="another time zone"),
    ],
)
def test_an_end_is_a_moment_in_the_future_or_a_span_from_now_on(until, end):
    found = end_of(until, now=NOW)
    assert (found, found.utcoffset()) == (end, timedelta())


@pytest.mark.parametrize(
    ("until", "message", "hint"),
    [
        pytest.param(NOW.replace(tzinfo=None), "has no time zone", "tzinfo=UTC", id="naive"),
        pytest.param(NOW, "is in the past", "later", id="now"),
        pytest.param(NOW - HOUR, "is in the past", "later", id="past"),
        pytest.param(timedelta(), "is in the past", "later", id="no time"),
        pytest.param(-HOUR, "is in the past", "later", id="a span backwards"),
        pytest.param(timedelta(days=30, seconds=1), "more than 30 days", "earlier", id="too long"),
        pytest.param(timedelta.max, "more than 30 days", "earlier", id="ages"),
        pytest.param(datetime.max.replace(tzinfo=UTC), "more than 30 days", "earlier", id="the last moment"),
        pytest.param(datetime.min.replace(tzinfo=EAST), "is in the past", "later", id="the first moment"),
        pytest.param("tomorrow", "not str", "timedelta(hours=2)", id="text"),
        pytest.param(None, "not NoneType", "timedelta(hours=2)", id="nothing"),
        pytest.param(3600, "not int", "timedelta(hours=2)", id="a number"),
    ],
)
def test_an_end_that_cannot_be_is_refused_with_what_to_write(until, message, hint):
    with pytest.raises(RegistrationError, match=message) as raised:
        end_of(until, now=NOW)
    assert hint in raised.value.hint
    assert raised.value.code == "bad-until"


@pytest.mark.parametrize("given", ["x", "x" * 500, f" {'x' * 500}\n", "Störung №1"])
def test_a_reason_is_kept_without_the_spaces_around_it(given):
    assert reason_of(given) == given.strip()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "missing"),
        (" \n", "missing"),
        (None, "missing"),
        (4711, "missing"),
        ("x" * 501, "501 characters; the most is 500"),
        ("the key is sk-" + "a" * 30, "key's shape"),
        ("a\0b", "no database holds"),
        ("a\ud800b", "no database holds"),
    ],
)
def test_a_reason_that_cannot_be_kept_is_refused_and_not_repeated(given, message):
    with pytest.raises(RegistrationError, match=message) as raised:
        reason_of(given)
    assert not given or str(given) not in str(raised.value)


# -- which one counts


MOMENTS = st.integers(0, 100).map(lambda hours: NOW + hours * HOUR)


@st.composite
def several(draw):
    found = []
    for number in range(draw(st.integers(0, 5))):
        start = draw(MOMENTS)
        end = start + draw(st.integers(1, 50)) * HOUR
        address = draw(st.sampled_from(["p/a", "p/b"]))
        found.append(override(number, address, starts=start, ends=end, is_active=draw(st.booleans())))
    return draw(st.permutations(found))


@given(several(), MOMENTS)
def test_the_newest_that_holds_at_a_moment_counts_alone(overrides, now):
    found = in_force(overrides, now)
    for address in (Address("model", "p/a"), Address("model", "p/b")):
        holding = [one for one in overrides if one.address == address and one.starts_at <= now < one.ends_at]
        assert found.get(address) == max(holding, key=lambda one: one.id, default=None)


@given(several())
def test_after_all_ends_nothing_counts(overrides):
    last = max((one.ends_at for one in overrides), default=NOW)
    assert in_force(overrides, last) == {}


@pytest.mark.parametrize(
    ("found", "fields"),
    [
        (None, {}),
        ([], {}),
        ({"is_active": 1, "parameters": [], "prompt_template": 5, "labels": {}}, {}),
        ({"is_active": False, "prompt_template": None}, {"is_active": False, "prompt_template": None}),
        ({"parameters": {"description": "x", "top_k": 5}}, {"parameters": {"top_k": 5}}),
    ],
)
def test_what_a_hand_wrote_holds_what_can_be_held(found, fields):
    assert readable(found) == fields


def test_parameters_stand_beside_the_rest():
    assert flat({"is_active": True, "parameters": None, "prompt_template": "t"}) == {
        "is_active": True,
        "prompt_template": "t",
    }


# -- beside a plan

FILES = state(provider("p"), parameters("base", temperature=0.7, top_k=5), model("p/m", parameters="base"))


def registry(*more, of=FILES, owner="default", hold=None):
    """A database to which the files were applied."""
    observed, applied = {}, {}
    for number, one in enumerate((*of.entities.values(), *more)):
        held = hold if one.address.kind == "model" else None
        observed[one.address] = Observed(one.spec, one.active, held, number, "1", owner)
        applied[one.address] = Applied(one.spec, one.active, one.place.file, one.place.line)
    record = SourceRecord(Identity("providers.d"), of.files)
    return RegistryState(observed, applied, record, 1)


def planned(files, *overrides, have=None):
    found = make_plan(files, have or registry(), PlanOptions(), Live(NOW, overrides))
    return found, [(str(one.address), one.changes, one.hidden) for one in found.overrides]


HELD = {"is_active": False, "parameters": {"temperature": 0.0, "seed": 1, "top_k": None}}
SHOWN = (
    FieldChange("is_active", before=True, after=False),
    FieldChange("temperature", 0.7, 0.0),
    FieldChange("top_k", 5, None),
    FieldChange("seed", None, 1),
)


def test_a_plan_shows_what_is_held_beside_what_is_stored():
    plan, shown = planned(FILES, override(**HELD))
    assert shown == [("model:p/m", SHOWN, ())]
    assert (plan.changes, plan.overrides[0].seen_at) == ((), NOW)


def test_an_override_is_no_part_of_a_plans_changes_or_digest():
    with_it, _ = planned(FILES, override(**HELD))
    without, shown = planned(FILES)
    assert shown == []
    assert (with_it.digest, with_it.summary) == (without.digest, without.summary)


def test_a_plan_without_tables_has_none():
    assert make_plan(FILES, registry(), PlanOptions()).overrides == ()


@pytest.mark.parametrize(
    ("files", "hidden"),
    [
        pytest.param(FILES, (), id="nothing"),
        pytest.param(
            state(
                provider("p"), parameters("base", temperature=0.9, top_k=5), model("p/m", parameters="base")
            ),
            ("temperature",),
            id="a value of its set",
        ),
        pytest.param(
            state(
                provider("p"),
                parameters("base", temperature=0.7, top_k=5, top_p=0.5),
                model("p/m", parameters="base"),
            ),
            (),
            id="a value that is not held",
        ),
        pytest.param(
            state(
                provider("p"),
                parameters("base", temperature=0.7, top_k=5),
                parameters("other", temperature=0.7),
                model("p/m", parameters="other"),
            ),
            ("top_k",),
            id="another set",
        ),
        pytest.param(
            state(
                provider("p"),
                parameters("base", temperature=0.7, top_k=5),
                model("p/m", active=False, parameters="base"),
            ),
            ("is_active",),
            id="its activity",
        ),
        pytest.param(state(provider("p")), ("is_active",), id="gone from the files"),
    ],
)
def test_a_plan_names_what_it_changes_under_an_override(files, hidden):
    _, shown = planned(files, override(**HELD))
    assert shown == [("model:p/m", SHOWN, hidden)]


def test_a_model_on_hold_is_stored_as_inactive():
    _, shown = planned(FILES, override(is_active=True), have=registry(hold="failing"))
    assert shown == [("model:p/m", (FieldChange("is_active", before=False, after=True),), ())]


def test_a_model_that_is_gone_has_nothing_stored():
    _, shown = planned(FILES, override(address="p/gone", parameters={"top_k": 9}))
    assert shown == [("model:p/gone", (FieldChange("top_k", None, 9),), ())]


def test_the_sources_own_models_come_first():
    theirs = override(address="a/a", is_active=False)
    plan, _ = planned(FILES, theirs, override(address="p/m", is_active=False))
    assert [one.address.key for one in plan.overrides] == ["p/m", "a/a"]


def test_drift_shows_overrides_too():
    found = make_drift(registry(), source="default", live=Live(NOW, (override(**HELD),)))
    assert [(one.changes, one.hidden) for one in found.overrides] == [(SHOWN, ())]
    assert found.changes == ()
