"""Every row of the table of cases of the three-way comparison, and its laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.address import Address
from reconciler.core.changes import (
    Activate,
    Adopt,
    Conflict,
    Create,
    Deactivate,
    FieldChange,
    Update,
)
from reconciler.core.diff import diff, ordered
from reconciler.core.problem import Place
from reconciler.core.state import Applied, Desired, Observed

MODEL = Address("model", "openai/gpt-4o")
PLACE = Place("openai.yaml", 7, 5)
COLD = {"parameters": "base", "mode": "chat", "version": "1"}
WARM = {**COLD, "version": "2"}
HOT = {**COLD, "version": "3"}


def want(spec=COLD, *, active=True):
    return Desired(MODEL, spec, active, PLACE)


def last(spec=COLD, *, active=True):
    return Applied(spec, active, PLACE.file, PLACE.line)


def have(spec=COLD, *, active=True, owner="default", hold=None):
    return Observed(spec, active, hold, 1, "700", owner)


def version(before, after):
    return (FieldChange("version", before, after),)


def found(desired, applied, observed, **options):
    def state(value):
        return {} if value is None else {MODEL: value}

    return diff(state(desired), state(applied), state(observed), **options)


CASES = [
    pytest.param(want(), None, None, Create(MODEL, "files", want()), id="new in the files"),
    pytest.param(
        want(WARM),
        last(),
        have(),
        Update(MODEL, "files", version("1", "2"), want(WARM), have()),
        id="the files moved",
    ),
    pytest.param(
        want(),
        last(),
        have(WARM),
        Update(MODEL, "drift", version("2", "1"), want(), have(WARM)),
        id="the database moved",
    ),
    pytest.param(
        want(HOT),
        last(),
        have(WARM),
        Update(MODEL, "both", version("2", "3"), want(HOT), have(WARM)),
        id="both moved",
    ),
    pytest.param(
        want(),
        last(active=False),
        have(active=False),
        Activate(MODEL, "files", (), want(), have(active=False)),
        id="back in the files",
    ),
    pytest.param(
        want(WARM),
        last(active=False),
        have(active=False),
        Activate(MODEL, "files", version("1", "2"), want(WARM), have(active=False)),
        id="back in the files with other content",
    ),
    pytest.param(
        want(),
        last(),
        have(active=False),
        Activate(MODEL, "drift", (), want(), have(active=False)),
        id="switched off by hand",
    ),
    pytest.param(
        want(WARM, active=False),
        last(),
        have(),
        Deactivate(
            MODEL, "files", version("1", "2"), want(WARM, active=False), have(), PLACE.file, PLACE.line
        ),
        id="switched off in the files with other content",
    ),
    pytest.param(
        want(active=False),
        last(active=False),
        have(),
        Deactivate(MODEL, "drift", (), want(active=False), have(), PLACE.file, PLACE.line),
        id="switched on by hand",
    ),
    pytest.param(want(), last(), None, Create(MODEL, "drift", want()), id="deleted by hand"),
    pytest.param(want(WARM), last(), None, Create(MODEL, "drift", want(WARM)), id="deleted by hand, moved"),
    pytest.param(
        want(), None, have(owner=None), Conflict(MODEL, None, want()), id="there and nobody manages it"
    ),
    pytest.param(want(), None, have(owner="other"), Conflict(MODEL, "other", want()), id="another source's"),
    pytest.param(
        None,
        last(),
        have(),
        Deactivate(MODEL, "files", (), None, have(), PLACE.file, PLACE.line),
        id="gone from the files",
    ),
    pytest.param(
        None,
        last(active=False),
        have(),
        Deactivate(MODEL, "drift", (), None, have(), PLACE.file, PLACE.line),
        id="gone, and switched on by hand",
    ),
    pytest.param(None, last(), have(active=False), None, id="gone and inactive: stays ours"),
    pytest.param(None, last(), None, None, id="gone from both"),
    pytest.param(None, None, have(owner=None), None, id="unmanaged"),
    pytest.param(None, None, have(owner="other"), None, id="another source's, not in our files"),
    pytest.param(
        want(),
        last(WARM, active=False)._replace(retired=True),
        have(HOT, active=False),
        Activate(MODEL, "files", version("3", "1"), want(), have(HOT, active=False)),
        id="back in the files, and its row edited while it was away",
    ),
    pytest.param(want(WARM), last(), have(WARM), None, id="someone was first"),
    pytest.param(want(), last(), have(), None, id="nothing moved"),
    pytest.param(want(), last(), have(hold="pending"), None, id="on hold agrees with files that want it"),
    pytest.param(
        want(active=False),
        last(),
        have(hold="failing"),
        Deactivate(MODEL, "files", (), want(active=False), have(hold="failing"), PLACE.file, PLACE.line),
        id="on hold and not wanted any more",
    ),
]


@pytest.mark.parametrize(("desired", "applied", "observed", "step"), CASES)
def test_diff_names_each_step(desired, applied, observed, step):
    result = found(desired, applied, observed)
    steps = (*result.changes, *result.conflicts)
    assert steps == (() if step is None else (step,))
    assert result.unchanged == (1 if desired is not None and step is None else 0)


@pytest.mark.parametrize(
    ("observed", "fields"),
    [
        pytest.param(have(owner=None), (), id="the same"),
        pytest.param(have(WARM, owner=None), version("2", "1"), id="other content"),
        pytest.param(have(active=False, owner=None), (FieldChange("is_active", False, True),), id="inactive"),
    ],
)
def test_adopting_names_the_fields_that_change(observed, fields):
    result = found(want(), None, observed, adopt=True)
    assert result.changes == (Adopt(MODEL, "files", fields, want(), observed),)
    assert result.conflicts == ()


def test_adopting_never_takes_what_another_source_owns():
    result = found(want(), None, have(owner="other"), adopt=True)
    assert result.changes == ()
    assert result.conflicts == (Conflict(MODEL, "other", want()),)


@pytest.mark.parametrize(
    ("applied", "noted"),
    [
        pytest.param(last(), (), id="up to date"),
        pytest.param(last(WARM), (want(),), id="someone else made the row right"),
        pytest.param(last()._replace(line=9), (want(),), id="it moved within its file"),
        pytest.param(last()._replace(file="other.yaml"), (want(),), id="it moved to another file"),
        pytest.param(last(active=False), (want(),), id="it was applied as inactive"),
    ],
)
def test_what_needs_no_change_is_noted_where_the_applied_state_is_behind(applied, noted):
    result = found(want(), applied, have())
    assert result.changes == ()
    assert result.noted == noted


def test_what_is_gone_from_files_and_database_is_forgotten():
    assert found(None, last(), None).forgotten == (MODEL,)
    assert found(None, last(), have(active=False)).forgotten == ()


@pytest.mark.parametrize(
    ("applied", "retired"),
    [
        pytest.param(last(), (MODEL,), id="switched off by hand before it left"),
        pytest.param(last(active=False), (MODEL,), id="inactive in the files before it left"),
        pytest.param(last(active=False)._replace(retired=True), (), id="known to have left"),
    ],
)
def test_what_left_the_files_inactive_is_noted_once(applied, retired):
    assert found(None, applied, have(active=False)).retired == retired


def test_a_retired_entity_that_comes_back_as_it_was_is_noted():
    back = want(active=False)
    result = found(back, last(active=False)._replace(retired=True), have(active=False))
    assert (result.changes, result.noted) == ((), (back,))


def test_changes_come_in_the_order_of_doing():
    names = {
        "provider": Address("provider", "openai"),
        "parameters": Address("parameters", "base"),
        "template": Address("template", "plain"),
        "model": MODEL,
    }
    creates = [Create(address, "files", want()._replace(address=address)) for address in names.values()]
    leaves = [Deactivate(address, "files", (), None, have(), "f", 1) for address in names.values()]
    steps = ordered([*reversed(creates), *leaves])
    assert [step.address.kind for step in steps] == [
        *["provider", "parameters", "template", "model"],
        *["model", "template", "parameters", "provider"],
    ]


specs = st.fixed_dictionaries(
    {"mode": st.sampled_from(["chat", "embedding"])},
    optional={"version": st.text(max_size=3), "extra": st.dictionaries(st.text(max_size=2), st.booleans())},
)
addresses = st.builds(
    Address, st.sampled_from(["provider", "template", "model"]), st.text(min_size=1, max_size=3)
)


@given(st.dictionaries(addresses, st.tuples(specs, st.booleans()), max_size=8))
def test_a_state_compared_with_itself_is_no_change(state):
    desired = {a: Desired(a, spec, active, PLACE) for a, (spec, active) in state.items()}
    applied = {a: Applied(spec, active, PLACE.file, PLACE.line) for a, (spec, active) in state.items()}
    observed = {a: Observed(spec, active, None, 1, "1", "default") for a, (spec, active) in state.items()}
    result = diff(desired, applied, observed)
    assert (result.changes, result.conflicts, result.noted, result.forgotten) == ((), (), (), ())
    assert result.unchanged == len(state)


@given(st.dictionaries(addresses, specs, max_size=8), st.randoms())
def test_the_order_of_the_files_does_not_matter(state, random):
    items = [(a, Desired(a, spec, True, PLACE)) for a, spec in state.items()]
    shuffled = list(items)
    random.shuffle(shuffled)
    assert diff(dict(items), {}, {}) == diff(dict(shuffled), {}, {})
