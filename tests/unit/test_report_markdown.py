"""Answers for a pull request's comment: readable, bounded, and deaf to what foreign text asks for."""

import re

from support import answers

from reconciler.core.changes import FieldChange, Refusal
from reconciler.core.plan import Applied
from reconciler.core.problem import Place, Problem
from reconciler.errors import SourceError, UsageError
from reconciler.report import markdown

COUNTS = {"provider": 1, "parameters": 1, "template": 0, "model": 2}


def test_a_plan_is_tables_with_deactivations_first():
    shown = markdown.plan(answers.plan(answers.create(), answers.update(cause="drift"), answers.deactivate()))
    assert shown == (
        "### Plan for source `default`\n\n"
        "**1 to deactivate, 1 to create, 1 to update, 42 unchanged**\n\n"
        "#### Deactivate (1)\n\n"
        "| Action | Entity | Fields | Where |\n"
        "| --- | --- | --- | --- |\n"
        "| deactivate | `model:openai/gpt-3` | `is_active: true -> false` | "
        "`no longer in the files, was openai.yaml:30` |\n\n"
        "#### Change (2)\n\n"
        "| Action | Entity | Fields | Where |\n"
        "| --- | --- | --- | --- |\n"
        "| create | `model:openai/gpt-4o` | `mode: chat`<br>`parameters: base` | `openai.yaml:12` |\n"
        "| update<br>drift | `parameters:base` | `temperature: 0.7 -> 0.9` | `shared.yaml:12` |"
    )


def test_a_plan_without_changes_is_one_line():
    assert markdown.plan(answers.plan()) == "No changes. 42 entities match."
    assert markdown.drift(answers.plan()) == "No drift. 42 entities match what was applied."


def test_a_refusal_says_exactly_what_to_pass():
    refusal = Refusal("deactivations", "41 of 50 would go.", accept="deactivate=41")
    shown = markdown.plan(answers.plan(answers.deactivate(), refusals=(refusal,)))
    assert "- **deactivations**: 41 of 50 would go. " in shown
    assert "pass `--accept deactivate=41`." in shown
    assert shown.index("Refused") < shown.index("#### Deactivate")


def test_problems_stand_in_a_block():
    assert markdown.validation([answers.TYPO], COUNTS, "p").startswith(
        "**Not valid.**\n\n```text\np/openai.yaml:7:9:"
    )
    assert markdown.validation([], COUNTS, "p").startswith("**Valid**: 1 provider, ")
    assert "temperatur" in markdown.error(SourceError([answers.TYPO]), "p")


def test_an_apply_tells_what_was_done_first():
    done = Applied(
        answers.plan(answers.create()),
        17,
        {"create": 1},
        (answers.result(outcome="auth_failed"),),
        {"plan": 0.5},
    )
    shown = markdown.applied(done)
    assert shown.startswith("**Applied as run 17: 1 created.** plan 0.50 s\n\n1 model probed: 1 auth_failed.")
    assert "| `model:openai/gpt-4o` | **auth_failed** | model | 200 | 84 ms | the model answered |" in shown


def test_models_and_the_trail_have_a_form_too():
    assert "| `model:openai/gpt-4o` | yes | verified |" in markdown.models([answers.listed()])
    assert markdown.models([]) == "No models."
    assert "run 17" in markdown.history([answers.event()], [answers.run()])
    assert markdown.entity(answers.shown()).startswith("### `model:openai/gpt-4o`\n\n```text\n")
    assert markdown.verification([]) == "No models to verify."


def test_an_answer_always_fits_into_a_comment():
    many = [answers.create(f"model:openai/m-{number}") for number in range(800)]
    leaving = [answers.deactivate(f"model:openai/old-{number}") for number in range(800)]
    for shown in (
        markdown.plan(answers.plan(*many, *leaving)),
        markdown.plan(answers.plan(*many, problems=(answers.UNUSED,) * 800)),
        markdown.validation([answers.TYPO] * 800, COUNTS, "p"),
    ):
        assert len(shown) < 65_536
        assert shown.endswith("**… cut here: too long for a comment.**")
        assert shown.count("```") % 2 == 0


def test_foreign_text_is_neither_markup_nor_a_mention():
    nasty = answers.NASTY
    change = answers.update(f"model:a/{nasty}", FieldChange(nasty, nasty, [nasty]))
    problem = Problem("error", "bad-text", Place(nasty, 1, 1), nasty, nasty, nasty)
    refusal = Refusal("protected", nasty, accept=f"protected={nasty}")
    result = answers.result(f"model:a/{nasty}", detail=nasty)
    found = answers.plan(change, refusals=(refusal,), problems=(problem,))
    for shown in (
        markdown.plan(found),
        markdown.applied(Applied(found, 1, {}, (result,), {})),
        markdown.models([answers.listed(f"model:a/{nasty}", managed_by=nasty)]),
        markdown.entity(answers.shown(spec={nasty: nasty})),
        markdown.error(UsageError(nasty, hint=nasty)),
    ):
        outside = without_code(shown)
        assert "@team" not in outside
        assert "<script>" not in outside
        assert "https://" not in outside
        assert "](" not in outside
        assert all(line.isprintable() for line in shown.splitlines())


def without_code(shown):
    """What a page may take for markup: everything outside of blocks and spans of code."""
    blocks = re.sub(r"(?ms)^(`{3,})text$.*?^\1$", "", shown)
    return re.sub(r"(?<![`\\])(`+)(?!`).*?(?<!`)\1(?!`)", "", blocks)


def test_every_row_of_a_table_has_its_cells():
    nasty = answers.NASTY
    row = markdown.plan(answers.plan(answers.create(f"model:a/{nasty}", **{nasty: nasty})))
    cells = re.split(r"(?<!\\)\|", row.splitlines()[-1])
    assert len(cells) == 6
