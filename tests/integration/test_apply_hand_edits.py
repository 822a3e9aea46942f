"""A person at psql while an apply runs: what they wrote is never overwritten unseen.

A commit of theirs waits for an apply that is under way, for generations become visible in order. Where the
triggers that see to that are switched off, or passed by with a generation of one's own, the row's version is
what protects it: most of these tests are of that.
"""

import threading

import pytest
from support.polling import eventually
from support.registry_dump import active_part, asked_for, dump, entities, versions
from support.small_states import model, parameters, planned, provider, run, state, template

from reconciler.core.address import Address
from reconciler.core.changes import Activate, Create, Deactivate, FieldChange, Update
from reconciler.errors import ConflictError, LockHeldError, ProviderConfigError, RefusedError
from reconciler.store.columns import TABLES
from reconciler.store.session import connect


@pytest.fixture
def connection(database):
    with connect(database) as connection:
        yield connection


@pytest.fixture
def hand(database):
    """A person's own connection, on which every statement is a transaction."""
    with connect(database) as connection:
        yield connection


@pytest.fixture
def unordered(database):
    """No commit waits for an apply any more."""
    with connect(database) as owner:
        for table in (*TABLES_OF_KINDS, "overrides"):
            for event in ("insert", "update", "delete"):
                owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER {table}_mark_{event}")


class Meddling:
    """A checkpoint at which something happens the first few times, and which notes all that it passed."""

    def __init__(self, act, *, point="after-read", times=1):
        self.act, self.point, self.left = act, point, times
        self.passed = []

    def __call__(self, point):
        self.passed.append(point)
        if point == self.point and self.left:
            self.left -= 1
            self.act()

    @property
    def attempts(self):
        return self.passed.count("after-lock")


TABLES_OF_KINDS = tuple(table.name for table in TABLES.values())
BEFORE = state(
    provider("p", description="old"),
    parameters("base", temperature=0.1),
    template("words", system_prompt="old"),
    model("p/content", version="1"),
    model("p/on", active=False),
    model("p/off"),
    model("p/gone"),
)
AFTER = state(
    provider("p", description="new"),
    parameters("base", temperature=0.3),
    template("words", system_prompt="new"),
    model("p/content", version="3"),
    model("p/on"),
    model("p/off", active=False),
)
STEPS = [
    pytest.param(
        "UPDATE providers SET description = 'by hand'",
        Address("provider", "p"),
        (Update, "both", (FieldChange("description", "by hand", "new"),)),
        id="update of a provider",
    ),
    pytest.param(
        "UPDATE llm_parameters SET temperature = 0.2 WHERE name = 'base'",
        Address("parameters", "base"),
        (Update, "both", (FieldChange("temperature", 0.2, 0.3),)),
        id="update of a set",
    ),
    pytest.param(
        "UPDATE prompt_templates SET query_prefix = 'by hand'",
        Address("template", "words"),
        (
            Update,
            "both",
            (FieldChange("query_prefix", "by hand", None), FieldChange("system_prompt", "old", "new")),
        ),
        id="update of a template",
    ),
    pytest.param(
        "UPDATE provider_model_configs SET version = '2' WHERE model_id = 'content'",
        Address("model", "p/content"),
        (Update, "both", (FieldChange("version", "2", "3"),)),
        id="update of a model",
    ),
    pytest.param(
        "UPDATE provider_model_configs SET version = '2' WHERE model_id = 'on'",
        Address("model", "p/on"),
        (Activate, "both", (FieldChange("version", "2", None),)),
        id="activation",
    ),
    pytest.param(
        "UPDATE provider_model_configs SET version = '2' WHERE model_id = 'off'",
        Address("model", "p/off"),
        (Deactivate, "both", (FieldChange("version", "2", None),)),
        id="deactivation by the files",
    ),
    pytest.param(
        "UPDATE provider_model_configs SET version = '2' WHERE model_id = 'gone'",
        Address("model", "p/gone"),
        (Deactivate, "files", ()),
        id="deactivation of what vanished",
    ),
]


