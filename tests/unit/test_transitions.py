"""A model's status after one more result: a table of cases, and laws over any sequence."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.address import model_address
from reconciler.core.outcome import DEFINITIVE_FAILURES, OUTCOMES, Result
from reconciler.core.transitions import VerificationRecord, next_record, status_of

ADDRESS = model_address("openai", "gpt-4o")
EARLIER = datetime(2026, 1, 1, tzinfo=UTC)
NOW = EARLIER + timedelta(hours=1)
LASTING = ["quota_exhausted", "wrong_region"]
TRANSIENT = sorted(set(OUTCOMES) - DEFINITIVE_FAILURES - {"ok", "unprobeable", *LASTING})
STATUSES = ["unverified", "pending", "verified", "degraded", "failing", "unprobeable"]


def after(before, outcome, *, threshold=3, probe="model", refused=()):
    result = Result(ADDRESS, outcome, probe, refused_parameters=refused)
    return next_record(before, result, now=NOW, failure_threshold=threshold)


@pytest.mark.parametrize(
    ("status", "failures", "outcome", "threshold", "expected"),
    [
        pytest.param("unverified", 0, "ok", 3, ("verified", 0), id="the first success"),
        pytest.param("pending", 2, "ok", 3, ("verified", 0), id="success ends the waiting"),
        pytest.param("failing", 9, "ok", 3, ("verified", 0), id="one success heals"),
        pytest.param("degraded", 1, "ok", 3, ("verified", 0), id="success heals what was degraded"),
        pytest.param("unprobeable", 0, "ok", 3, ("verified", 0), id="a stronger probe came"),
        pytest.param("verified", 0, "auth_failed", 3, ("verified", 1), id="the first failure only counts"),
        pytest.param("verified", 1, "model_not_found", 3, ("verified", 2), id="so does the second"),
        pytest.param("verified", 2, "forbidden", 3, ("failing", 3), id="the third is one too many"),
        pytest.param("unverified", 0, "model_mismatch", 1, ("failing", 1), id="a threshold of one"),
        pytest.param("pending", 2, "model_withdrawn", 3, ("failing", 3), id="what waits can fail"),
        pytest.param("unprobeable", 2, "auth_failed", 3, ("failing", 3), id="what is unprobeable can fail"),
        pytest.param("failing", 3, "auth_failed", 3, ("failing", 4), id="failing goes on"),
        pytest.param("failing", 3, "auth_failed", 9, ("failing", 4), id="a raised threshold heals nothing"),
        pytest.param("unverified", 0, "unprobeable", 3, ("unprobeable", 0), id="nothing was known"),
        pytest.param("verified", 0, "unprobeable", 3, ("verified", 0), id="it was known to be good"),
        pytest.param("failing", 3, "unprobeable", 3, ("failing", 3), id="it was known to be bad"),
        pytest.param("pending", 0, "unprobeable", 3, ("pending", 0), id="it still waits"),
        pytest.param("degraded", 0, "unprobeable", 3, ("degraded", 0), id="the fault is still there"),
        pytest.param("degraded", 0, "auth_failed", 3, ("degraded", 1), id="a failure counts from there too"),
        pytest.param("degraded", 2, "auth_failed", 3, ("failing", 3), id="and leads to failing"),
        pytest.param("verified", 2, "quota_exhausted", 3, ("degraded", 2), id="a fault breaks no row"),
    ],
)
def test_each_result_leads_to_one_status(status, failures, outcome, threshold, expected):
    record = after(VerificationRecord(status, failures), outcome, threshold=threshold)
    assert ((record.status, record.failures), record.outcome) == (expected, outcome)


@pytest.mark.parametrize("outcome", TRANSIENT)
@pytest.mark.parametrize("status", STATUSES)
def test_a_transient_outcome_changes_no_status_and_breaks_no_row(status, outcome):
    before = VerificationRecord(status, 2, "auth_failed", EARLIER)
    assert after(before, outcome, threshold=1) == VerificationRecord(status, 2, outcome, EARLIER)


@pytest.mark.parametrize(
    ("outcome", "refused"),
    [*((outcome, ()) for outcome in LASTING), ("probe_invalid", ("top_k",))],
)
@pytest.mark.parametrize("status", STATUSES)
def test_a_lasting_fault_degrades_what_was_verified_and_nothing_else(status, outcome, refused):
    before = VerificationRecord(status, 1, "ok", EARLIER)
    expected = "degraded" if status == "verified" else status
    assert after(before, outcome, refused=refused) == VerificationRecord(expected, 1, outcome, EARLIER)


def test_a_refused_question_that_blames_no_parameter_says_nothing():
    before = VerificationRecord("verified", 0, "ok", EARLIER)
    assert after(before, "probe_invalid").status == "verified"


@pytest.mark.parametrize(
    ("stored", "hold", "status"),
    [
        pytest.param(None, None, "unverified", id="never probed"),
        pytest.param(None, "pending", "pending", id="never probed, and waiting"),
        pytest.param("unverified", "pending", "pending", id="probed in vain, and waiting"),
        pytest.param("unprobeable", "pending", "pending", id="it cannot be probed, and waits"),
        pytest.param("failing", "pending", "failing", id="it fails while it waits"),
        pytest.param("pending", "pending", "pending", id="it is stored that it waits"),
        pytest.param("pending", None, "unverified", id="somebody let it go"),
        pytest.param("failing", "failing", "failing", id="on hold because it fails"),
        pytest.param("verified", None, "verified", id="well"),
        pytest.param("degraded", None, "degraded", id="not so well"),
    ],
)
def test_a_model_that_waits_is_pending_until_something_worse_is_known(stored, hold, status):
    assert status_of(stored, hold) == status


def test_success_says_when_and_failure_keeps_that():
    good = after(VerificationRecord(), "ok")
    assert good.last_verified == NOW
    assert after(VerificationRecord("verified", 0, "ok", EARLIER), "auth_failed").last_verified == EARLIER


@pytest.mark.parametrize(
    ("failure", "probe", "status"),
    [
        pytest.param("model_not_found", "reach", "failing", id="a reachable endpoint has no such model"),
        pytest.param("model_not_found", "credential", "failing", id="nor does a good key make one"),
        pytest.param("model_not_found", "model", "verified", id="it is there again"),
        pytest.param("auth_failed", "reach", "failing", id="a reachable endpoint accepts no key"),
        pytest.param("auth_failed", "credential", "verified", id="the key is good again"),
        pytest.param("timeout", "credential", "failing", id="what failed before the timeout is not known"),
        pytest.param("timeout", "generate", "verified", id="a whole answer refutes anything"),
    ],
)
def test_a_cheap_success_refutes_no_deeper_failure(failure, probe, status):
    before = VerificationRecord("failing", 3, failure)
    record = after(before, "ok", probe=probe)
    assert record.status == status
    assert record == before or record.failures == 0


def test_a_cheap_success_verifies_where_nothing_speaks_against_it():
    assert after(VerificationRecord(), "ok", probe="reach").status == "verified"


@given(st.lists(st.sampled_from(OUTCOMES), max_size=30), st.integers(1, 5))
def test_nothing_fails_before_the_threshold_and_transients_never_matter(outcomes, threshold):
    record = without_transients = VerificationRecord()
    for number, outcome in enumerate(outcomes):
        record = after(record, outcome, threshold=threshold)
        if outcome not in {*TRANSIENT, *LASTING}:
            without_transients = after(without_transients, outcome, threshold=threshold)
        assert (record.status == "failing") <= (record.failures >= threshold)
        assert (record.last_verified is not None) == ("ok" in outcomes[: number + 1])
    # Being degraded is a way of being verified.
    status = "verified" if record.status == "degraded" else record.status
    assert (status, record.failures) == (without_transients.status, without_transients.failures)
