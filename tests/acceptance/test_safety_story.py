"""The safety rules as a person meets them: a plan that is refused is shown whole and writes nothing, and
exactly what the refusal says lets it through.
"""

import shlex
import shutil
from dataclasses import dataclass, field

import pytest
from support.directories import Story, provider, refused, steps

URL = "https://here.example/v1"
TEN = [f"m{number}" for number in range(10)]


def here(*models, name="here", **fields):
    """A provider that is described and nothing more."""
    return provider(name, *models, base_url=URL, **fields)


PAIR = here("one", "two")
OTHERS = here("m1", "m2", name="others")


@dataclass(frozen=True)
class Case:
    """Files before and after, what stands against that, and other words that do not lift it.

    A file whose text is `None` is gone afterwards.
    """

    before: dict[str, str]
    after: dict[str, str | None]
    refusals: list[tuple[str, str]]
    changes: set[tuple[str, str]]
    others: tuple[str, ...] = field(default=("moved-source", "deactivate=1"))


def leaving(*addresses):
    return {("deactivate", address) for address in addresses}


FOUR = leaving(*(f"model:here/{model}" for model in TEN[6:]))
BOTH = leaving("model:here/one", "model:here/two")
GONE = BOTH | leaving("provider:here")
CASES = {
    "many models vanish": Case(
        {"here": here(*TEN)},
        {"here": here(*TEN[:6])},
        [("deactivations", "deactivate=4")],
        FOUR,
        ("deactivate=3", "deactivate=5", "empty", "provider=here"),
    ),
    "many models are switched off": Case(
        {"here": here(*TEN)},
        {"here": here(*TEN, active="false")},
        [("deactivations", "deactivate=10")],
        leaving("provider:here", *(f"model:here/{model}" for model in TEN)),
        ("deactivate=11", "provider=here"),
    ),
    "a provider vanishes with its models": Case(
        {"here": PAIR, "others": OTHERS},
        {"here": None},
        [("provider-vanished", "provider=here")],
        GONE,
        ("provider=others", "deactivate=2", "empty"),
    ),
    "a provider is called something else": Case(
        {"here": PAIR},
        {"here": here("one", "two", name="there")},
        [("provider-vanished", "provider=here")],
        GONE | {("create", one) for one in ("provider:there", "model:there/one", "model:there/two")},
    ),
    "everything vanishes": Case(
        {"here": here("one")},
        {"here": None},
        [("empty-source", "empty")],
        leaving("model:here/one", "provider:here"),
        ("empty-file=here.yaml", "provider=here"),
    ),
    "a file is empty": Case(
        {"here": here("one"), "others": OTHERS},
        {"here": "# nothing\n"},
        [("empty-file", "empty-file=here.yaml")],
        leaving("model:here/one", "provider:here"),
        ("empty", "empty-file=others.yaml"),
    ),
    "a protected model vanishes": Case(
        {"here": here("one", "two", protected="true")},
        {"here": here("one", protected="true")},
        [("protected", "protected=model:here/two")],
        leaving("model:here/two"),
        ("protected=model:here/one", "deactivate=1"),
    ),
    "the protection goes with what it protected": Case(
        {"here": here("one", "two", protected="true")},
        {"here": here("one")},
        [("protected", "protected=model:here/two")],
        leaving("model:here/two") | {("update", "provider:here")},
    ),
    "several rules at once": Case(
        {"here": here("one", "two", protected="true")},
        {"here": None},
        [
            ("empty-source", "empty"),
            ("provider-vanished", "provider=here"),
            ("protected", "protected=provider:here"),
        ],
        GONE,
        ("empty", "provider=here"),
    ),
}


@pytest.fixture
def story(tmp_path, database):
    return Story(tmp_path, database)


def change_files(story, after):
    for name, text in after.items():
        if text is None:
            (story.directory / f"{name}.yaml").unlink()
        else:
            story.write(**{name: text})


def accepting(*words):
    return [part for word in words for part in ("--accept", word)]


