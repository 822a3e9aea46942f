"""Safety rules on a real database: what is refused writes nothing; each rule is lifted by its own words."""

from dataclasses import replace

import pytest
from support.registry_dump import BUILT_IN, active_part, asked_for, dump, entities, ids, versions
from support.rows import insert, insert_model, row_id
from support.small_states import (
    model,
    models,
    parameters,
    planned,
    provider,
    run,
    run_whatever_it_takes,
    state,
    template,
)

from reconciler.core.address import Address
from reconciler.core.changes import Create
from reconciler.core.state import SourceFile
from reconciler.engine.plan import drift
from reconciler.errors import RefusedError, UsageError
from reconciler.store.session import connect


@pytest.fixture
def connection(database):
    with connect(database) as connection:
        yield connection


P, Q = provider("p"), provider("q")
PROTECTED = provider("p", protected=True)
TEN = state(P, *models(10))


def in_files(wanted, **files):
    """The same state, read from other files: what each of them defines."""
    return replace(
        wanted,
        files={
            f"{name}.yaml": SourceFile(repr(defines), tuple(sorted(one.address for one in defines)))
            for name, defines in files.items()
        },
    )


RULES = [
    pytest.param(
        TEN,
        state(P, *models(6)),
        {"deactivations": "deactivate=4"},
        id="more than three in ten models vanish",
    ),
    pytest.param(
        TEN,
        state(P, *models(10)[:6], *models(10, active=False)[6:]),
        {"deactivations": "deactivate=4"},
        id="more than three in ten models are switched off",
    ),
    pytest.param(
        TEN,
        state(provider("p", active=False), *models(10, active=False)),
        {"deactivations": "deactivate=10"},
        id="a provider is switched off with its models",
    ),
    pytest.param(
        state(P, Q, *models(2)),
        state(Q),
        {"provider-vanished": "provider=p"},
        id="a provider with two models vanishes",
    ),
    pytest.param(
        TEN,
        in_files(state()),
        {"empty-source": "empty", "deactivations": "deactivate=10", "provider-vanished": "provider=p"},
        id="the directory is empty",
    ),
    pytest.param(
        in_files(state(P, Q), one=(P,), two=(Q,)),
        in_files(state(P), one=(P,), two=()),
        {"empty-file": "empty-file=two.yaml"},
        id="a file is empty",
    ),
    pytest.param(
        state(PROTECTED, *models(3)),
        state(PROTECTED, *models(2)),
        {"protected": "protected=model:p/m2"},
        id="a model of a protected provider vanishes",
    ),
    pytest.param(
        state(PROTECTED, *models(3)),
        state(PROTECTED, *models(3, active=False)),
        {"protected": "protected=provider:p"},
        id="all models of a protected provider are switched off",
    ),
    pytest.param(
        state(PROTECTED, *models(3)),
        state(P, *models(2)),
        {"protected": "protected=model:p/m2"},
        id="the protection goes with what it protected",
    ),
    pytest.param(
        state(P), state(P, Q, origin="elsewhere"), {"moved-source": "moved-source"}, id="another origin"
    ),
    pytest.param(
        state(P),
        replace(state(P, Q), identity=replace(state().identity, overlays=("prod",))),
        {"moved-source": "moved-source"},
        id="an overlay",
    ),
]


@pytest.mark.parametrize(("before", "after", "rules"), RULES)
def test_a_refused_plan_writes_nothing(connection, before, after, rules):
    run(connection, before)
    quiet = versions(connection)
    found = planned(connection, after)
    with pytest.raises(RefusedError) as caught:
        run(connection, after)
    assert {one.rule: one.accept for one in caught.value.refusals} == rules
    assert caught.value.plan.refusals == found.refusals
    assert caught.value.exit_status == 3
    assert versions(connection) == quiet


@pytest.mark.parametrize(("before", "after", "rules"), RULES)
def test_each_rule_is_lifted_by_its_own_acknowledgement(connection, before, after, rules):
    run(connection, before)
    for rule, accept in rules.items():
        others = [other for other in rules.values() if other != accept]
        with pytest.raises(RefusedError) as caught:
            run(connection, after, *others)
        assert [one.rule for one in caught.value.refusals] == [rule]
    run(connection, after, *rules.values())
    assert active_part(connection) == asked_for(after)
    again = planned(connection, after, *({"empty"} & set(rules.values())))
    assert (again.changes, again.refusals) == ((), ())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(TEN, state(P, *models(7)), id="three in ten models"),
        pytest.param(state(P, *models(9)), state(P, *models(1)), id="most models of a few"),
        pytest.param(state(P, Q, *models(1)), state(Q), id="a provider with one model"),
        pytest.param(state(P, *models(3)), state(P), id="all models of a provider that stays"),
    ],
)
def test_an_ordinary_edit_is_not_refused(connection, before, after):
    run(connection, before)
    assert run(connection, after).counts["deactivate"] > 0
    assert active_part(connection) == asked_for(after)


