"""Asking before anything is written: `plan --verify` and `apply --verify-first`, by the installed command
against a server that answers well, badly and late.
"""

from dataclasses import replace

import pytest
from support.directories import Story, provider, refused
from support.providers import MODELS, FakeProviders, key
from support.working_providers import WorkingProviders

GOOD, UNKNOWN = MODELS[0], "never-made"
CHAT = "/openai/v1/chat/completions"


@pytest.fixture
def fake():
    with WorkingProviders() as server:
        yield server


@pytest.fixture
def story(tmp_path, database, fake):
    here = Story(tmp_path, database)
    return here.with_env(RECONCILER_ALLOWED_HOSTS=fake.host, ACME_API_KEY=key(), WRONG_API_KEY=key("bad"))


def acme(fake, *models, variable="ACME_API_KEY", **fields):
    written = {"kind": "openai", "base_url": fake.openai, "credentials": f"{{api_key: env:{variable}}}"}
    return provider("acme", *models, **{**written, **fields})


def found(document):
    return {one["address"].rpartition("/")[2]: one["outcome"] for one in document["verification"]}


def test_a_plan_asks_about_new_models_and_writes_nothing(story, fake, empty_database):
    story = replace(story, database=empty_database)
    story.write(acme=acme(fake, GOOD, UNKNOWN))

    planned = story.ask("plan", "--verify", status=3)

    assert found(planned) == {GOOD: "ok", UNKNOWN: "model_not_found"}
    assert refused(planned) == [("verification", "")]
    assert f"model:acme/{UNKNOWN}: model_not_found" in planned["refusals"][0]["message"]
    assert story.rows("SELECT to_regclass('provider_model_configs')") == [(None,)]


def test_a_plan_that_does_not_ask_sends_nothing(story, fake):
    story.write(acme=acme(fake, GOOD, UNKNOWN))

    planned = story.ask("plan")

    assert "verification" not in planned
    assert fake.requests == []


def test_a_definitive_no_keeps_everything_out_of_the_database(story, fake):
    story.write(acme=acme(fake, GOOD))
    story.ask("apply", "--yes")
    before = story.everything()
    story.write(acme=acme(fake, GOOD, UNKNOWN))

    answer = story.ask("apply", "--yes", "--verify-first", "--probe", "model", status=3)

    assert answer["run"] is None
    assert found(answer) == {UNKNOWN: "model_not_found"}
    assert story.everything() == before


def test_what_answers_is_applied(story, fake):
    story.write(acme=acme(fake, GOOD))

    answer = story.ask("apply", "--yes", "--verify-first")

    assert answer["run"] == 1
    assert [(one["probe"], one["outcome"]) for one in answer["verified_first"]] == [("generate", "ok")]
    assert found(answer) == {GOOD: "ok"}
    assert len(fake.sent(CHAT)) == 1
    assert "/openai/v1/models" not in fake.paths()
    assert story.ask("plan", "--verify")["verification"] == []


@pytest.mark.parametrize("behaviour", ["rate-limited", "http-500", "reset", "html"])
def test_what_may_pass_by_itself_refuses_nothing(behaviour, story, fake):
    base_url = fake.base_url("openai", behaviour)
    story.write(acme=acme(fake, GOOD, base_url=base_url))

    answer = story.ask("apply", "--yes", "--verify-first", "--probe", "model", "--no-verify")

    assert answer["run"] == 1
    assert answer["refusals"] == []


def test_a_wrong_key_is_one_refusal_for_all_its_models_and_stays_unsaid(story, fake):
    story.write(acme=acme(fake, *MODELS[:4], variable="WRONG_API_KEY"))

    answer = story.run("apply", "--yes", "--verify-first")

    assert answer.status == 3
    assert "verification: model:acme/" in answer.stdout
    assert "and 1 more: auth_failed" in answer.stdout
    assert "4 models probed: 4 auth_failed." in answer.stdout
    assert key("bad") not in answer.stdout + answer.stderr


def test_a_key_goes_nowhere_that_it_may_not_go_before_the_commit_either(story, fake, tmp_path):
    with FakeProviders() as other:
        story.write(acme=acme(other, GOOD))

        planned = story.ask("plan", "--verify")

        assert found(planned) == {GOOD: "refused_host"}
        assert other.requests == []


def test_a_changed_parameter_set_is_asked_for_every_model_that_uses_it(story, fake):
    sets = "parameters:\n  shared: {{temperature: {}}}\n"
    story.write(acme=acme(fake, *MODELS[:2], parameters="shared"), sets=sets.format(0.1))
    story.apply()
    story.write(sets=sets.format(0.2))

    planned = story.ask("plan", "--verify")

    assert found(planned) == dict.fromkeys(MODELS[:2], "ok")
    assert [body["temperature"] for body in fake.sent(CHAT)] == [0.2, 0.2]


def test_a_parameter_that_the_provider_refuses_is_named_and_refuses_the_plan(story, fake):
    story.write(acme=acme(fake, GOOD, parameters="odd"), sets="parameters:\n  odd: {presence_penalty: 1.0}\n")

    planned = story.ask("plan", "--verify", status=3)

    (one,) = planned["verification"]
    assert (one["outcome"], one["refused_parameters"]) == ("probe_invalid", ["presence_penalty"])
    assert "presence_penalty" in planned["refusals"][0]["message"]


def test_what_generates_counts_against_the_budget_of_the_day(story, fake):
    story.write(acme=acme(fake, *MODELS[:3], verification="{budget: 2}"))

    answer = story.ask("apply", "--yes", "--verify-first", "--no-verify")

    outcomes = sorted(one["outcome"] for one in answer["verified_first"])
    assert outcomes == ["ok", "ok", "skipped"]
    assert story.rows("SELECT source, used FROM verification_budgets") == [("default", 2)]
    story.write(acme=acme(fake, *MODELS[:4], verification="{budget: 3}"))
    planned = story.ask("plan", "--verify")
    assert sorted(found(planned).values()) == ["ok", "skipped", "skipped", "skipped"]
    assert story.rows("SELECT source, used FROM verification_budgets") == [("default", 3)]


def test_who_may_only_read_still_plans_within_what_is_left_of_the_day(story, fake):
    story.write(acme=acme(fake, *MODELS[:3], verification="{budget: 2}"))
    story.edit(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on',"
        " current_database()); END $$"
    )

    answer = story.run("plan", "--verify", "--output", "json")

    assert sorted(found(answer.document).values()) == ["ok", "ok", "skipped"]
    assert "cannot be counted" in answer.stderr
    assert story.rows("SELECT source, used FROM verification_budgets") == []
