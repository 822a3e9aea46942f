"""Which exit status each answer has."""

import pytest
from support import answers

from reconciler.cli import failures, status
from reconciler.core.changes import Refusal
from reconciler.errors import (
    ConflictError,
    EmbeddedServerError,
    LockHeldError,
    ProviderConfigError,
    RefusedError,
    SchemaError,
    SourceError,
    StoreUnavailableError,
    UsageError,
)

REFUSAL = Refusal("empty-source", "…", accept="empty")
GOOD, BAD, SLOW = (answers.result(outcome=outcome) for outcome in ("ok", "auth_failed", "timeout"))


@pytest.mark.parametrize(
    ("error", "number"),
    [
        pytest.param(UsageError("…"), 1, id="usage"),
        pytest.param(SourceError([]), 1, id="bad files"),
        pytest.param(StoreUnavailableError("…"), 1, id="no database"),
        pytest.param(SchemaError("…"), 1, id="old tables"),
        pytest.param(EmbeddedServerError("…"), 1, id="no private server"),
        pytest.param(ProviderConfigError("…", code="internal"), 1, id="a bug"),
        pytest.param(RefusedError([]), 3, id="refused"),
        pytest.param(ConflictError("…"), 3, id="a stale plan"),
        pytest.param(LockHeldError("…"), 4, id="locked"),
        pytest.param(failures.InterruptedByUserError("…"), 130, id="Ctrl-C"),
    ],
)
def test_an_error_has_its_status(error, number):
    assert status.of_error(error) == number


@pytest.mark.parametrize(
    ("problems", "number"),
    [((), 0), ((answers.UNUSED,), 0), ((answers.UNUSED, answers.TYPO), 1)],
    ids=["none", "warnings", "errors"],
)
def test_only_errors_make_files_invalid(problems, number):
    assert status.of_validation(problems) == number


@pytest.mark.parametrize(
    ("plan", "detailed", "number"),
    [
        pytest.param(answers.plan(), False, 0, id="no changes"),
        pytest.param(answers.plan(), True, 0, id="no changes, detailed"),
        pytest.param(answers.plan(answers.create()), False, 0, id="changes"),
        pytest.param(answers.plan(answers.create()), True, 2, id="changes, detailed"),
        pytest.param(answers.plan(answers.create(), refusals=(REFUSAL,)), False, 3, id="refused"),
        pytest.param(answers.plan(answers.create(), refusals=(REFUSAL,)), True, 3, id="refused, detailed"),
        pytest.param(answers.plan(deferred=(answers.deactivate(),)), True, 0, id="only deferred"),
    ],
)
def test_a_plan_has_its_status(plan, detailed, number):
    assert status.of_plan(plan, detailed=detailed) == number


def test_drift_is_always_told_apart_from_none():
    assert status.of_drift(answers.plan()) == 0
    assert status.of_drift(answers.plan(answers.update(cause="drift"))) == 2


@pytest.mark.parametrize(
    ("results", "verify", "apply", "required"),
    [
        pytest.param((), 0, 0, 0, id="nothing to verify"),
        pytest.param((GOOD,), 0, 0, 0, id="all well"),
        pytest.param((GOOD, SLOW), 0, 0, 0, id="what may pass by itself"),
        pytest.param((GOOD, BAD), 5, 0, 5, id="definitive and bad"),
    ],
)
def test_verification_counts_only_where_it_is_definitive_and_bad(results, verify, apply, required):
    assert status.of_verification(results) == verify
    assert status.of_apply(results, require_verified=False) == apply
    assert status.of_apply(results, require_verified=True) == required


@pytest.mark.parametrize(
    ("words", "environ", "output"),
    [
        pytest.param(["plan"], {}, "", id="nothing asked"),
        pytest.param(["plan", "--output", "json"], {}, "json", id="two words"),
        pytest.param(["plan", "--output=json"], {}, "json", id="one word"),
        pytest.param(["plan"], {"RECONCILER_OUTPUT": "json"}, "json", id="by the environment"),
        pytest.param(["plan", "--output", "text"], {"RECONCILER_OUTPUT": "json"}, "text", id="the line wins"),
        pytest.param(["plan", "--output=json", "--output", "text"], {}, "text", id="the last one wins"),
        pytest.param(["show", "--", "--output=json"], {}, "", id="after the options"),
        pytest.param(["plan", "--output"], {}, "", id="without a value"),
    ],
)
def test_the_form_of_an_answer_is_known_before_the_line_is_parsed(words, environ, output):
    assert failures.asked_output(words, environ) == output


@pytest.mark.parametrize(
    ("error", "number"),
    [
        pytest.param(LockHeldError("x"), 1, id="locked"),
        pytest.param(ConflictError("x"), 1, id="conflict"),
        pytest.param(StoreUnavailableError("x"), 1, id="unavailable"),
        pytest.param(failures.InterruptedByUserError("x"), 130, id="interrupted"),
    ],
)
def test_nothing_after_a_commit_says_that_nothing_was_written(error, number):
    assert status.after_commit(error) == number
