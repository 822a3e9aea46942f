"""Verification as programs ask for it: against a real server on this machine, through both doors."""

import asyncio
import os
import signal

import psycopg
import pytest
from support import providers, services
from support.registry_dump import entities
from support.small_states import model, provider, run, state
from support.working_providers import WorkingProviders

from reconciler.core.address import Address
from reconciler.errors import UsageError, VerificationError
from reconciler.service.verification import Interrupted
from reconciler.store.session import connect

MODEL = Address("model", "openai/gpt-4")


@pytest.fixture
def fake():
    with WorkingProviders() as server:
        yield server


@pytest.fixture(params=services.DOORS)
def service(request, database, fake):
    with services.opened(database, request.param, fake) as opened:
        yield opened


@pytest.fixture
def own(database, fake):
    with services.through_engine(database, fake) as opened:
        yield opened


@pytest.fixture
def connection(database):
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


def register(service, fake, model_id="gpt-4", *, behaviour="", **more):
    base_url = fake.base_url("openai", behaviour)
    return service.register_provider_model("openai", model_id, base_url=base_url, **more)


def test_a_model_that_waits_is_activated_by_its_first_success(service, fake):
    waiting = register(service, fake, verify=False)
    assert (waiting.is_active, waiting.hold) == (False, "pending")
    found = service.verify_provider_model("openai", "gpt-4")
    assert (found.is_active, found.hold, found.verification_status) == (True, None, "verified")
    assert found.last_verified is not None


def test_a_model_is_asked_again_each_time_it_is_verified(service, fake):
    register(service, fake)
    asked = len(fake.requests)
    service.verify_provider_model("openai", "gpt-4")
    assert len(fake.requests) > asked


def test_a_model_that_went_away_is_told_and_keeps_its_activity(service, fake):
    register(service, fake)
    fake.models = ()
    found = service.verify_provider_model("openai", "gpt-4")
    assert (found.is_active, found.verification_outcome) == (True, "model_not_found")
    for _ in range(2):
        found = service.verify_provider_model("openai", "gpt-4")
    assert (found.is_active, found.verification_status) == (True, "failing")
    with pytest.raises(VerificationError) as raised:
        found.require_verified()
    assert raised.value.outcome == "model_not_found"


def test_a_model_that_was_verified_is_not_asked_again_when_it_is_registered_again(own, fake):
    register(own, fake)
    asked = len(fake.requests)
    assert register(own, fake).verification_status == "verified"
    assert len(fake.requests) == asked


def test_a_model_with_other_parameters_is_asked_again(own, fake):
    own.register_provider("openai", base_url=fake.openai, verification={"probe": "generate"})
    own.register_provider_model("openai", "gpt-4", {"name": "s", "temperature": 0.1})
    asked = len(fake.requests)
    found = own.register_provider_model("openai", "gpt-4", {"name": "s", "temperature": 0.2})
    assert found.verification_status == "verified"
    assert len(fake.requests) > asked


def test_an_inactive_model_is_not_asked_and_its_caller_hears_of_it(service, fake):
    register(service, fake)
    service.deactivate_provider_model("openai", "gpt-4")
    asked = len(fake.requests)
    found = service.verify_provider_model("openai", "gpt-4")
    assert found.notices == ("model:openai/gpt-4 is not active, so it was not asked",)
    assert len(fake.requests) == asked


def test_several_models_are_verified_in_the_order_given(service, fake):
    for name in ("gpt-4", "missing", "thinker"):
        register(service, fake, name, verify=False)
    found = service.verify_provider_models(
        [("openai", "thinker"), ("openai", "missing"), ("openai", "gpt-4")]
    )
    assert [(one.model_id, one.verification_outcome) for one in found] == [
        ("thinker", "ok"),
        ("missing", "model_not_found"),
        ("gpt-4", "ok"),
    ]


def test_a_probe_is_asked_for_by_its_level(service, fake):
    register(service, fake, verify=False)
    found = service.verify_provider_model("openai", "gpt-4", probe="generate")
    assert found.verification_status == "verified"
    assert len(fake.sent("/openai/v1/chat/completions")) == 1


def test_a_cheaper_probe_than_the_providers_proves_nothing(service, fake):
    register(service, fake, verify=False)
    found = service.verify_provider_model("openai", "gpt-4", probe="credential")
    assert (found.is_active, found.verification_outcome) == (False, "ok")


