"""Who probes a model holds it for a time: processes side by side ask once, and the dead hold nothing long."""

import json
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from support.commands import clean_environment, command_line
from support.directories import Story
from support.directories import provider as written
from support.gate import Gate
from support.polling import eventually
from support.small_states import ACTOR, model, models, provider, run, state
from support.verifying import verifying

from reconciler.core.options import Selection
from reconciler.core.outcome import Result
from reconciler.engine.prober import Prober
from reconciler.engine.verify import verify
from reconciler.errors import ProviderConfigError
from reconciler.store import claims
from reconciler.store.session import connect

PROCESSES = 5
MODELS = 12
ALL = Selection(all=True)


@pytest.fixture
def connection(database):
    with connect(database) as connection:
        yield connection


@pytest.fixture
def other(database):
    with connect(database) as connection:
        yield connection


class Counting:
    """A prober that finds one outcome everywhere and remembers whom it asked; `before` runs first."""

    def __init__(self, outcome="ok", before=lambda: None):
        self.asked = []
        self.outcome = outcome
        self.before = before

    def __call__(self, targets, _meanwhile=None):
        self.before()
        self.asked += [str(target.address) for target in targets]
        return [Result(target.address, self.outcome, target.level, 200, 5) for target in targets]


def verified(connection, ask, *, said=None, pause=time.sleep, selection=ALL, **more):
    prober = Prober(ask, say=(said if said is not None else []).append, pause=pause, **more)
    return verify(connection, prober, source="default", context=ACTOR, selection=selection)


def ids(connection):
    return [row[0] for row in connection.execute("SELECT id FROM provider_model_configs ORDER BY id")]


def held(connection):
    """How many models somebody holds."""
    found = connection.execute("SELECT count(*) FROM model_verification WHERE claimed_until IS NOT NULL")
    return found.fetchone()[0]


def test_five_processes_at_once_probe_each_model_once(tmp_path, database):
    with Gate() as gate:
        story = Story(tmp_path, database, {"RECONCILER_HOME": str(tmp_path / "home")})
        for number in range(MODELS):
            name = f"p{number}"
            story.write(**{name: written(name, "m", base_url=f"{gate.url}/{name}/v1")})
        story.apply()
        told = [tmp_path / f"story-{number}" for number in range(PROCESSES)]
        started = [_started(story, path) for path in told]
        try:
            # All of them have begun, and all but the one or two that hold the models have met those.
            assert eventually(lambda: _number_told(told) >= PROCESSES - 1, within=60)
            gate.open()
            answers = [process.communicate(timeout=60)[0] for process in started]
        finally:
            for process in started:
                process.kill()
                process.wait(timeout=60)
    assert dict(gate.asked) == {f"/p{number}/v1/models": 1 for number in range(MODELS)}
    found = [json.loads(answer)["verification"] for answer in answers]
    assert [{one["outcome"] for one in results} for results in found] == [{"ok"}] * PROCESSES
    assert sum(not one["cached"] for results in found for one in results) == MODELS
    assert story.counts("verification_results", "model_verification WHERE claimed_until IS NOT NULL") == (
        MODELS,
        0,
    )


def _started(story, told):
    env = clean_environment({"RECONCILER_DATABASE_URL": story.database, **story.env})
    with told.open("w") as stderr:
        return subprocess.Popen(
            command_line("verify", "--all", "--output", "json"),
            env=env,
            cwd=story.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )


def _number_told(told):
    return sum("Another process is verifying" in path.read_text() for path in told)


def test_who_is_killed_while_probing_holds_its_models_no_longer_than_its_lease(connection, database):
    run(connection, state(provider("p"), *models(3)))
    with verifying(database, lease=1.5) as child:
        # It lives longer than its lease, and still holds them: it renews.
        (until,) = connection.execute("SELECT min(claimed_until) FROM model_verification").fetchone()
        renewed = "SELECT min(claimed_until) > %s + interval '1 s' FROM model_verification"
        assert eventually(lambda: connection.execute(renewed, [until]).fetchone()[0])
        assert claims.take(connection, ids(connection), lease=30)[0] is None
        child.kill()
        child.wait(timeout=60)
        ask, said, began = Counting(), [], time.monotonic()
        results = verified(connection, ask, said=said)
    assert time.monotonic() - began < 10
    assert [result.outcome for result in results] == ["ok"] * 3
    assert sorted(ask.asked) == ["model:p/m0", "model:p/m1", "model:p/m2"]
    assert said == ["Another process is verifying 3 models: waiting for what it finds."]
    assert held(connection) == 0


