"""Each safety rule by name: when it speaks, what lifts it, and what does not."""

import pytest

from reconciler.core.address import Address, model_address
from reconciler.core.options import PlanOptions
from reconciler.core.planning import make_plan
from reconciler.core.policy import check_acknowledgements
from reconciler.core.problem import Place
from reconciler.core.state import (
    Applied,
    Desired,
    DesiredState,
    Identity,
    Observed,
    RegistryState,
    SourceFile,
    SourceRecord,
)
from reconciler.errors import UsageError

HERE = Identity("git.example.com/llm#prod/providers.d")
FILE = "all.yaml"


def provider(name="openai", **spec):
    return Address("provider", name), {"kind": "openai", **spec}


def parameters(name="base"):
    return Address("parameters", name), {"temperature": 0.7}


def model(number, *, provider="openai", uses="base", **spec):
    return model_address(provider, f"m{number}"), {"mode": "chat", "parameters": uses, **spec}


def files(*entities, inactive=(), identity=HERE, empty=()):
    """What the files ask for."""
    desired = {
        address: Desired(address, spec, str(address) not in inactive, Place(FILE, 1, 1))
        for address, spec in entities
    }
    read = {FILE: SourceFile("0" * 64, tuple(desired))} | {name: SourceFile("1" * 64, ()) for name in empty}
    return DesiredState(desired, read, (), identity)


def applied(*entities, inactive=(), foreign=(), identity=HERE, defined_in=None):
    """A database in which these were applied by us and `foreign` belong to nobody."""
    ours = {address: Applied(spec, str(address) not in inactive, FILE, 1) for address, spec in entities}
    rows = {
        address: Observed(spec, str(address) not in inactive, None, 1, "1", "default")
        for address, spec in entities
    } | {address: Observed(spec, True, None, 1, "1", None) for address, spec in foreign}
    defines = defined_in or {FILE: tuple(ours)}
    record = SourceRecord(identity, {name: SourceFile("0" * 64, what) for name, what in defines.items()})
    return RegistryState(rows, ours, record, 1)


def rules(desired, registry, *accept, **options):
    plan = make_plan(desired, registry, PlanOptions(accept=accept, **options))
    return [(refusal.rule, refusal.accept) for refusal in plan.refusals]


BASE = (provider(), parameters())


def models(count, **spec):
    return tuple(model(number, **spec) for number in range(count))


@pytest.mark.parametrize(
    ("active", "kept", "refused"),
    [
        pytest.param(10, 7, [], id="exactly 30 %"),
        pytest.param(10, 6, [("deactivations", "deactivate=4")], id="more than 30 %"),
        pytest.param(9, 1, [], id="fewer than 10 active models"),
        pytest.param(100, 69, [("deactivations", "deactivate=31")], id="31 of 100"),
    ],
)
def test_too_many_models_becoming_inactive_is_refused(active, kept, refused):
    before = applied(*BASE, *models(active))
    assert rules(files(*BASE, *models(kept)), before) == refused


def test_models_switched_off_in_the_files_count_like_vanished_ones():
    off = {f"model:openai/m{number}" for number in range(4)}
    after = files(*BASE, *models(10), inactive=off)
    assert rules(after, applied(*BASE, *models(10))) == [("deactivations", "deactivate=4")]


def test_only_the_exact_number_of_models_is_an_acknowledgement():
    before, after = applied(*BASE, *models(10)), files(*BASE, *models(6))
    assert rules(after, before, "deactivate=4") == []
    assert rules(after, before, "deactivate=5") == [("deactivations", "deactivate=4")]


def test_models_that_were_inactive_already_do_not_count():
    off = {f"model:openai/m{number}" for number in range(5)}
    before = applied(*BASE, *models(15), inactive=off)
    assert rules(files(*BASE, *models(15)[5:]), before) == []


@pytest.mark.parametrize(
    ("count", "refused"),
    [
        pytest.param(1, [], id="with one active model"),
        pytest.param(2, [("provider-vanished", "provider=groq")], id="with two"),
    ],
)
def test_a_vanished_provider_is_refused(count, refused):
    gone = (provider("groq"), *models(count, provider="groq"))
    before = applied(*BASE, *models(20), *gone)
    after = files(*BASE, *models(20))
    assert rules(after, before) == refused
    assert rules(after, before, "provider=groq") == []


def test_a_provider_switched_off_in_the_files_has_not_vanished():
    entities = (*BASE, *models(3))
    off = {"provider:openai", *(f"model:openai/m{number}" for number in range(3))}
    assert rules(files(*entities, inactive=off), applied(*entities)) == []


def test_an_empty_source_is_refused_beside_the_other_rules():
    before = applied(*BASE, *models(10))
    nothing = DesiredState({}, {}, (), HERE)
    assert rules(nothing, before) == [
        ("empty-source", "empty"),
        ("deactivations", "deactivate=10"),
        ("provider-vanished", "provider=openai"),
    ]
    assert rules(nothing, before, "empty") == [
        ("deactivations", "deactivate=10"),
        ("provider-vanished", "provider=openai"),
    ]
    assert rules(nothing, before, "empty", "deactivate=10", "provider=openai") == []


def test_an_empty_source_is_refused_on_an_empty_database_too():
    assert rules(DesiredState({}, {}, (), HERE), applied()) == [("empty-source", "empty")]


def test_a_file_that_became_empty_is_refused_by_its_name():
    one = model(1)
    before = applied(*BASE, one, defined_in={FILE: (provider()[0],), "b.yaml": (one[0],)})
    after = files(*BASE, empty=["b.yaml", "c.yaml"])
    assert rules(after, before) == [("empty-file", "empty-file=b.yaml")]
    assert rules(after, before, "empty-file=c.yaml") == [("empty-file", "empty-file=b.yaml")]
    assert rules(after, before, "empty-file=b.yaml") == []


