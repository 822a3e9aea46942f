"""An incident at night: a program holds a model's values for a time, and every command tells of it, until the
override ends by itself and everything is as the files say.
"""

from datetime import timedelta

import pytest
from support import services
from support.directories import FORMS, Story
from support.polling import eventually

FILES = """
providers:
  here:
    kind: openai-compatible
    base_url: https://here.example/v1
    models:
      gpt-4: {parameters: warm, prompt_template: qa}
      other: {parameters: warm}
parameters:
  warm: {temperature: 0.7, top_p: 0.5}
templates:
  qa: {system_prompt: Be kind.}
"""
MODEL = "model:here/gpt-4"
VALUES = {"is_active": False, "parameters": {"temperature": 0.0}}


@pytest.fixture
def story(tmp_path, database):
    made = Story(tmp_path, database)
    made.write(here=FILES)
    made.apply()
    return made


@pytest.fixture
def service(story):
    with services.through_engine(story.database, actor="alice") as opened:
        yield opened


def hold(service, until=timedelta(hours=5, minutes=30)):
    return service.override_provider_model("here", "gpt-4", VALUES, until=until, reason="incident 4711")


def test_every_command_tells_of_an_override_while_it_lasts(story, service):
    exported = story.run("export").stdout
    hold(service)

    plan = story.run("plan", "--detailed-exitcode")
    assert plan.status == 0
    assert plan.stdout.startswith(
        "No changes. 5 entities match.\n\nOverrides (1)\n  model:here/gpt-4 until 20"
    )
    assert plan.stdout.endswith(
        "Z (in 5 h): is_active true -> false, temperature 0.7 -> 0.0 - incident 4711 (by alice)\n"
    )
    (held,) = story.ask("plan")["overrides"]
    assert list(held)[:6] == ["address", "fields", "until", "reason", "actor", "starts_at"]
    assert (held["address"], held["fields"], held["hidden"]) == (MODEL, VALUES, [])
    assert story.apply()["overrides"][0]["address"] == MODEL
    drift = story.run("drift")
    assert (drift.status, "Overrides (1)" in drift.stdout) == (0, True)
    for verb in ("plan", "drift"):
        assert "#### Overrides (1)" in story.run(verb, "--output", "markdown").stdout

    listed = story.run("list").stdout.splitlines()
    assert listed[0].endswith("OVERRIDE")
    assert listed[1].startswith("model:here/gpt-4  no")
    assert "(in 5 h)" in listed[1]
    assert listed[2].endswith("  -")
    first, second = story.ask("list")["models"]
    assert (first["is_active"], first["parameters"]["temperature"]) == (False, 0.0)
    assert (first["override"]["reason"], second["override"]) == ("incident 4711", None)
    assert [model["address"] for model in story.ask("list", "--active")["models"]] == ["model:here/other"]
    metrics = story.run("list", "--output", "prometheus").stdout
    assert 'reconciler_override_until_seconds{provider="here",model="gpt-4"} ' in metrics
    assert 'reconciler_model_usable{provider="here",model="gpt-4"} 0' in metrics

    shown = story.run("show", MODEL).stdout
    assert "  active: no, by an override\n  override: until " in shown
    assert "\n  held: is_active true -> false, temperature 0.7 -> 0.0\n" in shown
    document = story.ask("show", MODEL)
    assert (document["is_active"], document["usable"], document["override"]["actor"]) == (
        True,
        False,
        "alice",
    )

    history = story.run("history", MODEL, "--limit", "1").stdout
    assert "override model:here/gpt-4 (by code, alice, " in history
    assert "Z: is_active false, temperature 0.0, reason: incident 4711)" in history
    assert story.run("export").stdout == exported


def test_files_change_the_row_under_it_and_it_stays(story, service):
    hold(service)
    story.write(here=FILES.replace("0.7", "0.9"))
    note = "the files change temperature too; the override hides it until "
    plan = story.run("plan", "--detailed-exitcode")
    assert (plan.status, note in plan.stdout) == (2, True)
    applied = story.run("apply", "--yes", "--no-verify")
    assert (applied.status, note in applied.stdout) == (0, True)
    assert applied.stdout.splitlines()[-1].startswith("Applied as run 2: 1 updated.")
    after = story.ask("plan")
    assert (after["changes"], after["overrides"][0]["hidden"]) == ([], [])
    assert story.rows("SELECT temperature FROM llm_parameters WHERE name = 'warm'") == [(0.9,)]
    assert story.rows("SELECT parameters ->> 'temperature' FROM effective_models ORDER BY model_id") == [
        ("0.0",),
        ("0.9",),
    ]
    service.end_override("here", "gpt-4", reason="over")
    assert story.ask("list")["models"][0]["parameters"]["temperature"] == 0.9
    assert "instead of" in story.run("history", MODEL, "--limit", "1").stdout


def test_it_ends_by_itself_and_nothing_is_left_to_do(story, service):
    before = {form: story.run("list", "--output", form).stdout for form in FORMS[1:]}
    hold(service, until=timedelta(seconds=1))
    assert eventually(lambda: story.ask("plan")["overrides"] == [])
    assert {form: story.run("list", "--output", form).stdout for form in FORMS[1:]} == before
    assert story.run("plan").stdout == "No changes. 5 entities match.\n"
    assert story.ask("show", MODEL)["override"] is None
    assert story.counts("overrides") == (1,)