@pytest.mark.parametrize(
    "accept",
    [("deactivate=3",), ("deactivate=5",), ("provider=p",), ("empty",)],
    ids=lambda accept: accept[0],
)
def test_another_acknowledgement_lifts_nothing(connection, accept):
    run(connection, TEN)
    with pytest.raises(RefusedError):
        run(connection, state(P, *models(6)), *accept)
    assert active_part(connection) == asked_for(TEN)


def test_an_acknowledgement_that_names_no_rule_is_told_before_anything_is_written(connection):
    quiet = versions(connection)
    with pytest.raises(UsageError, match="names no safety rule"):
        run(connection, TEN, "force")
    assert versions(connection) == quiet


# What others use.

USING = state(
    P, parameters("base"), template("words"), model("p/a", parameters="base", prompt_template="words")
)
USED = [
    pytest.param("parameters_id", "llm_parameters", Address("parameters", "base"), id="a set"),
    pytest.param("prompt_template_id", "prompt_templates", Address("template", "words"), id="a template"),
]
WITHOUT = state(P, model("p/a"))


@pytest.mark.parametrize(("column", "table", "used"), USED)
def test_what_an_unmanaged_model_uses_cannot_go(connection, column, table, used):
    run(connection, USING)
    insert_model(connection, "theirs/x", **{column: row_id(connection, table, used.key)})
    quiet = versions(connection)
    with pytest.raises(RefusedError) as caught:
        run(connection, WITHOUT)
    (refusal,) = caught.value.refusals
    assert (refusal.rule, refusal.accept) == ("in-use", "")
    assert refusal.addresses == (used, Address("model", "theirs/x"))
    assert versions(connection) == quiet


@pytest.mark.parametrize(("column", "table", "used"), USED)
def test_what_only_inactive_models_use_can_go(connection, column, table, used):
    run(connection, USING)
    insert_model(connection, "theirs/x", is_active=False, **{column: row_id(connection, table, used.key)})
    run(connection, WITHOUT)
    assert active_part(connection) == asked_for(WITHOUT)


# Whose it is.


def rows_of_hands(connection, *, active=True):
    """The same four entities as `OURS`, made by hand."""
    insert(connection, "providers", name="p", kind="watsonx", is_active=active)
    insert(connection, "llm_parameters", name="base", top_k=9, is_active=active)
    insert(connection, "prompt_templates", name="words", is_active=active)
    insert_model(connection, "p/a", version="theirs", is_active=active)


OURS = state(P, parameters("base", top_k=1), template("words"), model("p/a", parameters="base"))


def test_rows_that_nobody_manages_are_refused_and_not_touched(connection):
    rows_of_hands(connection)
    quiet = versions(connection)
    with pytest.raises(RefusedError) as caught:
        run(connection, OURS)
    (refusal,) = caught.value.refusals
    assert (refusal.rule, refusal.accept) == ("ownership", "--adopt")
    assert set(refusal.addresses) == OURS.entities.keys()
    assert versions(connection) == quiet


@pytest.mark.parametrize("active", [True, False], ids=["active", "inactive"])
def test_adopted_rows_become_what_the_files_ask_for_and_ours(connection, active):
    rows_of_hands(connection, active=active)
    before = ids(connection)
    done = run(connection, OURS, adopt=True)
    assert done.counts["adopt"] == 4
    assert active_part(connection) == asked_for(OURS)
    assert ids(connection) == before
    fields = {str(change.address): {one.path for one in change.fields} for change in done.plan.changes}
    switched = set() if active else {"is_active"}
    assert fields == {
        "provider:p": {"kind", *switched},
        "parameters:base": {"top_k", *switched},
        "template:words": switched,
        "model:p/a": {"parameters", "version", *switched},
    }
    assert planned(connection, OURS).changes == ()
    assert drift(connection, "default").changes == ()


def test_a_row_that_is_adopted_as_inactive_is_switched_off(connection):
    rows_of_hands(connection)
    wanted = state(provider("p", active=False), model("p/a", active=False))
    run(connection, wanted, adopt=True)
    assert {row.active for one, row in entities(connection).items() if one in wanted.entities} == {False}
    assert planned(connection, wanted).changes == ()


