"""What probing before the commit refuses, outcome by outcome, and how that is told."""

import json

import pytest

from reconciler.core.address import model_address
from reconciler.core.outcome import OUTCOMES, Result
from reconciler.core.plan import Plan
from reconciler.core.preflight import examined, refusals
from reconciler.report import json as json_report
from reconciler.report import markdown, results_text

EMPTY = Plan("default", None, (), (), 3, (), (), digest="d")
REFUSED = {"auth_failed", "forbidden", "model_not_found", "model_withdrawn", "model_mismatch"}


def found(outcome, model="gpt-4o", provider="openai", **more):
    return Result(model_address(provider, model), outcome, "generate", **more)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_only_definitive_outcomes_refuse(outcome):
    assert bool(refusals([found(outcome)])) == (outcome in REFUSED)


def test_a_refused_parameter_refuses_though_the_outcome_alone_would_not():
    (refusal,) = refusals([found("probe_invalid", refused_parameters=("top_k",), detail="it refuses top_k")])

    assert refusal.rule == "verification"
    assert refusal.message == "model:openai/gpt-4o: probe_invalid: it refuses top_k"
    assert refusal.accept == ""


def test_one_reason_is_told_once_for_each_provider():
    results = [found("auth_failed", f"m{number}", detail="a wrong key") for number in range(5)]
    results += [found("auth_failed", "m0", "acme", detail="another wrong key"), found("ok", "m9")]

    told = [refusal.message for refusal in refusals(results)]

    assert told == [
        "model:acme/m0: auth_failed: another wrong key",
        "model:openai/m0, model:openai/m1, model:openai/m2 and 2 more: auth_failed: a wrong key",
    ]


def test_what_was_found_is_part_of_the_plan_and_leaves_its_digest():
    plan = examined(EMPTY, [found("ok"), found("forbidden", "gpt-5")])

    assert plan.digest == EMPTY.digest
    assert [refusal.rule for refusal in plan.refusals] == ["verification"]
    document = json.loads(json_report.plan(plan))
    assert [one["outcome"] for one in document["verification"]] == ["ok", "forbidden"]
    assert "verification" not in json.loads(json_report.plan(EMPTY))
    assert "model:openai/gpt-5" in markdown.plan(plan)
    assert "2 models probed: 1 forbidden, 1 ok." in results_text.examined(plan)
    assert "probed" not in results_text.examined(EMPTY)