def test_what_another_found_since_we_began_is_ours(connection, other):
    run(connection, state(provider("p"), model("p/a")))
    theirs = Counting(before=lambda: waits.append("ours began"))
    waits = []
    mine = Counting()

    # We begin, and before we come to claim anything they are done.
    def late(connection_):
        began = claims.clock(connection_)
        if not waits:
            verified(other, theirs)
        return began

    (result,) = verified(connection, mine, clock=late)
    assert (result.outcome, result.cached) == ("ok", True)
    assert (theirs.asked, mine.asked) == (["model:p/a"], [])
    assert held(connection) == 0


def test_what_another_found_before_we_began_is_not_ours(connection, other):
    run(connection, state(provider("p"), model("p/a")))
    verified(other, Counting())
    mine = Counting()
    (result,) = verified(connection, mine)
    assert (result.cached, mine.asked) == (False, ["model:p/a"])


@pytest.mark.parametrize("outcome", ["secret_missing", "refused_host", "refused_reference", "skipped"])
def test_what_only_their_machine_could_not_ask_is_asked_by_us(connection, other, outcome):
    run(connection, state(provider("p"), model("p/a")))
    mine, theirs = Counting(), Counting(outcome)

    def late(connection_):
        began = claims.clock(connection_)
        if not theirs.asked:
            verified(other, theirs)
        return began

    (result,) = verified(connection, mine, clock=late)
    assert (result.outcome, mine.asked) == ("ok", ["model:p/a"])


def test_their_cheaper_probe_is_no_answer_to_ours(connection, other):
    run(connection, state(provider("p"), model("p/a")))
    mine, theirs = Counting(), Counting()

    def late(connection_):
        began = claims.clock(connection_)
        if not theirs.asked:
            verified(other, theirs, selection=Selection(all=True, probe="reach"))
        return began

    verified(connection, mine, clock=late)
    assert mine.asked == ["model:p/a"]


def test_whoever_is_waited_for_too_long_leaves_models_skipped(connection, other):
    run(connection, state(provider("p"), *models(2)))
    first, second = ids(connection)
    claim, _ = claims.take(other, [second], lease=60)
    ask, pauses = Counting(), []
    results = verified(connection, ask, pause=pauses.append, deadline=5)
    assert [result.outcome for result in results] == ["ok", "skipped"]
    assert results[1].detail == "another process did not verify it within 5 s"
    assert pauses == sorted(pauses)
    assert sum(pauses) < 5 + 1.01
    claims.release(other, claim)
    assert first != second
    assert held(connection) == 0


def test_a_claim_covers_what_is_free_and_lapses(connection, other):
    run(connection, state(provider("p"), *models(3)))
    every = ids(connection)
    mine, _ = claims.take(connection, every[:2], lease=30)
    theirs, standings = claims.take(other, every, lease=30)
    assert (mine.models, theirs.models, list(standings)) == (tuple(every[:2]), (every[2],), [every[2]])
    connection.execute("UPDATE model_verification SET claimed_until = now() WHERE model_id = %s", [every[0]])
    taken_over, _ = claims.take(other, every, lease=30)
    assert taken_over.models == (every[0],)
    # What was taken over is neither renewed nor released by who had it.
    renewed = claims.renew(connection, mine, lease=30)
    assert renewed.models == (every[1],)
    claims.release(connection, mine)
    claims.release(connection, renewed)
    assert held(connection) == 2


def test_who_was_stopped_too_long_stores_nothing_of_what_was_taken_over(connection, other):
    run(connection, state(provider("p", verification={"failure_threshold": 1}), *models(2)))

    def taken_over():
        connection.execute(
            "UPDATE model_verification SET claimed_until = now() - interval '1 s'"
            " WHERE model_id = (SELECT min(model_id) FROM model_verification)"
        )
        verified(other, Counting(), selection=Selection(addresses=(first,)), deadline=0)

    first = next(iter(state(model("p/m0")).entities))
    results = verified(connection, Counting("auth_failed", before=taken_over))
    assert {result.outcome for result in results} == {"auth_failed"}
    found = connection.execute("SELECT status FROM model_verification ORDER BY model_id").fetchall()
    assert found == [("verified",), ("failing",)]
    assert connection.execute("SELECT count(*) FROM verification_results").fetchone() == (2,)
    assert held(connection) == 0


