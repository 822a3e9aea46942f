"""The registry's models, one entity and the trail, as plain text."""

from datetime import timedelta

import pytest
from support import answers

from reconciler.core.address import parse_address
from reconciler.core.health import Health
from reconciler.report import markdown, registry_text


def test_models_are_a_table_with_a_count():
    held = answers.listed(
        "model:openai/gpt-5", is_active=False, hold="pending", status="pending", last_verified=None
    )
    foreign = answers.listed(
        "model:x/y", managed_by=None, prompt_template=None, parameters={"name": "default"}
    )
    lines = [
        line.split("  ") for line in registry_text.models([answers.listed(), held, foreign]).splitlines()
    ]
    words = [[word.strip() for word in line if word] for line in lines]
    assert words == [
        ["MODEL", "ACTIVE", "STATUS", "LAST VERIFIED", "PARAMETERS", "TEMPLATE", "MANAGED BY"],
        ["model:openai/gpt-4o", "yes", "verified", "2026-03-01 12:30:05Z", "base", "assistant", "default"],
        ["model:openai/gpt-5", "no (pending)", "pending", "never", "base", "assistant", "default"],
        ["model:x/y", "yes", "verified", "2026-03-01 12:30:05Z", "default", "-", "nobody"],
        ["3 models, 2 active."],
    ]


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (timedelta(seconds=0), "0s"),
        (timedelta(seconds=119), "119s"),
        (timedelta(minutes=2), "2m"),
        (timedelta(minutes=119, seconds=59), "119m"),
        (timedelta(hours=47, minutes=59), "47h"),
        (timedelta(days=2), "2d"),
        (timedelta(days=400), "400d"),
        pytest.param(-timedelta(minutes=5), "0s", id="another machine's clock is ahead"),
    ],
)
def test_how_long_ago_a_model_was_verified_is_told_where_the_present_is_known(age, told):
    shown = registry_text.models([answers.listed()], now=answers.WHEN + age)
    assert f"2026-03-01 12:30:05Z ({told} ago)" in shown


def test_a_model_that_was_never_verified_has_no_age():
    shown = registry_text.models([answers.listed(last_verified=None)], now=answers.WHEN)
    assert "never  " in shown
    assert "ago" not in shown


def test_an_empty_registry_says_so():
    assert registry_text.models([]) == "No models."


def test_an_entity_is_shown_in_full():
    assert registry_text.entity(answers.shown()).splitlines() == [
        "model:openai/gpt-4o",
        "  active: yes",
        "  managed by: default (openai.yaml:12)",
        "  verification: verified, last outcome ok, last answered well 2026-03-01 12:30:05Z",
        "  last probe: never",
        "  detail: the model answered",
        "  created: 2026-03-01 12:30:05Z",
        "  updated: 2026-03-01 12:30:05Z",
        "  spec:",
        "    parameters: base",
        "    mode: chat",
    ]


PROBED = {
    "probe": "model",
    "checked_at": answers.WHEN,
    "failures": 2,
    "next_due": answers.WHEN + timedelta(hours=1),
    "health": {
        "24h": Health(probes=288, up=287, down=1, p50_ms=84, p95_ms=1210),
        "7d": Health(probes=3),
    },
}


def test_a_probed_model_is_shown_with_its_last_probe_and_its_health():
    lines = registry_text.entity(answers.shown(**PROBED)).splitlines()
    assert lines[4:8] == [
        "  last probe: model at 2026-03-01 12:30:05Z, 2 failures in a row, next due 2026-03-01 13:30:05Z",
        "  detail: the model answered",
        "  last 24h: 99.6 % up, p50 84 ms, p95 1,210 ms, 288 probes",
        "  last 7d: - up, p50 -, p95 -, 3 probes",
    ]
    assert all(line in markdown.entity(answers.shown(**PROBED)) for line in lines)