@pytest.mark.parametrize("name", CASES)
def test_what_is_refused_is_shown_whole_and_lifted_by_its_own_words_only(name, story):
    case = CASES[name]
    story.write(**case.before)
    story.apply()
    change_files(story, case.after)
    is_refused(story, case)
    lifting = [accept for _, accept in case.refusals]
    if len(lifting) > 1:
        almost = story.apply(*accepting(*lifting[:-1]), status=3)
        assert refused(almost) == case.refusals[-1:]
    done = story.apply(*accepting(*lifting))
    assert done["refusals"] == []
    assert {(action, address) for action, address, _ in steps(done)} == case.changes
    states = dict(
        story.rows(
            "SELECT 'model:' || provider_name || '/' || model_id, is_active FROM provider_model_configs"
        )
    )
    assert not any(states.get(address) for action, address in case.changes if action == "deactivate")
    if "empty" not in lifting:
        assert story.ask("plan", "--detailed-exitcode")["changes"] == []


def is_refused(story, case):
    """By a plan and by an apply, in JSON and in words, whatever else is accepted; nothing is written."""
    before = story.everything()
    plan = story.ask("plan", "--detailed-exitcode", status=3)
    assert refused(plan) == case.refusals
    assert {(action, address) for action, address, _ in steps(plan)} == case.changes
    answer = story.apply(status=3)
    assert {name: answer[name] for name in plan} == plan
    assert (answer["run"], set(answer["applied"].values())) == (None, {0})
    shown = story.run("apply", "--yes", "--no-verify", *accepting(*case.others))
    assert shown.status == 3
    still = [accept for _, accept in case.refusals if accept not in case.others]
    for accept in still:
        assert f"pass: --accept {shlex.quote(accept)}" in shown.stdout
    assert all(address in shown.stdout for _, address in case.changes)
    assert story.everything() == before


def test_three_in_ten_models_may_go_without_a_word(story):
    story.write(here=here(*TEN))
    story.apply()
    story.write(here=here(*TEN[:7]))
    assert story.apply()["applied"]["deactivate"] == 3
    story.write(here=here(*TEN))
    assert {action for action, _, _ in steps(story.apply())} == {"activate"}


def test_another_directory_under_the_same_name_does_not_switch_the_first_off(story):
    story.write(here=here("one"))
    for environment in ("staging", "production"):
        shutil.copytree(story.directory, story.folder / environment)
    (story.folder / "production" / "here.yaml").write_text(f"version: 1\n{here('two')}")
    story.apply("staging")
    before = story.everything()
    for words in (["plan"], ["apply", "--yes"]):
        answer = story.ask(words[0], "production", *words[1:], status=3)
        assert refused(answer) == [("moved-source", "moved-source")]
        assert "staging" in answer["refusals"][0]["message"]
        assert "production" in answer["refusals"][0]["message"]
    assert refused(story.apply("production", "--accept", "empty", status=3)) == [
        ("moved-source", "moved-source")
    ]
    assert story.everything() == before
    # Of a name of its own it leaves the other alone.
    own = story.apply("production", "--source", "production", status=3)
    assert refused(own) == [("ownership", "")]
    assert story.everything() == before
    assert len(story.apply("production", "--accept", "moved-source")["changes"]) == 2


def test_what_somebody_else_still_uses_cannot_be_switched_off_at_all(story):
    story.write(here=here("one", parameters="warm"), sets="parameters: {warm: {temperature: 0.5}}\n")
    story.apply()
    story.edit(
        "INSERT INTO provider_model_configs (provider_name, model_id, parameters_id)"
        " SELECT 'by-hand', 'theirs', id FROM llm_parameters WHERE name = 'warm'"
    )
    story.write(here=here("one"), sets="parameters: {cold: {temperature: 0}}\n")
    before = story.everything()
    answer = story.apply(*accepting("empty", "deactivate=1"), "--adopt", status=3)
    assert refused(answer) == [("in-use", "")]
    assert "model:by-hand/theirs" in answer["refusals"][0]["message"]
    shown = story.run("plan")
    assert (shown.status, "Nothing lifts this" in shown.stdout) == (3, True)
    assert story.everything() == before
    story.edit("UPDATE provider_model_configs SET is_active = FALSE WHERE provider_name = 'by-hand'")
    assert ("deactivate", "parameters:warm", "files") in steps(story.apply())


