"""Which outcomes count for a model's uptime, what a window's figures say, and how long results are kept."""

import json
from datetime import timedelta

import pytest
from support import answers

from reconciler import settings
from reconciler.core import health
from reconciler.core.health import Health
from reconciler.core.outcome import DEFINITIVE_FAILURES, OUTCOMES
from reconciler.errors import UsageError
from reconciler.report import json as report

# The whole closed set, so that a new outcome is decided on.
VERDICTS = {
    "ok": "up",
    "auth_failed": "down",
    "forbidden": "down",
    "model_not_found": "down",
    "model_withdrawn": "down",
    "model_mismatch": "down",
    "quota_exhausted": "down",
    "rate_limited": "down",
    "overloaded": "down",
    "timeout": "down",
    "unreachable": "down",
    "wrong_region": "down",
    "bad_response": "down",
    "probe_invalid": "neither",
    "unprobeable": "neither",
    "skipped": "neither",
    "secret_missing": "neither",
    "refused_host": "neither",
    "refused_reference": "neither",
}


def test_every_outcome_is_decided_on():
    assert {outcome: health.verdict(outcome) for outcome in OUTCOMES} == VERDICTS


def test_the_lists_for_the_database_are_those_of_the_verdicts():
    assert set(health.UP) == {outcome for outcome, verdict in VERDICTS.items() if verdict == "up"}
    assert set(health.DOWN) == {outcome for outcome, verdict in VERDICTS.items() if verdict == "down"}


def test_what_says_that_a_model_cannot_be_used_counts_as_down():
    assert set(health.DOWN) >= DEFINITIVE_FAILURES


@pytest.mark.parametrize(
    ("found", "uptime", "per_mille"),
    [
        pytest.param(Health(), None, None, id="no probes"),
        pytest.param(Health(probes=7), None, None, id="nothing conclusive"),
        pytest.param(Health(probes=4, up=3, down=1), 0.75, 750, id="some"),
        pytest.param(Health(probes=9, up=3), 1.0, 1000, id="what counts neither way changes nothing"),
        pytest.param(Health(probes=1, down=1), 0.0, 0, id="none"),
        pytest.param(Health(probes=3000, up=2999, down=1), 2999 / 3000, 999, id="nearly all"),
    ],
)
def test_uptime_is_the_share_of_conclusive_results(found, uptime, per_mille):
    assert (found.uptime, found.uptime_per_mille) == (uptime, per_mille)


def test_the_windows_are_a_day_and_a_week():
    assert dict(health.WINDOWS) == {"24h": timedelta(days=1), "7d": timedelta(days=7)}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("90d", timedelta(days=90)),
        (" 36h ", timedelta(hours=36)),
        ("0", None),
        ("off", None),
        ("OFF", None),
        ("999999d", timedelta(days=999_999)),
    ],
)
def test_how_long_results_are_kept_is_a_duration_or_for_ever(text, kept):
    assert health.kept_for(text) == kept


@pytest.mark.parametrize("text", ["90", "never", "-1d", "", "0d", "1w"])
def test_a_retention_that_is_no_duration_is_refused(text):
    with pytest.raises(UsageError, match="RECONCILER_RETENTION") as refused:
        health.kept_for(text)
    assert "off" in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("environ", "written"),
    [({}, "90d"), ({"RECONCILER_RETENTION": ""}, "90d"), ({"RECONCILER_RETENTION": "off"}, "off")],
)
def test_results_are_kept_for_ninety_days_where_nobody_says_otherwise(environ, written):
    assert settings.from_environment(environ).retention == written


def test_show_answers_machines_with_both_windows():
    windows = {"24h": Health(288, 287, 1, 84, 210), "7d": Health(3)}
    shown = json.loads(
        report.entity(
            answers.shown(
                health=windows, probe="model", checked_at=answers.WHEN, next_due=answers.WHEN, failures=2
            )
        )
    )
    assert shown["health"] == {
        "24h": {"uptime": 0.996528, "probes": 288, "p50_ms": 84, "p95_ms": 210, "up": 287, "down": 1},
        "7d": {"uptime": None, "probes": 3, "p50_ms": None, "p95_ms": None, "up": 0, "down": 0},
    }
    assert (shown["probe"], shown["failures"]) == ("model", 2)
    assert shown["checked_at"] == shown["next_due"] == "2026-03-01T12:30:05Z"


def test_show_answers_machines_with_no_health_where_there_can_be_none():
    shown = json.loads(report.entity(answers.shown()))
    assert (shown["health"], shown["failures"], shown["next_due"]) == (None, None, None)


def test_list_answers_machines_with_the_last_outcome():
    listed = answers.listed(outcome="timeout", failures=1, checked_at=answers.WHEN)
    (model,) = json.loads(report.models([listed]))["models"]
    assert (model["outcome"], model["failures"]) == ("timeout", 1)
    assert model["checked_at"] == "2026-03-01T12:30:05Z"
