"""What verification may cost: a day's budget over all processes, a run's own, and what is not asked twice."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.small_states import ACTOR, model, models, parameters, planned, provider, run, state
from support.verifying import verifying

from reconciler.core.address import parse_address
from reconciler.core.options import Selection
from reconciler.core.outcome import Result
from reconciler.engine.preflight import Spender, examine
from reconciler.engine.prober import Prober
from reconciler.engine.rehearse import rehearse
from reconciler.engine.verify import verify
from reconciler.errors import UsageError
from reconciler.protocols.costs import Estimate, PlannedCall
from reconciler.service.verification import Interrupted
from reconciler.store import budgets
from reconciler.store.session import connect

GENERATE = Selection(all=True, probe="generate")
DUE = Selection()


@pytest.fixture
def connection(database):
    with connect(database) as connection:
        yield connection


class Counting:
    """A prober that finds what it is told to, and remembers whom it asked at which level."""

    def __init__(self, outcome="ok", **other):
        self.asked = []
        self.outcome = outcome
        self.other = other

    def __call__(self, targets, _meanwhile=None):
        self.asked += [(target.address.key, target.level) for target in targets]
        return [self._result(target) for target in targets]

    def _result(self, target):
        outcome = self.other.get(target.address.model_id, self.outcome)
        return Result(target.address, outcome, target.level, 200 if outcome == "ok" else None, 5)


def verified(connection, ask, selection=GENERATE, *, secret="k1:aa", source="default", **more):
    def fingerprint(target):
        return secret.get(target.address.provider, "k1:aa") if isinstance(secret, dict) else secret

    prober = Prober(ask, fingerprint=fingerprint, **more)
    return verify(connection, prober, source=source, context=ACTOR, selection=selection)


def applied(connection, *addresses, ask, **more):
    """Verify what an apply touched."""
    prober = Prober(ask, fingerprint=lambda _target: "k1:aa", **more)
    return verify(
        connection, prober, source="default", context=ACTOR, only=[parse_address(one) for one in addresses]
    )


def used(connection):
    return dict(connection.execute("SELECT source, used FROM verification_budgets"))


def budget(limit, **more):
    return provider("p", verification={"budget": limit, "probe": "generate", **more})


# The day's budget


def test_probes_beyond_the_budget_are_skipped_and_say_what_to_do(connection):
    run(connection, state(budget(2), *models(3)))
    ask = Counting()
    results = verified(connection, ask)
    assert ask.asked == [("p/m0", "generate"), ("p/m1", "generate")]
    assert [result.outcome for result in results] == ["ok", "ok", "skipped"]
    assert results[2].detail.startswith("2 of 2 probes that generate are used today for source 'default'")
    assert "00:00 UTC" in results[2].detail
    assert "verification.budget" in results[2].detail
    assert used(connection) == {"default": 2}
    # What was skipped is not verified, and still due.
    stored = "SELECT model_id FROM verification_results ORDER BY model_id"
    assert len(connection.execute(stored).fetchall()) == 2


def test_a_small_budget_comes_round_to_all(connection):
    run(connection, state(budget(3), *models(3)))
    first, second = Counting(), Counting()
    verified(connection, first, Selection(all=True, probe="generate", budget=2))
    verified(connection, second, Selection(all=True, probe="generate", fresh=True))
    assert [key for key, _ in (*first.asked, *second.asked)] == ["p/m0", "p/m1", "p/m2"]


def test_a_budget_of_none_allows_none(connection):
    run(connection, state(budget(0), *models(2)))
    ask = Counting()
    assert {result.outcome for result in verified(connection, ask)} == {"skipped"}
    assert ask.asked == []


def test_free_probes_cost_no_budget(connection):
    run(connection, state(budget(0), *models(2)))
    assert {one.outcome for one in verified(connection, Counting(), Selection(all=True, probe="model"))} == {
        "ok"
    }
    assert used(connection) == {}


@pytest.mark.parametrize("outcome", ["secret_missing", "refused_host", "refused_reference", "skipped"])
def test_what_was_not_sent_is_given_back(connection, outcome):
    run(connection, state(budget(10), *models(3)))
    verified(connection, Counting(m1=outcome))
    assert used(connection) == {"default": 2}


def test_what_was_not_asked_when_ctrl_c_came_is_given_back(connection):
    run(connection, state(budget(10), *models(3)))

    def ask(targets, _meanwhile=None):
        done = Result(targets[0].address, "ok", targets[0].level, 200, 5)
        rest = (Result(one.address, "skipped", one.level) for one in targets[1:])
        raise Interrupted((done, *rest))

    with pytest.raises(Interrupted):
        verified(connection, ask)
    assert used(connection) == {"default": 1}


def test_what_a_killed_process_had_reserved_stays_counted(connection, database):
    run(connection, state(budget(10), *models(3)))
    with verifying(database, 0.5, "generate") as child:
        child.kill()
        child.wait(timeout=60)
    assert used(connection) == {"default": 3}


def test_who_owns_a_model_pays_for_it_and_its_provider_sets_the_limit(connection):
    run(connection, state(budget(1), *models(2)))
    address = "https://eu.api.openai.com/v1"
    theirs = provider("q", base_url=address, verification={"budget": 5, "probe": "generate"})
    run(connection, state(theirs, *models(3, of="q")), source="team")
    connection.execute(
        "INSERT INTO provider_model_configs (provider_name, model_id, parameters_id)"
        " SELECT 'q', 'by-hand', id FROM llm_parameters"
    )
    verified(connection, Counting(), source="asking")
    assert used(connection) == {"default": 1, "team": 3, "asking": 1}


def test_a_runs_own_budget_counts_beside_the_days(connection):
    run(connection, state(budget(10), *models(3)))
    ask = Counting(m0="secret_missing")
    results = verified(connection, ask, Selection(all=True, probe="generate", budget=2))
    assert [result.outcome for result in results] == ["secret_missing", "ok", "skipped"]
    assert "this run's budget of 2" in results[2].detail
    assert used(connection) == {"default": 1}


def test_many_who_reserve_at_once_never_get_more_than_there_is(connection, database):
    together = threading.Barrier(6)

    def reserve(_):
        with connect(database) as mine:
            together.wait(timeout=30)
            return sum(budgets.reserve(mine, "s", 3, limit=10).granted for _ in range(3))

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(reserve, range(6))) == 10
    assert used(connection) == {"s": 10}


def test_each_day_begins_anew_and_old_days_go(connection):
    connection.execute(
        "INSERT INTO verification_budgets (source, day, used)"
        " SELECT 's', (now() AT TIME ZONE 'UTC')::date - n, 10 FROM generate_series(1, 20) n"
    )
    reserved = budgets.reserve(connection, "s", 4, limit=10)
    assert (reserved.granted, reserved.used) == (4, 4)
    assert connection.execute("SELECT count(*) FROM verification_budgets").fetchone() == (8,)
    budgets.give_back(connection, reserved, 3)
    assert budgets.used_today(connection) == {"s": 1}


# What is not asked twice


def test_after_an_apply_a_result_that_is_still_good_is_taken(connection):
    run(connection, state(provider("p"), model("p/a")))
    ask = Counting()
    applied(connection, "model:p/a", ask=ask)
    before = connection.execute("SELECT model_verification::text FROM model_verification").fetchall()
    (again,) = applied(connection, "model:p/a", ask=ask)
    assert (again.outcome, again.cached, len(ask.asked)) == ("ok", True, 1)
    assert again.detail.endswith("Z, still good")
    assert connection.execute("SELECT model_verification::text FROM model_verification").fetchall() == before
    run(connection, state(provider("p", base_url="https://eu.api.openai.com/v1"), model("p/a")))
    (moved,) = applied(connection, "model:p/a", ask=ask)
    assert (moved.cached, len(ask.asked)) == (False, 2)


def test_generating_is_asked_again_only_where_what_would_be_sent_has_changed(connection):
    def wanted(**values):
        return state(budget(10), parameters("s", **values), model("p/a", parameters="s"))

    ask = Counting()
    run(connection, wanted(top_k=1))
    verified(connection, ask)
    assert [one.cached for one in verified(connection, ask)] == [True]
    run(connection, wanted(top_k=2))
    assert [one.cached for one in verified(connection, ask)] == [False]
    assert [one.cached for one in verified(connection, ask, Selection(all=True, probe="generate"))] == [True]
    named = Selection(addresses=(parse_address("model:p/a"),), probe="generate")
    for selection in (named, Selection(all=True, probe="generate", fresh=True)):
        assert [one.cached for one in verified(connection, ask, selection)] == [False]
    assert used(connection) == {"default": 4}


def test_a_person_who_asks_for_all_hears_how_it_is_now(connection):
    run(connection, state(provider("p"), model("p/a")))
    ask = Counting()
    for _ in range(2):
        verified(connection, ask, Selection(all=True))
    assert len(ask.asked) == 2


def test_models_with_the_same_question_and_the_same_key_are_asked_once(connection):
    run(
        connection,
        state(provider("p"), provider("q"), provider("r"), model("p/a"), model("q/a"), model("r/a")),
    )
    ask = Counting()
    results = verified(connection, ask, secret={"p": "k1:aa", "q": "k1:aa", "r": "k1:bb"})
    assert [key for key, _ in ask.asked] == ["p/a", "r/a"]
    assert [(one.address.key, one.outcome, one.cached) for one in results] == [
        ("p/a", "ok", False),
        ("q/a", "ok", True),
        ("r/a", "ok", False),
    ]
    assert used(connection) == {"default": 2}
    assert connection.execute("SELECT DISTINCT status FROM model_verification").fetchall() == [("verified",)]


def test_nothing_is_taken_for_the_same_where_no_fingerprint_can_be_made(connection):
    run(connection, state(provider("p"), provider("q"), model("p/a"), model("q/a")))
    ask = Counting()
    for _ in range(2):
        verified(connection, ask, secret=None)
    assert len(ask.asked) == 4


def test_a_rotated_key_is_asked_about_and_no_other(connection):
    run(connection, state(provider("p"), provider("q"), model("p/a"), model("p/b"), model("q/a")))
    verified(connection, Counting(), Selection(all=True))
    ask = Counting()
    assert verified(connection, ask, DUE) == ()
    # A key that is not set here, or a fingerprint that cannot be compared, is no rotation.
    assert verified(connection, ask, DUE, secret={"p": None, "q": "k2:zz"}) == ()
    results = verified(connection, ask, DUE, secret={"p": "k1:new"})
    assert [one.address.key for one in results] == ["p/a", "p/b"]
    assert [key for key, _ in ask.asked] == ["p/a", "p/b"]
    assert verified(connection, ask, DUE, secret={"p": "k1:new"}) == ()


def test_a_key_that_is_missing_for_a_while_and_comes_back_is_not_rotated(connection):
    run(connection, state(provider("p"), model("p/a")))
    verified(connection, Counting(), Selection(all=True))
    verified(connection, Counting("secret_missing"), Selection(all=True), secret=None)
    ask = Counting()
    assert verified(connection, ask, DUE) == ()
    assert len(verified(connection, ask, DUE, secret="k1:new")) == 1


def test_a_model_that_waits_is_asked_itself_though_another_answered(connection):
    careful = provider("q", verification={"activation": "verified"})
    run(connection, state(provider("p"), model("p/a")))
    verified(connection, Counting(), Selection(all=True))
    run(connection, state(provider("p"), careful, model("p/a"), model("q/a")))
    ask = Counting()
    applied(connection, "model:q/a", ask=ask)
    assert ask.asked == [("q/a", "model")]
    assert connection.execute("SELECT bool_and(is_active) FROM provider_model_configs").fetchone() == (True,)


# Rehearsals


def rehearsed(connection, selection=GENERATE):
    def estimate(target):
        return Estimate((PlannedCall("POST", target.base_url, "generating"),), 40, 10)

    prober = Prober(Counting(), fingerprint=lambda _target: "k1:aa")
    return rehearse(connection, prober, estimate, source="default", selection=selection)


def test_a_rehearsal_says_what_would_be_asked_and_writes_nothing(connection):
    run(connection, state(budget(3), provider("q"), *models(3), model("q/m0"), model("p/done")))
    verified(connection, Counting(), Selection((parse_address("model:p/done"),), probe="generate"))
    tables = ("model_verification", "verification_budgets", "verification_results")
    texts = [f"SELECT t.ctid::text, t::text FROM {table} t ORDER BY 1" for table in tables[:2]]
    before = [connection.execute(text).fetchall() for text in texts]
    planned = rehearsed(connection)
    assert [(one.address.key, one.tokens, bool(one.calls)) for one in planned] == [
        ("p/done", 0, False),
        ("p/m0", 50, True),
        ("p/m1", 50, True),
        ("p/m2", 0, False),
        ("q/m0", 0, False),
    ]
    notes = {one.address.key: one.reason for one in planned}
    assert "still good" in notes["p/done"]
    assert "3 of 3 probes" in notes["p/m2"]
    assert notes["q/m0"] == "the answer for model:p/m0 counts for it too"
    assert planned[1].host == "api.openai.com"
    assert [connection.execute(text).fetchall() for text in texts] == before
    # And it is what then happens.
    ask = Counting()
    verified(connection, ask)
    assert [key for key, _ in ask.asked] == ["p/m0", "p/m1"]


def test_a_rehearsal_of_a_small_run_shows_its_own_budget(connection):
    run(connection, state(budget(10), *models(2)))
    planned = rehearsed(connection, Selection(all=True, probe="generate", budget=1))
    assert [len(one.calls) for one in planned] == [1, 0]
    assert "this run's budget of 1" in planned[1].reason
    assert [one.reason for one in rehearsed(connection, Selection(all=True, probe="none"))] == [
        "this model's probe is 'none'"
    ] * 2


@pytest.mark.parametrize("stop", [Interrupted(()), UsageError("no certificates", code="bad-ca-file")])
def test_what_was_not_asked_before_an_apply_is_given_back_however_it_ends(connection, stop):
    wanted = state(budget(10), *models(4))

    def ask(_targets, _meanwhile=None):
        raise stop

    with pytest.raises(type(stop)):
        examine(planned(connection, wanted), wanted, ask, "generate", Spender(connection))
    assert connection.execute("SELECT sum(used) FROM verification_budgets").fetchone() == (0,)
