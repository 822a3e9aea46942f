"""The contract for machines, field by field."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import answers

from reconciler.core.address import model_address, parse_address
from reconciler.core.changes import FieldChange, Refusal
from reconciler.core.plan import Applied
from reconciler.core.rehearsal import PlannedProbe
from reconciler.errors import SourceError, StoreUnavailableError, UsageError
from reconciler.report import json as report

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"
SUMMARY = {"create": 1, "update": 1, "activate": 1, "deactivate": 1, "adopt": 1, "unchanged": 42}
TYPO = {
    "severity": "error",
    "code": "unknown-field",
    "file": "openai.yaml",
    "line": 7,
    "column": 9,
    "path": "parameters.base.temperatur",
    "message": "'temperatur' is no field of a parameter set",
    "hint": "did you mean temperature?",
    "related": [{"file": "shared.yaml", "line": 3, "column": 1, "message": "the set starts here"}],
}
RESULT = {
    "address": "model:openai/gpt-4o",
    "outcome": "ok",
    "probe": "model",
    "http_status": 200,
    "latency_ms": 84,
    "detail": "the model answered",
    "provider_code": None,
    "retry_after": None,
    "answered_by": None,
    "refused_parameters": [],
    "cached": False,
}


def test_validate_answers_as_agreed():
    counts = {"provider": 2, "parameters": 3, "template": 2, "model": 2}
    assert json.loads(report.validation([answers.TYPO], counts)) == {
        "format": 1,
        "valid": False,
        "entities": counts,
        "problems": [TYPO],
    }
    assert json.loads(report.validation([answers.UNUSED], counts))["valid"] is True


def test_plan_answers_as_agreed():
    refusal = Refusal(
        "deactivations", "41 of 50.", accept="deactivate=41", addresses=(parse_address("model:a/b"),)
    )
    found = answers.plan(
        *answers.EVERY_CHANGE,
        deferred=(answers.deactivate(),),
        refusals=(refusal,),
        problems=(answers.UNUSED,),
        used_by={parse_address("parameters:base"): 3},
    )
    document = json.loads(report.plan(found))
    assert list(document) == [
        "format", "source", "revision", "summary", "changes", "deferred", "problems", "refusals", "digest",
        "overrides",
    ]  # fmt: skip
    assert document["summary"] == SUMMARY
    assert document["changes"][1] == {
        "action": "update",
        "address": "parameters:base",
        "cause": "files",
        "fields": [{"path": "temperature", "before": 0.7, "after": 0.9}],
        "file": "shared.yaml",
        "line": 12,
        "used_by": 3,
    }
    assert (document["changes"][4]["file"], document["changes"][4]["line"]) == ("openai.yaml", 30)
    assert [change["action"] for change in document["deferred"]] == ["deactivate"]
    assert document["refusals"] == [
        {"rule": "deactivations", "message": "41 of 50.", "accept": "deactivate=41"}
    ]
    assert (document["source"], document["revision"], document["digest"]) == ("default", None, "d1gest")


@pytest.mark.parametrize("sides", [("a " + KEY, "clean"), ("clean", "a " + KEY), (None, "a " + KEY)])
def test_a_key_is_masked_on_either_side_of_a_change(sides):
    found = answers.plan(answers.update("provider:a", FieldChange("description", *sides)))
    (field,) = json.loads(report.plan(found))["changes"][0]["fields"]
    assert "a ***" in (field["before"], field["after"])
    assert KEY not in report.plan(found)


def test_apply_answers_with_the_plan_and_what_was_done():
    found = answers.plan(answers.create())
    done = Applied(found, 17, {"create": 1}, (answers.result(),), {"load": 0.0214, "plan": 1.0})
    document = json.loads(report.applied(done))
    assert list(document)[-4:] == ["run", "applied", "verification", "seconds"]
    assert {name: document[name] for name in json.loads(report.plan(found))} == json.loads(report.plan(found))
    assert document["run"] == 17
    assert document["applied"] == {"create": 1, "update": 0, "activate": 0, "deactivate": 0, "adopt": 0}
    assert document["verification"] == [RESULT]
    assert document["seconds"] == {"load": 0.021, "plan": 1.0, "apply": 0.0, "verify": 0.0}


def test_a_failure_after_the_commit_is_told_beside_what_was_done():
    done = Applied(answers.plan(answers.create()), 17, {"create": 1})
    document = json.loads(report.applied(done, StoreUnavailableError("PostgreSQL broke off.")))
    assert document["run"] == 17
    assert document["error"] == {
        "code": "database-unavailable",
        "message": "PostgreSQL broke off.",
        "hint": "",
    }


def test_verify_answers_as_agreed():
    assert json.loads(report.verification([answers.result()], 1.23456)) == {
        "format": 1,
        "verification": [RESULT],
        "seconds": 1.235,
    }


def test_list_answers_as_agreed():
    (model,) = json.loads(report.models([answers.listed()]))["models"]
    agreed = {
        "address": "model:openai/gpt-4o",
        "provider": "openai",
        "model_id": "gpt-4o",
        "is_active": True,
        "status": "verified",
        "last_verified": "2026-03-01T12:30:05Z",
        "parameters": {"name": "base", "temperature": 0.7},
        "prompt_template": "assistant",
        "managed_by": "default",
    }
    assert {name: model[name] for name in agreed} == agreed


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        pytest.param({"credentials-rotation": "monthly"}, {"credentials-rotation": "monthly"}, id="a name"),
        pytest.param({"a": KEY}, {"a": "***"}, id="a key"),
        pytest.param([1], [1], id="what a hand put there"),
    ],
)
def test_labels_are_shown_by_what_they_say(labels, shown):
    (model,) = json.loads(report.models([answers.listed(labels=labels)]))["models"]
    assert model["labels"] == shown


def test_a_model_id_with_slashes_is_told_apart_from_its_provider():
    (model,) = json.loads(report.models([answers.listed("model:together/meta/llama:3")]))["models"]
    assert (model["provider"], model["model_id"]) == ("together", "meta/llama:3")


def test_show_and_history_are_whole():
    shown = json.loads(report.entity(answers.shown()))
    assert (shown["address"], shown["spec"]["mode"]) == ("model:openai/gpt-4o", "chat")
    trail = json.loads(report.history([answers.event()], [answers.run()]))
    assert trail["events"][0]["at"] == trail["runs"][0]["started_at"] == "2026-03-01T12:30:05Z"
    assert trail["events"][0]["after"] == {"temperature": 0.9}
    assert trail["runs"][0]["summary"] == {"create": 2, "deactivate": 1}


@pytest.mark.parametrize(
    ("failure", "fields"),
    [
        pytest.param(
            UsageError("No.", code="no-such-directory", hint="run init"),
            {"code": "no-such-directory", "message": "No.", "hint": "run init"},
            id="an error",
        ),
        pytest.param(
            SourceError([answers.TYPO]),
            {
                "code": "invalid-source",
                "message": "The configuration has 1 error.",
                "hint": "",
                "problems": [TYPO],
            },
            id="bad files",
        ),
    ],
)
def test_an_error_answers_as_agreed(failure, fields):
    assert json.loads(report.error(failure)) == {"format": 1, "error": fields}


def test_the_format_comes_first_in_every_answer():
    every = (
        report.validation([], {}),
        report.plan(answers.plan()),
        report.applied(Applied(answers.plan(), None, {})),
        report.verification([], 0),
        report.models([]),
        report.entity(answers.shown()),
        report.history([], []),
        report.error(UsageError("No.")),
    )
    assert all(text.startswith('{\n  "format": 1,\n') for text in every)


@given(st.text())
def test_any_text_arrives_as_it_was_and_commands_no_terminal(text):
    document = report.document({"text": text, "list": [text], "nested": {text: text}})
    assert json.loads(document) == {"format": 1, "text": text, "list": [text], "nested": {text: text}}
    assert document.isascii()
    assert document.replace("\n", "").isprintable()


def test_a_value_that_json_has_no_word_for_is_refused():
    with pytest.raises(ValueError, match="JSON compliant"):
        report.document({"number": float("nan")})


def test_a_rehearsal_adds_up_what_would_be_asked():
    shared = ("GET https://a.example/models",)
    free = [PlannedProbe(model_address("a", name), "model", "a.example", shared, shared) for name in "xy"]
    calls = ("POST https://a.example/chat",)
    paid = PlannedProbe(model_address("a", "z"), "generate", "a.example", calls, tokens=40, reason="unsure")
    left = PlannedProbe(model_address("a", "w"), "generate", "a.example", reason="no budget")
    document = json.loads(report.rehearsal([*free, paid, left]))
    assert list(document) == ["format", "probes", "totals"]
    assert document["probes"][2] == {
        "address": "model:a/z",
        "probe": "generate",
        "host": "a.example",
        "calls": ["POST https://a.example/chat"],
        "tokens": 40,
        "reason": "unsure",
    }
    assert document["totals"] == {"probes": 3, "calls": 2, "generate": 1, "tokens": 40}
