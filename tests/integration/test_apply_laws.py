"""What holds of any two desired states: an apply converges, writes once, loses nothing; order is nothing."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from support import postgres
from support.generated import DATABASE_LAW, NASTY_IDS, edits, states
from support.registry_dump import active_part, asked_for, dump, ids, versions
from support.small_states import model, parameters, planned, provider, run, run_whatever_it_takes, state

from reconciler.core.schema_fields import NUMBER_LIMIT
from reconciler.core.schemas import ParameterSet
from reconciler.engine.plan import drift
from reconciler.store.session import connect

two_states = states().flatmap(lambda one: st.tuples(st.just(one), edits(one)))


EMPTIED = """
TRUNCATE providers, llm_parameters, prompt_templates, provider_model_configs, managed_entities, sources,
    source_files, reconcile_runs, audit_events, registry RESTART IDENTITY CASCADE;
INSERT INTO registry (id) VALUES (1);
INSERT INTO llm_parameters (name) VALUES ('default') ON CONFLICT DO NOTHING;
"""


@pytest.fixture(scope="module")
def registries(server_url, migrated_template):
    """A connection to a registry that is empty whenever an example asks for it."""
    with postgres.fresh_database(server_url, migrated_template) as url, connect(url) as connection:

        @contextmanager
        def fresh():
            connection.execute(EMPTIED)
            yield connection

        yield fresh


def assert_nothing_is_left_to_do(connection, wanted):
    found = planned(connection, wanted, "empty")
    assert (found.changes, found.deferred, found.refusals) == ((), (), ())
    assert not found.bookkeeping.is_due
    assert drift(connection, "default").changes == ()


@DATABASE_LAW
@given(wanted=states())
def test_after_an_apply_the_plan_is_empty_and_the_tables_say_what_the_files_say(registries, wanted):
    with registries() as connection:
        run_whatever_it_takes(connection, wanted)
        assert active_part(connection) == asked_for(wanted)
        assert dump(connection).entities.keys() == wanted.entities.keys()
        assert_nothing_is_left_to_do(connection, wanted)


@DATABASE_LAW
@given(wanted=states())
def test_a_second_apply_writes_nothing_at_all(registries, wanted):
    with registries() as connection:
        run_whatever_it_takes(connection, wanted)
        before = versions(connection)
        again = run(connection, wanted, "empty")
        assert again.run is None
        assert set(again.counts.values()) == {0}
        assert versions(connection) == before


@DATABASE_LAW
@given(pair=two_states)
def test_a_second_state_replaces_the_first_and_the_plan_is_empty_then(registries, pair):
    first, second = pair
    with registries() as connection:
        run_whatever_it_takes(connection, first)
        run_whatever_it_takes(connection, second)
        assert active_part(connection) == asked_for(second)
        assert_nothing_is_left_to_do(connection, second)


@DATABASE_LAW
@given(pair=two_states, random=st.randoms(use_true_random=False))
def test_the_order_of_the_entities_says_nothing(registries, pair, random):
    first, second = pair
    shuffled = [*second.entities.items()]
    random.shuffle(shuffled)
    dumps, digests = [], []
    for wanted in (second, replace(second, entities=dict(shuffled))):
        with registries() as connection:
            run_whatever_it_takes(connection, first)
            done = run_whatever_it_takes(connection, wanted)
            digests.append((done.plan.digest, [str(change.address) for change in done.plan.changes]))
            dumps.append(dump(connection))
    assert digests[0] == digests[1]
    assert dumps[0] == dumps[1]


@DATABASE_LAW
@given(pair=two_states)
def test_going_back_brings_everything_back_into_the_same_rows(registries, pair):
    first, second = pair
    with registries() as connection:
        run_whatever_it_takes(connection, first)
        rows = ids(connection)
        run_whatever_it_takes(connection, second)
        assert rows.items() <= ids(connection).items()
        both = ids(connection)
        run_whatever_it_takes(connection, first)
        assert ids(connection) == both
        assert active_part(connection) == asked_for(first)
        assert_nothing_is_left_to_do(connection, first)


@pytest.mark.parametrize("model_id", NASTY_IDS)
def test_any_id_that_the_format_takes_comes_back_as_it_went_in(registries, model_id):
    wanted = state(provider("p"), model(f"p/{model_id}"))
    with registries() as connection:
        run(connection, wanted)
        assert active_part(connection) == asked_for(wanted)
        assert_nothing_is_left_to_do(connection, wanted)


@pytest.mark.parametrize(
    "number", [0.1, 1e-7, 5e-324, 123456789.123456789, 1 - 2**-53, 2.0**49, NUMBER_LIMIT]
)
def test_any_number_that_the_format_takes_comes_back_as_it_went_in(registries, number):
    wanted = state(parameters("s", temperature=number, top_p=-number))
    with registries() as connection:
        run(connection, wanted)
        assert active_part(connection) == asked_for(wanted)
        assert_nothing_is_left_to_do(connection, wanted)


def test_a_number_that_would_not_come_back_is_refused():
    with pytest.raises(ValidationError, match="less than or equal"):
        ParameterSet(temperature=1e23)