@pytest.mark.parametrize("adopt", [False, True], ids=["without --adopt", "with --adopt"])
def test_rows_of_another_source_are_refused_always(connection, adopt):
    run(connection, OURS)
    quiet = versions(connection)
    with pytest.raises(RefusedError) as caught:
        run(connection, OURS, source="other", adopt=adopt)
    (refusal,) = caught.value.refusals
    assert (refusal.rule, refusal.accept) == ("ownership", "")
    assert set(refusal.addresses) == OURS.entities.keys()
    assert versions(connection) == quiet


def test_a_row_of_another_source_is_refused_though_a_hand_deleted_it(connection):
    run(connection, OURS)
    connection.execute("DELETE FROM provider_model_configs")
    quiet = versions(connection)
    with pytest.raises(RefusedError) as caught:
        run(connection, state(model("p/a")), source="other")
    (refusal,) = caught.value.refusals
    assert (refusal.rule, refusal.accept, refusal.addresses) == ("ownership", "", (Address("model", "p/a"),))
    assert versions(connection) == quiet
    run(connection, OURS)
    assert active_part(connection) == asked_for(OURS)


def test_two_sources_side_by_side_do_not_see_each_other(connection):
    theirs = state(provider("q"), parameters("theirs"), model("q/a", parameters="theirs"))
    run(connection, OURS)
    run(connection, theirs, source="other")
    assert active_part(connection) == {**asked_for(OURS), **asked_for(theirs)}
    run_whatever_it_takes(connection, state(P))
    assert active_part(connection) == {**asked_for(state(P)), **asked_for(theirs)}
    assert planned(connection, theirs, source="other").changes == ()


# What is left for later.


def test_deactivations_that_are_put_off_are_shown_again_by_the_next_plan(connection):
    before, after = state(P, *models(3)), state(P, *models(1), parameters("new"))
    run(connection, before)
    done = run(connection, after, no_deactivate=True)
    assert done.counts == {"create": 1, "update": 0, "activate": 0, "deactivate": 0, "adopt": 0}
    assert [str(change.address) for change in done.plan.deferred] == ["model:p/m1", "model:p/m2"]
    assert active_part(connection).keys() == {*before.entities, *after.entities}
    assert dump(connection).sources[0][3] == ["model:p/m1", "model:p/m2"]
    found = planned(connection, after)
    assert [str(change.address) for change in found.changes] == ["model:p/m1", "model:p/m2"]
    run(connection, after)
    assert active_part(connection) == asked_for(after)
    assert dump(connection).sources[0][3] == []


def test_putting_off_twice_writes_once(connection):
    run(connection, state(P, *models(3)))
    run(connection, state(P, *models(1)), no_deactivate=True)
    quiet = versions(connection)
    again = run(connection, state(P, *models(1)), no_deactivate=True)
    assert (again.run, len(again.plan.deferred)) == (None, 2)
    assert versions(connection) == quiet


def test_deactivations_that_are_put_off_need_no_acknowledgement(connection):
    run(connection, TEN)
    done = run(connection, state(P), no_deactivate=True)
    assert len(done.plan.deferred) == 10
    assert active_part(connection) == asked_for(TEN)


def test_what_is_gone_from_files_and_database_is_forgotten_and_may_come_back(connection):
    run(connection, state(P, *models(3)))
    connection.execute("DELETE FROM provider_model_configs WHERE model_id = 'm2'")
    forgetting = run(connection, state(P, *models(2)))
    assert (forgetting.plan.changes, forgetting.run) == ((), None)
    assert dump(connection).managed[Address("model", "p/m2")][-1] is True
    assert planned(connection, state(P, *models(2))).bookkeeping.is_due is False
    done = run(connection, state(P, *models(3)))
    assert [(type(one), one.cause, str(one.address)) for one in done.plan.changes] == [
        (Create, "files", "model:p/m2")
    ]
    assert dump(connection).managed[Address("model", "p/m2")][-1] is False


def test_what_one_source_forgot_another_may_make(connection):
    run(connection, state(P, model("p/a")))
    connection.execute("DELETE FROM provider_model_configs")
    run(connection, state(P))
    run(connection, state(model("p/a")), source="other")
    assert dump(connection).managed[Address("model", "p/a")][0] == "other"
    assert planned(connection, state(P)).changes == ()
    assert drift(connection, "default").changes == ()


def test_the_built_in_set_is_never_written(connection):
    def built_in():
        return connection.execute(
            "SELECT xmin::text, to_jsonb(r) FROM llm_parameters r WHERE name = %s", [BUILT_IN.key]
        ).fetchall()

    before = built_in()
    for wanted in (TEN, state(P, *models(8)), OURS, USING, TEN):
        run_whatever_it_takes(connection, wanted)
    assert built_in() == before
    assert BUILT_IN not in dump(connection).managed