def test_an_earlier_success_stands_in_for_what_costs_something_unless_it_is_to_be_fresh(service, fake):
    service.register_provider("openai", base_url=fake.openai, verification={"probe": "generate"})
    service.register_provider_model("openai", "gpt-4")
    sent = lambda: len(fake.sent("/openai/v1/chat/completions"))  # noqa: E731 asked three times
    assert sent() == 1
    service.verify_provider_model("openai", "gpt-4")
    assert sent() == 1
    service.verify_provider_model("openai", "gpt-4", fresh=True)
    assert sent() == 2


@pytest.mark.parametrize("given", [["openai"], [("openai",)], [None], [("openai", 4)]])
def test_what_names_no_model_is_refused(service, given):
    with pytest.raises(UsageError):
        service.verify_provider_models(given)


def test_there_are_only_the_probes_that_there_are(own):
    with pytest.raises(UsageError, match="no probe 'everything'") as raised:
        own.verify_provider_model("openai", "gpt-4", probe="everything")
    assert "generate" in raised.value.hint


@pytest.mark.parametrize(
    "behaviour", ["hang", "reset", "malformed", "http-500", "rate-limited", "redirect", "html"]
)
def test_a_server_in_trouble_raises_nothing(own, fake, behaviour):
    own.register_provider(
        "openai", base_url=fake.base_url("openai", behaviour), verification={"timeout": "1s"}
    )
    found = own.register_provider_model("openai", "gpt-4")
    assert (found.is_active, found.hold) == (False, "pending")
    assert found.verification_outcome not in {None, "ok"}
    assert found.verification_detail


def test_a_model_that_files_own_is_verified_for_them(own, fake, database):
    with connect(database) as connection:
        run(connection, state(provider("openai", base_url=fake.openai), model("openai/gpt-4")))
    found = own.verify_provider_model("openai", "gpt-4")
    assert (found.managed_by, found.verification_status) == ("default", "verified")


def test_it_works_where_an_event_loop_runs(service, fake):
    async def application():
        return register(service, fake), service.verify_provider_model("openai", "gpt-4")

    registered, verified = asyncio.run(application())
    assert (registered.verification_status, verified.verification_status) == ("verified", "verified")


def test_the_trail_says_who_asked_and_what_was_found(own, fake, connection):
    register(own, fake)
    told = connection.execute(
        "SELECT action, actor, cause FROM audit_events WHERE address = %s ORDER BY id", [str(MODEL)]
    ).fetchall()
    assert told[0] == ("insert", services.ACTOR, "code")
    assert {actor for _, actor, _ in told} == {services.ACTOR}


def test_what_cannot_be_verified_is_stored_and_told(database, fake):
    with services.through_engine(database, fake, ca_file="/nowhere/ca.pem") as service:
        found = register(service, fake)
        assert found.hold == "pending"
        assert any("it is stored and could not be verified" in notice for notice in found.notices)
        with pytest.raises(UsageError):
            service.verify_provider_model("openai", "gpt-4")


class _Interrupting(providers.FakeProviders):
    """Presses Ctrl-C when the first request arrives, and answers nothing."""

    def converse(self, exchange, headers, body):
        os.kill(os.getpid(), signal.SIGINT)
        super().converse(exchange, headers, body)


def test_ctrl_c_leaves_the_registration_committed(database, connection):
    with _Interrupting() as fake, services.through_engine(database, fake) as service:
        with pytest.raises(Interrupted):
            register(service, fake, behaviour="hang")
        assert MODEL in entities(connection)
        assert service.get_provider_model("openai", "gpt-4").hold == "pending"
        claimed = connection.execute(
            "SELECT count(*) FROM model_verification WHERE claimed_until IS NOT NULL"
        )
        assert claimed.fetchone() == (0,)


def test_nobody_else_is_asked_when_a_model_is_registered(own, fake):
    register(own, fake, "thinker")
    asked = len(fake.requests)
    register(own, fake)
    assert {request.path.rpartition("/")[2] for request in fake.requests[asked:]} <= {"gpt-4", "models"}


def test_results_that_are_too_old_are_removed_through_an_engine(own, fake, connection):
    register(own, fake)
    connection.execute("UPDATE verification_results SET at = at - interval '200 days'")
    own.verify_provider_model("openai", "gpt-4")
    assert connection.execute("SELECT count(*) FROM verification_results").fetchone() == (1,)


def test_a_key_is_nowhere_in_what_is_stored_and_answered(own, fake, connection):
    found = register(own, fake)
    fake.models = ()
    found = (found, own.verify_provider_model("openai", "gpt-4"))
    tables = ("audit_events", "verification_results", "model_verification", "providers")
    rows = [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]
    assert providers.GOOD not in repr((found, rows))