def test_a_provider_is_shown_with_the_health_of_its_models():
    provider = {"address": parse_address("provider:openai"), "status": None, "detail": ""}
    shown = registry_text.entity(answers.shown(**provider, health={"24h": Health(1, 1), "7d": Health(1, 1)}))
    assert "last 24h: 100 % up, p50 -, p95 -, 1 probe" in shown
    assert "last probe" not in shown


@pytest.mark.parametrize(
    ("one", "line"),
    [
        pytest.param(Health(), "no probes", id="nothing"),
        pytest.param(Health(2), "- up, p50 -, p95 -, 2 probes", id="nothing conclusive is not all"),
        pytest.param(Health(1, 0, 1), "0.0 % up, p50 -, p95 -, 1 probe", id="never up"),
        pytest.param(
            Health(100_000, 99_999, 1, 5, 6), "99.9 % up, p50 5 ms, p95 6 ms, 100,000 probes", id="nearly all"
        ),
        pytest.param(Health(5, 4, 0, 5, 6), "100 % up, p50 5 ms, p95 6 ms, 5 probes", id="all"),
    ],
)
def test_the_figures_of_a_window_never_say_more_than_was_found(one, line):
    assert registry_text.health(one) == line


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        pytest.param(
            {"checked_at": answers.WHEN, "probe": "reach"},
            "last probe: reach at 2026-03-01 12:30:05Z, 0 failures in a row, next due now",
            id="due",
        ),
        pytest.param({"is_active": False}, "active: no", id="inactive"),
        pytest.param({"is_active": False, "hold": "failing"}, "active: no, on hold: failing", id="on hold"),
        pytest.param(
            {"usable": False}, "active: yes, but not usable: its provider is inactive", id="unusable"
        ),
        pytest.param({"managed_by": None, "file": None, "line": None}, "managed by: nobody", id="unmanaged"),
        pytest.param({"used_by": ("model:a/b",)}, "used by 1 model:", id="used"),
    ],
)
def test_what_is_special_about_an_entity_is_said(fields, line):
    assert line in [shown.strip() for shown in registry_text.entity(answers.shown(**fields)).splitlines()]


def test_the_trail_names_runs_and_hand_edits():
    by_hand = answers.event(
        run=None, source=None, actor=None, cause=None, application="psql", client="10.0.0.7", action="insert",
        before=None, after={"name": "base"},
    )  # fmt: skip
    assert registry_text.history([answers.event(), by_hand], [answers.run()]).splitlines() == [
        "Runs",
        "  2026-03-01 12:30:05Z  run 17, source default at 0123456789ab by alice: 1 deactivated, 2 created",
        "",
        "Changes",
        "  2026-03-01 12:30:05Z  update parameters:base (run 17, alice, with reconciler, because of files)",
        "      temperature: 0.7 -> 0.9",
        "  2026-03-01 12:30:05Z  insert parameters:base (by hand, llm, with psql, from 10.0.0.7)",
        "      name: base",
    ]


def test_the_trail_tells_verification_from_a_hand():
    told = registry_text.event_line(answers.event(run=None, cause=None))
    assert told.endswith("(verification, alice, with reconciler)")


def test_a_failed_run_says_why():
    assert registry_text.run_line(answers.run(succeeded=False, error="no space left")).endswith(
        "by alice: failed: no space left"
    )


def test_no_trail_is_said():
    assert registry_text.history([], []) == "No history."


def test_what_the_database_holds_cannot_command_the_terminal():
    nasty = answers.NASTY
    shown = "\n".join(
        (
            registry_text.models(
                [answers.listed(f"model:a/{nasty}", managed_by=nasty, prompt_template=nasty)]
            ),
            registry_text.entity(
                answers.shown(
                    spec={nasty: nasty}, managed_by=nasty, file=nasty, detail=nasty, used_by=(nasty,)
                )
            ),
            registry_text.history(
                [
                    answers.event(
                        actor=nasty, application=nasty, address=nasty, reason=nasty, after={nasty: nasty}
                    )
                ],
                [answers.run(actor=nasty, revision=nasty, succeeded=False, error=nasty, source=nasty)],
            ),
        )
    )
    assert all(line.isprintable() for line in shown.splitlines())