@pytest.mark.usefixtures("unordered")
@pytest.mark.parametrize(("statement", "address", "step"), STEPS)
def test_an_edit_between_reading_and_writing_is_planned_for_before_it_is_overwritten(
    connection, hand, statement, address, step
):
    run(connection, BEFORE)
    meddling = Meddling(lambda: hand.execute(statement))
    done = run(connection, AFTER, at=meddling)
    assert meddling.attempts == 2
    assert "again" in meddling.passed
    changes = {change.address: change for change in done.plan.changes}
    found = changes[address]
    assert (type(found), found.cause, found.fields) == step
    assert len(changes) == len(STEPS)
    assert active_part(connection) == asked_for(AFTER)
    assert planned(connection, AFTER).changes == ()


@pytest.mark.usefixtures("unordered")
def test_what_a_hand_wrote_in_between_stands_in_the_trail_before_what_replaced_it(connection, hand):
    run(connection, BEFORE)
    run(connection, AFTER, at=Meddling(lambda: hand.execute("UPDATE providers SET description = 'by hand'")))
    found = connection.execute(
        "SELECT run IS NULL, before, after FROM audit_events"
        " WHERE address = 'provider:p' AND action = 'update' ORDER BY id"
    ).fetchall()
    assert found == [
        (True, {"description": "old"}, {"description": "by hand"}),
        (False, {"description": "by hand"}, {"description": "new"}),
    ]


@pytest.mark.usefixtures("unordered")
@pytest.mark.parametrize(("statement", "address", "step"), STEPS)
def test_an_edit_at_every_attempt_ends_in_a_conflict_with_nothing_written(
    connection, hand, statement, address, step
):
    run(connection, BEFORE)
    quiet = versions(connection)
    meddling = Meddling(lambda: hand.execute(statement), times=9)
    with pytest.raises(ConflictError) as caught:
        run(connection, AFTER, at=meddling)
    assert (caught.value.code, caught.value.exit_status) == ("conflict", 3)
    assert meddling.attempts == 3
    touched = {"audit_events", TABLES[address.kind].name}
    found = versions(connection)
    assert {table for table in quiet if found[table] != quiet[table]} <= touched
    ours = [[row for row in one["audit_events"] if row[2]["run"] is not None] for one in (quiet, found)]
    assert ours[0] == ours[1]


@pytest.mark.usefixtures("unordered")
def test_two_edits_in_a_row_are_survived(connection, hand):
    run(connection, BEFORE)
    values = iter(("first", "second"))
    meddling = Meddling(
        lambda: hand.execute("UPDATE providers SET description = %s", [next(values)]), times=2
    )
    done = run(connection, AFTER, at=meddling)
    assert meddling.attempts == 3
    assert done.plan.changes[0].fields == (FieldChange("description", "second", "new"),)


@pytest.mark.usefixtures("unordered")
def test_an_edit_of_a_row_that_the_plan_does_not_touch_does_not_matter(connection, hand):
    run(connection, BEFORE)
    wanted = state(*BEFORE.entities.values(), parameters("new"))
    meddling = Meddling(lambda: hand.execute("UPDATE providers SET description = 'by hand'"))
    done = run(connection, wanted, at=meddling)
    assert meddling.attempts == 1
    assert [change.address.key for change in done.plan.changes] == ["new"]
    assert entities(connection)[Address("provider", "p")].spec["description"] == "by hand"
    assert [change.cause for change in planned(connection, wanted).changes] == ["drift"]