def test_a_long_apply_is_waited_for_and_the_claim_kept_up(connection, other, database):
    run(connection, state(provider("p"), model("p/a")))
    with connect(database) as watcher:
        looked = []

        def let_go():
            # Longer than the lease: without renewing, somebody else could take the model now.
            began = watcher.execute("SELECT max(claimed_until) FROM model_verification").fetchone()[0]
            grown = "SELECT max(claimed_until) > %s + interval '600 ms' FROM model_verification"
            looked.append(eventually(lambda: watcher.execute(grown, [began]).fetchone()[0]))
            looked.append(claims.take(watcher, ids(watcher), lease=1)[0])
            other.execute("COMMIT")

        applying = threading.Thread(target=let_go)

        def begin():
            other.execute("BEGIN")
            other.execute("SELECT FROM registry FOR UPDATE")
            applying.start()

        verified(connection, Counting(before=begin), lease=0.6)
        applying.join(timeout=30)
    assert looked == [True, None]
    assert connection.execute("SELECT status FROM model_verification").fetchone() == ("verified",)


def test_a_probe_that_breaks_off_releases_what_it_held(connection):
    run(connection, state(provider("p"), model("p/a")))

    def broken(_targets, _meanwhile=None):
        raise ProviderConfigError("the certificates cannot be read", code="bad-ca-file")

    with pytest.raises(ProviderConfigError):
        verified(connection, broken)
    assert held(connection) == 0


def test_ctrl_c_while_waiting_for_others_keeps_what_is_known(connection, other):
    run(connection, state(provider("p"), *models(2)))
    claims.take(other, ids(connection)[1:], lease=60)

    def interrupted(_seconds):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stopped:
        verified(connection, Counting(), pause=interrupted)
    assert [result.outcome for result in stopped.value.results] == ["ok", "skipped"]
    assert held(connection) == 1


def test_a_model_that_waits_is_still_pending_once_it_was_claimed(connection):
    run(connection, state(provider("p", verification={"activation": "verified"}), model("p/a")))
    verified(connection, Counting("timeout"))
    assert connection.execute("SELECT status FROM model_verification").fetchone() == ("pending",)
    assert connection.execute("SELECT count(*) FROM audit_events WHERE action = 'verify'").fetchone() == (0,)


def test_no_more_is_put_on_hold_than_a_plan_may_switch_off_however_many_do_it_at_once(connection, other):
    settings = {"failure_threshold": 1, "on_failure": "deactivate"}
    run(connection, state(provider("p", verification=settings), *models(10)))
    addresses = sorted(address for address in state(*models(10)).entities if address.kind == "model")
    theirs = Selection(addresses=tuple(addresses[:3]))
    mine = Selection(addresses=tuple(addresses[3:6]))
    verified(
        connection,
        Counting("auth_failed", before=lambda: verified(other, Counting("auth_failed"), selection=theirs)),
        selection=mine,
    )
    on_hold = "SELECT count(*) FROM provider_model_configs WHERE hold = 'failing'"
    assert connection.execute(on_hold).fetchone() == (3,)


def test_times_are_the_databases_own(connection):
    run(connection, state(provider("p"), model("p/a")))
    verified(connection, Counting())
    (at, now) = connection.execute("SELECT checked_at, clock_timestamp() FROM model_verification").fetchone()
    assert timedelta(0) < now - at < timedelta(seconds=20)
    assert abs(datetime.now(UTC) - now) < timedelta(days=1)


def test_a_model_that_is_deleted_while_it_is_waited_for_is_waited_for_no_longer(connection, other):
    run(connection, state(provider("p"), *models(2)))
    claim, _ = claims.take(other, ids(connection)[:1], lease=60)

    def pause(_seconds):
        other.execute("DELETE FROM provider_model_configs WHERE id = %s", [claim.models[0]])

    results = verified(connection, Counting(), pause=pause, deadline=5)
    assert [one.outcome for one in results] == ["skipped", "ok"]
    assert "removed from the registry" in results[0].detail