@pytest.mark.parametrize(
    ("kept", "accept"),
    [
        pytest.param(1, "protected=model:openai/m1", id="one model leaves"),
        pytest.param(0, "protected=provider:openai", id="several leave"),
    ],
)
def test_deactivating_what_is_protected_is_refused(kept, accept):
    shielded = (provider(protected=True), parameters())
    before, after = applied(*shielded, *models(2)), files(*shielded, *models(kept))
    assert rules(after, before) == [("protected", accept)]
    assert rules(after, before, accept) == []
    assert rules(after, before, "protected=model:openai/m9") == [("protected", accept)]


def test_naming_each_protected_entity_is_as_good_as_naming_its_provider():
    shielded = (provider(protected=True), parameters())
    before, after = applied(*shielded, *models(2)), files(*shielded)
    assert rules(after, before, "protected=model:openai/m0") == [("protected", "protected=model:openai/m1")]
    assert rules(after, before, "protected=model:openai/m0", "protected=model:openai/m1") == []


def test_one_change_cannot_remove_a_protection_and_what_it_protected():
    before = applied(provider(protected=True), parameters(), *models(2))
    after = files(*BASE, model(1))
    assert rules(after, before) == [("protected", "protected=model:openai/m0")]


@pytest.mark.parametrize(
    "identity",
    [
        pytest.param(Identity("git.example.com/llm#staging/providers.d"), id="another directory"),
        pytest.param(Identity(HERE.origin, ("overlays/eu",)), id="another overlay"),
    ],
)
def test_a_source_that_comes_from_elsewhere_is_refused(identity):
    before = applied(*BASE, model(1))
    after = files(*BASE, model(1), identity=identity)
    assert rules(after, before) == [("moved-source", "moved-source")]
    assert rules(after, before, "moved-source") == []


def test_another_commit_of_the_same_source_has_not_moved():
    after = files(*BASE, model(1), identity=Identity(HERE.origin, revision="abc"))
    assert rules(after, applied(*BASE, model(1))) == []


@pytest.mark.parametrize("owner", [None, "other"])
def test_a_set_that_a_foreign_model_still_uses_cannot_be_deactivated(owner):
    mine = (provider(), parameters("mine"), model(1, uses="mine"))
    before = applied(*mine, parameters("shared"), foreign=[model(7, uses="shared")])
    foreign = model_address("openai", "m7")
    rows = {**before.observed, foreign: before.observed[foreign]._replace(owner=owner)}
    before = RegistryState(rows, before.applied, before.record, 1)
    assert rules(files(*mine), before) == [("in-use", "")]


def test_a_set_whose_users_leave_or_move_with_it_is_not_in_use():
    before = applied(provider(), parameters("a"), parameters("b"), model(1, uses="a"), model(2, uses="b"))
    after = files(provider(), parameters("b"), model(1, uses="b"))
    assert rules(after, before) == []


def test_a_template_in_use_cannot_be_deactivated_and_nothing_lifts_that():
    template = (Address("template", "t"), {"system_prompt": "x"})
    user = model(7, prompt_template="t")
    before = applied(*BASE, template, foreign=[user])
    plan = make_plan(files(*BASE), before, PlanOptions(accept=("empty",)))
    assert [(refusal.rule, refusal.accept) for refusal in plan.refusals] == [("in-use", "")]
    assert "model:openai/m7" in plan.refusals[0].message


def test_rows_that_nobody_manages_need_adoption_and_foreign_ones_are_always_refused():
    there = applied(*BASE, foreign=[model(1)])
    after = files(*BASE, model(1))
    assert rules(after, there) == [("ownership", "--adopt")]
    assert rules(after, there, adopt=True) == []
    rows = {address: row._replace(owner=row.owner or "other") for address, row in there.observed.items()}
    theirs = RegistryState(rows, there.applied, there.record, 1)
    assert rules(after, theirs, adopt=True) == [("ownership", "")]


def test_deferred_deactivations_are_left_out_and_trip_no_rule():
    before, after = applied(*BASE, *models(10)), files(*BASE, *models(2))
    plan = make_plan(after, before, PlanOptions(no_deactivate=True))
    assert plan.refusals == ()
    assert plan.changes == ()
    assert {change.address for change in plan.deferred} == {model(number)[0] for number in range(2, 10)}


@pytest.mark.parametrize(
    "given",
    [
        "force",
        "deactivate=x",
        "deactivate",
        "deactivate=",
        "empty=yes",
        "moved-source=1",
        "",
        "=1",
        "protected",
    ],
)
def test_an_acknowledgement_that_names_no_rule_is_an_error(given):
    with pytest.raises(UsageError, match="names no safety rule"):
        check_acknowledgements([given])


def test_every_refusal_with_an_acknowledgement_is_lifted_by_what_it_says_itself():
    gone = (provider("groq", protected=True), *models(5, provider="groq"))
    before = applied(*BASE, *models(10), *gone, defined_in={FILE: (), "g.yaml": tuple(a for a, _ in gone)})
    after = files(*BASE, model(0), identity=Identity("elsewhere"), empty=["g.yaml"])
    plan = make_plan(after, before, PlanOptions())
    assert {refusal.rule for refusal in plan.refusals} == {
        *("moved-source", "empty-file", "deactivations", "provider-vanished", "protected")
    }
    accept = tuple(refusal.accept for refusal in plan.refusals)
    assert make_plan(after, before, PlanOptions(accept=accept)).refusals == ()
    for left_out in accept:
        rest = tuple(given for given in accept if given != left_out)
        remaining = make_plan(after, before, PlanOptions(accept=rest)).refusals
        assert [refusal.accept for refusal in remaining] == [left_out]
