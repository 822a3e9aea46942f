"""What was applied and what verification found, as plain text that someone can act on."""

from support import answers

from reconciler.core.address import model_address
from reconciler.core.plan import Applied
from reconciler.core.rehearsal import PlannedProbe
from reconciler.report import results_text

SECONDS = {"load": 0.02, "plan": 0.1, "apply": 0.05, "verify": 1.2}
BAD = answers.result("model:openai/gpt-5", "auth_failed", http_status=401, detail="the key was refused")
SLOW = answers.result("model:openai/gpt-4", "timeout", http_status=None, latency_ms=None, detail="10 s")
GOOD = answers.result()


def applied(*results, run=17):
    found = answers.plan(answers.create(), answers.deactivate()) if run else answers.plan()
    return Applied(found, run, {"create": 1, "deactivate": 1} if run else {}, results, SECONDS)


def test_the_last_line_has_the_counts_and_the_seconds_of_each_stage():
    assert results_text.applied(applied(GOOD)).splitlines()[-1] == (
        "Applied as run 17: 1 deactivated, 1 created. (load 0.02 s, plan 0.10 s, apply 0.05 s, verify 1.20 s)"
    )


def test_an_apply_with_nothing_to_do_is_one_line():
    assert results_text.applied(applied(run=None)) == (
        "No changes. 42 entities match. (load 0.02 s, plan 0.10 s, apply 0.05 s, verify 1.20 s)"
    )


def test_deferred_deactivations_are_told_even_where_nothing_was_done():
    done = Applied(answers.plan(deferred=(answers.deactivate(),)), None, {})
    assert "Left out by --no-deactivate (1)" in results_text.applied(done)


def test_why_nothing_was_verified_is_said():
    assert results_text.applied(applied(), note="Nothing was verified.").startswith("Nothing was verified.\n")


def test_what_needs_a_person_stands_first_and_outcomes_are_counted():
    assert results_text.verification([GOOD, SLOW, BAD]).splitlines() == [
        "MODEL                OUTCOME      PROBE  HTTP  LATENCY  DETAIL",
        "model:openai/gpt-5   auth_failed  model  401   84 ms    the key was refused",
        "model:openai/gpt-4   timeout      model  -     -        10 s",
        "model:openai/gpt-4o  ok           model  200   84 ms    the model answered",
        "3 models probed: 1 auth_failed, 1 timeout, 1 ok.",
    ]


def test_many_good_results_are_only_counted():
    many = [*(answers.result(f"model:openai/m-{number}") for number in range(60)), BAD]
    lines = results_text.verification(many, most=50).splitlines()
    assert len(lines) == 3
    assert lines[-1] == "61 models probed: 1 auth_failed, 60 ok."
    assert len(results_text.verification(many).splitlines()) == 63


def test_no_models_is_said():
    assert results_text.verification([]) == "No models to verify."


def test_what_a_provider_says_cannot_command_the_terminal():
    nasty = answers.result(f"model:a/{answers.NASTY}", detail=answers.NASTY)
    assert all(line.isprintable() for line in results_text.verification([nasty]).splitlines())


def test_all_actions_are_counted_for_machines():
    assert results_text.all_counts({"create": 2}) == {
        "create": 2,
        "update": 0,
        "activate": 0,
        "deactivate": 0,
        "adopt": 0,
    }


def test_a_rehearsal_says_whom_it_would_ask_and_what_that_costs():
    calls = ("POST https://a.example/chat",)
    planned = [
        PlannedProbe(model_address("a", "z"), "generate", "a.example", calls, tokens=40),
        PlannedProbe(model_address("a", "w"), "generate", reason="no budget"),
    ]
    assert results_text.rehearsal(planned).splitlines() == [
        "MODEL      PROBE     HOST       CALLS  TOKENS  NOTE",
        "model:a/z  generate  a.example  1      40",
        "model:a/w  generate  -          0      0       no budget",
        "1 of 2 models would be probed: 1 call, 1 probe that would generate, at most 40 tokens.",
    ]
    assert results_text.rehearsal([]) == "No models to verify."