INSERTED = [
    pytest.param(
        "INSERT INTO providers (name, kind) VALUES ('new', 'openai')",
        Address("provider", "new"),
        id="a provider",
    ),
    pytest.param(
        "INSERT INTO llm_parameters (name) VALUES ('new')", Address("parameters", "new"), id="a set"
    ),
    pytest.param(
        "INSERT INTO prompt_templates (name) VALUES ('new')", Address("template", "new"), id="a template"
    ),
    pytest.param(
        "INSERT INTO provider_model_configs (provider_name, model_id, parameters_id)"
        " SELECT 'new', 'x/y', id FROM llm_parameters WHERE name = 'default'",
        Address("model", "new/x/y"),
        id="a model",
    ),
]
NEW = state(
    provider("new", description="ours"),
    parameters("new", temperature=0.5),
    template("new", system_prompt="ours"),
    model("new/x/y", version="1"),
)


@pytest.mark.usefixtures("unordered")
@pytest.mark.parametrize(("statement", "address"), INSERTED)
def test_a_row_inserted_in_between_is_not_taken_over(connection, hand, statement, address):
    meddling = Meddling(lambda: hand.execute(statement))
    with pytest.raises(RefusedError) as caught:
        run(connection, NEW, at=meddling)
    assert [(one.rule, one.addresses) for one in caught.value.refusals] == [("ownership", (address,))]
    assert meddling.attempts == 2
    assert entities(connection).keys() == {address}
    assert dump(connection).managed == {}


@pytest.mark.usefixtures("unordered")
@pytest.mark.parametrize(("statement", "address"), INSERTED)
def test_a_row_inserted_in_between_is_adopted_where_that_was_asked_for(connection, hand, statement, address):
    done = run(connection, NEW, at=Meddling(lambda: hand.execute(statement)), adopt=True)
    assert (done.counts["adopt"], done.counts["create"]) == (1, 3)
    assert active_part(connection) == asked_for(NEW)


DELETED = [
    pytest.param("DELETE FROM providers", {"provider:p"}, id="a provider"),
    pytest.param(
        "DELETE FROM llm_parameters WHERE name = 'base'",
        {"parameters:base", "model:p/uses"},
        id="a set, and the models that used it",
    ),
    pytest.param("DELETE FROM prompt_templates", {"template:words"}, id="a template"),
    pytest.param(
        "DELETE FROM provider_model_configs WHERE model_id = 'content'", {"model:p/content"}, id="a model"
    ),
]


@pytest.mark.usefixtures("unordered")
@pytest.mark.parametrize(("statement", "gone"), DELETED)
def test_a_row_deleted_in_between_is_created_again(connection, hand, statement, gone):
    uses = model("p/uses", parameters="base")
    run(connection, state(*BEFORE.entities.values(), uses))
    wanted = state(*AFTER.entities.values(), uses)
    meddling = Meddling(lambda: hand.execute(statement))
    done = run(connection, wanted, at=meddling)
    assert meddling.attempts == 2
    created = {
        str(change.address): change.cause for change in done.plan.changes if isinstance(change, Create)
    }
    assert created == dict.fromkeys(gone, "drift")
    assert active_part(connection) == asked_for(wanted)


@pytest.mark.usefixtures("unordered")
@pytest.mark.parametrize(
    ("statement", "uses"),
    [
        pytest.param("DELETE FROM llm_parameters WHERE name = 'base'", {"parameters": "base"}, id="a set"),
        pytest.param("DELETE FROM prompt_templates", {"prompt_template": "words"}, id="a template"),
        pytest.param(
            "UPDATE llm_parameters SET name = 'other' WHERE name = 'base'",
            {"parameters": "base"},
            id="a set under another name now",
        ),
    ],
)
def test_what_a_new_model_refers_to_is_missed_when_it_goes_in_between(connection, hand, statement, uses):
    run(connection, BEFORE)
    wanted = state(*BEFORE.entities.values(), model("p/new", **uses))
    meddling = Meddling(lambda: hand.execute(statement))
    run(connection, wanted, at=meddling)
    assert meddling.attempts == 2
    assert asked_for(wanted).items() <= active_part(connection).items()
    assert planned(connection, wanted).changes == ()


