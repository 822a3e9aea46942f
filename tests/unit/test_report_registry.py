"""The registry's models, one entity and the trail, as plain text."""

import pytest
from support import answers

from reconciler.report import registry_text


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


def test_an_empty_registry_says_so():
    assert registry_text.models([]) == "No models."


def test_an_entity_is_shown_in_full():
    assert registry_text.entity(answers.shown()).splitlines() == [
        "model:openai/gpt-4o",
        "  active: yes",
        "  managed by: default (openai.yaml:12)",
        "  verification: verified, last outcome ok, last answered well 2026-03-01 12:30:05Z",
        "  detail: the model answered",
        "  created: 2026-03-01 12:30:05Z",
        "  updated: 2026-03-01 12:30:05Z",
        "  spec:",
        "    parameters: base",
        "    mode: chat",
    ]


@pytest.mark.parametrize(
    ("fields", "line"),
    [
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
