"""Plans as plain text: what goes inactive first, what each change does, what stands against it."""

import pytest
from support import answers

from reconciler.core.address import parse_address
from reconciler.core.changes import FieldChange, Refusal
from reconciler.report import plan_text
from reconciler.report.layout import Style

MASS = Refusal("deactivations", "41 of 50 active models would become inactive.", accept="deactivate=41")
MOVED = Refusal("moved-source", "it comes from elsewhere.", accept="moved-source")
IN_USE = Refusal("in-use", "parameters:base would be deactivated and model:a/b still uses it.")


@pytest.mark.parametrize(
    ("unchanged", "line"),
    [
        (42, "No changes. 42 entities match."),
        (1, "No changes. 1 entity matches."),
        (0, "No changes. 0 entities match."),
    ],
)
def test_a_plan_without_changes_is_one_line(unchanged, line):
    assert plan_text.plan(answers.plan(unchanged=unchanged)) == line


def test_a_whole_plan_reads_from_the_most_dangerous_to_the_least():
    users = {parse_address("parameters:base"): 3}
    shown = plan_text.plan(answers.plan(*answers.EVERY_CHANGE, used_by=users))
    assert shown == (
        "Plan for source default: 1 to deactivate, 1 to create, 1 to update, 1 to activate, 1 to adopt, "
        "42 unchanged.\n"
        "\n"
        "Deactivate (1)\n"
        "  - deactivate model:openai/gpt-3 (no longer in the files, was openai.yaml:30)\n"
        "      is_active: true -> false\n"
        "\n"
        "Change (4)\n"
        "  + create     model:openai/gpt-4o (openai.yaml:12)\n"
        "      mode: chat, parameters: base\n"
        "  ~ update     parameters:base (shared.yaml:12, used by 3 models)\n"
        "      temperature: 0.7 -> 0.9\n"
        "  ^ activate   model:openai/gpt-4 [files and drift] (openai.yaml:12)\n"
        "      is_active: false -> true\n"
        "  = adopt      provider:openai (openai.yaml:3)"
    )


def test_drift_is_marked_as_such():
    assert "parameters:base [drift] (" in plan_text.plan(answers.plan(answers.update(cause="drift")))


def test_an_entity_that_its_file_switches_off_is_still_in_the_file():
    shown = plan_text.plan(answers.plan(answers.deactivate(gone=False)))
    assert "model:openai/gpt-3 (openai.yaml:30)" in shown


def test_a_model_that_starts_inactive_says_so():
    assert "(openai.yaml:12, inactive)" in plan_text.plan(answers.plan(answers.create(active=False)))


def test_what_was_left_out_is_listed():
    shown = plan_text.plan(answers.plan(deferred=(answers.deactivate(),)))
    assert shown.startswith(
        "No changes. 42 entities match.\n\nLeft out by --no-deactivate (1)\n  - deactivate "
    )


def test_a_refusal_says_what_it_means_and_what_to_pass():
    shown = plan_text.plan(answers.plan(answers.deactivate(), refusals=(MASS,)))
    assert shown.splitlines()[-4:] == [
        "Refused (1): nothing is applied.",
        "  deactivations: 41 of 50 active models would become inactive.",
        "      Much would be switched off at once; often the wrong directory or a half-read one.",
        "      If this is meant, pass: --accept deactivate=41",
    ]


def test_several_refusals_are_lifted_by_one_line():
    shown = plan_text.plan(answers.plan(refusals=(MASS, MOVED)))
    assert shown.endswith("pass: --accept deactivate=41 --accept moved-source")


def test_what_nothing_lifts_offers_nothing_to_pass():
    assert "pass: " not in plan_text.plan(answers.plan(refusals=(IN_USE,)))
    assert "go ahead with all" not in plan_text.plan(answers.plan(refusals=(MASS, IN_USE)))


@pytest.mark.parametrize(
    ("accept", "words"),
    [
        ("--adopt", "--adopt"),
        ("empty", "--accept empty"),
        ("protected=model:a/b c", "--accept 'protected=model:a/b c'"),
        ("empty-file=$(x).yaml", "--accept 'empty-file=$(x).yaml'"),
    ],
)
def test_what_to_pass_can_be_pasted_into_a_shell(accept, words):
    assert plan_text.passing(Refusal("any", "…", accept=accept)) == words


def test_every_rule_is_explained():
    rules = {"deactivations", "provider-vanished", "empty-source", "empty-file", "protected"}
    assert set(plan_text.MEANINGS) == rules | {"moved-source", "in-use", "ownership", "verification"}


def test_a_bounded_plan_still_names_every_deactivation():
    leaving = [answers.deactivate(f"model:openai/old-{number}") for number in range(5)]
    coming = [answers.create(f"model:openai/new-{number}") for number in range(5)]
    shown = plan_text.plan(answers.plan(*coming, *leaving), most=2)
    assert all(f"old-{number}" in shown for number in range(5))
    assert "new-1" in shown
    assert "new-2" not in shown
    assert "… and 3 more" in shown


def test_drift_has_its_own_words():
    assert plan_text.drift(answers.plan()) == "No drift. 42 entities match what was applied."
    assert plan_text.drift(answers.plan(answers.update(cause="drift"))).startswith("Drift of source default:")


def test_names_and_values_cannot_command_the_terminal():
    nasty = FieldChange(answers.NASTY, answers.NASTY, answers.NASTY)
    change = answers.update(f"model:a/{answers.NASTY}", nasty)
    lines = plan_text.plan(answers.plan(change)).splitlines()
    assert len(lines) == 5
    assert all(line.isprintable() for line in lines)


def test_colour_is_for_screens_only():
    found = answers.plan(*answers.EVERY_CHANGE, refusals=(MASS,))
    assert "\x1b" not in plan_text.plan(found)
    assert "\x1b[31m- deactivate model:openai/gpt-3\x1b[0m" in plan_text.plan(found, Style(colour=True))