@pytest.mark.usefixtures("unordered")
def test_a_plan_that_was_agreed_to_is_not_replaced_by_another(connection, hand):
    run(connection, BEFORE)
    approved = planned(connection, AFTER).digest
    quiet = dump(connection)
    meddling = Meddling(lambda: hand.execute("UPDATE llm_parameters SET top_k = 9 WHERE name = 'base'"))
    with pytest.raises(ConflictError, match="changed after the plan was shown"):
        run(connection, AFTER, at=meddling, approved=approved)
    assert meddling.attempts == 2
    assert dump(connection).managed == quiet.managed
    assert entities(connection)[Address("parameters", "base")].spec == {"temperature": 0.1, "top_k": 9}


WAITS = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"


def test_an_edit_that_is_not_committed_yet_is_waited_for_and_seen(connection, hand, database):
    run(connection, BEFORE)
    errors = []

    def commit_once_waited_for():
        with connect(database) as other:
            if not eventually(lambda: other.execute(WAITS, [connection.info.backend_pid]).fetchone()):
                errors.append("nobody waited")
        hand.execute("COMMIT")

    def begin():
        hand.execute("BEGIN")
        hand.execute("UPDATE providers SET description = 'by hand'")
        threading.Thread(target=commit_once_waited_for).start()

    meddling = Meddling(begin)
    done = run(connection, AFTER, at=meddling)
    assert errors == []
    assert meddling.attempts >= 2
    assert done.plan.changes[0].fields == (FieldChange("description", "by hand", "new"),)


class Person(threading.Thread):
    """Someone who commits one edit on a connection of their own, which may have to wait."""

    def __init__(self, database, statement):
        super().__init__()
        self.database, self.statement, self.pid, self.error = database, statement, None, None

    def run(self):
        try:
            with connect(self.database) as connection:
                self.pid = connection.info.backend_pid
                connection.execute(self.statement)
        except ProviderConfigError as error:
            self.error = error

    def is_waiting(self, observer):
        return self.pid is not None and observer.execute(WAITS, [self.pid]).fetchone() is not None


COMMITTED = [
    pytest.param("UPDATE providers SET description = 'by hand'", "provider:p", id="of a row that it writes"),
    pytest.param("INSERT INTO llm_parameters (name) VALUES ('mine')", "parameters:mine", id="of another row"),
]


@pytest.mark.parametrize(("statement", "address"), COMMITTED)
@pytest.mark.parametrize("point", ["after-read", "before-commit"])
def test_a_commit_that_comes_while_an_apply_runs_waits_and_neither_is_lost(
    database, point, statement, address
):
    person = Person(database, statement)
    with connect(database) as connection, connect(database) as observer:

        def edit():
            person.start()
            assert eventually(lambda: person.is_waiting(observer))

        run(connection, BEFORE)
        run(connection, AFTER, at=Meddling(edit, point=point))
        person.join()
        assert person.error is None
        events = "SELECT count(*) FROM audit_events WHERE address = %s AND run IS NULL"
        assert connection.execute(events, [address]).fetchone() == (1,)
        assert connection.execute("SELECT generation FROM registry").fetchone() == (3,)
        run(connection, AFTER)
        assert active_part(connection).items() >= asked_for(AFTER).items()


def test_an_edit_that_is_never_committed_does_not_hold_an_apply_for_long(connection, hand):
    run(connection, BEFORE)
    quiet = dump(connection)

    def begin():
        assert connection.execute("SHOW lock_timeout").fetchone() == ("100ms",)
        hand.execute("BEGIN")
        hand.execute("UPDATE providers SET description = 'by hand'")

    # The product's own limit is too long for a test.
    meddling = Meddling(begin)
    with pytest.raises(LockHeldError, match="row") as caught:
        run(connection, AFTER, at=meddling, lock_timeout=0.1)
    assert caught.value.exit_status == 4
    assert meddling.attempts > 1
    hand.execute("ROLLBACK")
    assert dump(connection) == quiet
    run(connection, AFTER)
    assert active_part(connection) == asked_for(AFTER)