def test_rows_that_nobody_manages_are_left_alone_until_they_are_adopted(story):
    story.edit(
        "INSERT INTO providers (name, kind, base_url) VALUES ('here', 'openai-compatible', 'https://old.example')",
        "INSERT INTO provider_model_configs (provider_name, model_id, parameters_id, mode)"
        " SELECT 'here', model, p.id, 'completion' FROM llm_parameters p,"
        " unnest('{one,unmanaged}'::text[]) model WHERE p.name = 'default'",
    )
    story.write(here=PAIR)
    before = story.everything()
    for words in (["plan"], ["apply", "--yes", "--accept", "moved-source"]):
        answer = story.ask(*words, status=3)
        assert refused(answer) == [("ownership", "--adopt")]
        assert steps(answer) == [("create", "model:here/two", "files")]
    assert "pass: --adopt" in story.run("apply", "--yes").stdout
    assert story.everything() == before
    done = story.apply("--adopt")
    assert done["applied"] == {"create": 1, "update": 0, "activate": 0, "deactivate": 0, "adopt": 2}
    fields = {change["address"]: change["fields"] for change in done["changes"]}
    assert {"path": "mode", "before": "completion", "after": "chat"} in fields["model:here/one"]
    assert {"path": "base_url", "before": "https://old.example", "after": URL} in fields["provider:here"]
    owners = {model["model_id"]: model["managed_by"] for model in story.ask("list")["models"]}
    assert owners == {"one": "default", "two": "default", "unmanaged": None}
    # Once everything of ours goes, what is not ours stays as it was.
    story.write(here=here())
    story.apply()
    active = {model["model_id"]: model["is_active"] for model in story.ask("list")["models"]}
    assert active == {"one": False, "two": False, "unmanaged": True}


def test_what_another_source_owns_is_never_taken(story):
    story.write(here=PAIR)
    story.apply("--source", "team-a")
    before = story.everything()
    for more in ((), ("--adopt",), ("--accept", "moved-source", "--accept", "empty")):
        answer = story.apply("--source", "team-b", *more, status=3)
        assert refused(answer) == [("ownership", "")]
        assert "team-a" in answer["refusals"][0]["message"]
    assert story.everything() == before


def test_deactivations_can_be_left_out_and_are_listed(story):
    story.write(here=here(*TEN))
    story.apply()
    story.write(here=here(*TEN[:6], "new"))
    for verb in (["plan"], ["apply", "--yes", "--no-verify"]):
        answer = story.ask(*verb, "--no-deactivate")
        assert steps(answer) == [("create", "model:here/new", "files")]
        assert {(one["action"], one["address"]) for one in answer["deferred"]} == FOUR
        assert (answer["summary"]["deactivate"], answer["refusals"]) == (0, [])
    assert story.counts("provider_model_configs WHERE is_active") == (11,)
    assert story.rows("SELECT jsonb_array_length(deferred) FROM sources") == [(4,)]
    shown = story.run("plan", "--no-deactivate")
    assert shown.stdout.startswith("No changes. ")
    assert "Left out by --no-deactivate (4)" in shown.stdout
    assert refused(story.ask("plan", status=3)) == [("deactivations", "deactivate=4")]


@pytest.mark.parametrize("word", ["deletions=4", "deactivate", "empty=1", "protected=", "all", "--force"])
def test_an_acknowledgement_of_nothing_is_a_mistake(word, story):
    story.write(here=PAIR)
    error = story.apply(f"--accept={word}", status=1)["error"]
    assert error["code"] == "bad-acknowledgement"
    assert "deactivate=N" in error["hint"]
    assert story.counts("provider_model_configs", "reconcile_runs") == (0, 0)
