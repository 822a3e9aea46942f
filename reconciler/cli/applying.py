"""The verb that writes: apply. What happens after the commit is told beside what was done, never instead."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import report
from reconciler.cli import calls, failures, options, progress, status, streams
from reconciler.core.options import Examination, PlanOptions
from reconciler.core.plan import Applied, Plan
from reconciler.errors import ProviderConfigError, RefusedError, UsageError

if TYPE_CHECKING:
    from reconciler.core.outcome import Result
    from reconciler.wiring import Verbs

# An apply's log names what it did; past these the plan and the history have the rest.
MOST_CHANGES = 200
MOST_RESULTS = 50


def apply(
    directory: options.Directory = options.DEFAULT_DIRECTORY,
    *,
    output: options.Output = "text",
    database_url: options.DatabaseUrl = None,
    source: options.Source = None,
    home: options.Home = None,
    lock_timeout: options.LockTimeout = None,
    accept: options.Accept = None,
    adopt: options.Adopt = False,
    no_deactivate: options.NoDeactivate = False,
    yes: options.Yes = False,
    no_verify: options.NoVerify = False,
    require_verified: options.RequireVerified = False,
    verify_first: options.VerifyFirst = False,
    probe: options.ProbeFirst = "generate",
) -> int:
    """Apply the files to the database, then verify what changed.

    Wholly or not at all, and nothing is ever deleted. Asks before it writes, unless --yes is given.
    """
    if no_verify and require_verified:
        raise UsageError("--no-verify and --require-verified contradict each other.")
    _require_consent(yes=yes)
    chosen = calls.settings(database_url, source, home, lock_timeout)
    wanted = PlanOptions(chosen.source, tuple(accept or ()), adopt, no_deactivate)
    first = Examination(probe, progress.watched) if verify_first else None
    with calls.registry_for(directory, chosen, write=True) as (registry, tree):
        try:
            confirm = None if yes else _confirmation(output, directory)
            done = registry.apply(tree, wanted, confirm=confirm, first=first)
        except RefusedError as error:
            calls.tell_warnings(error.plan.problems, directory, output)
            return _answer_refused(error, output, tree.seconds)
        done, failure = replace(done, seconds={"load": tree.seconds, **done.seconds}), None
        if confirm is None:
            calls.tell_warnings(done.plan.problems, directory, output)
        if output == "text" and yes and done.run is not None:
            _show(done.plan)
        if done.run is not None and not no_verify:
            done, failure = _verified(registry, done)
    return _answer_applied(done, failure, output, require_verified=require_verified)


def _require_consent(*, yes: bool) -> None:
    if not yes and not streams.can_ask():
        raise UsageError(
            "There is no terminal to ask on, so nothing was applied.",
            code="confirmation",
            hint="pass --yes to apply without being asked",
        )


def _confirmation(output: streams.Format, directory: Path) -> Callable[[Plan], bool]:
    def confirm(found: Plan) -> bool:
        calls.tell_warnings(found.problems, directory, output)
        if output == "text":
            _show(found)
        else:
            streams.tell(report.results_text.examined(found, streams.story_style(), most=MOST_CHANGES))
        return streams.ask("Apply this plan?")

    return confirm


def _show(found: Plan) -> None:
    streams.write(report.results_text.examined(found, streams.answer_style(), most=MOST_CHANGES) + "\n")


def _answer_refused(error: RefusedError, output: streams.Format, loading: float) -> int:
    refused: Plan = error.plan
    nothing = Applied(refused, None, {}, refused.verification or (), {"load": loading})
    streams.answer(
        output,
        text=lambda: report.results_text.examined(refused, streams.answer_style()),
        json=lambda: report.json.applied(nothing),
        markdown=lambda: report.markdown.applied(nothing),
    )
    return status.of_error(error)


def _verified(registry: Verbs, done: Applied) -> tuple[Applied, ProviderConfigError | None]:
    """Verify what the apply touched. It is applied whatever happens here, so nothing is raised."""
    began, counter = time.monotonic(), progress.Progress()
    results: tuple[Result, ...] = ()
    failure: ProviderConfigError | None = None
    try:
        results = registry.verification.verify_changed(done, on_result=counter)
    except ProviderConfigError as error:
        failure = error
    except KeyboardInterrupt as stop:
        # It carries what is known by now; a second Ctrl-C does not.
        results = getattr(stop, "results", ())
        failure = failures.InterruptedByUserError("Stopped while verifying; the changes are applied.")
    finally:
        counter.close()
    seconds = {**done.seconds, "verify": time.monotonic() - began}
    return replace(done, verification=results, seconds=seconds), failure


def _answer_applied(
    done: Applied, failure: ProviderConfigError | None, output: streams.Format, *, require_verified: bool
) -> int:
    if done.run is None and done.plan.changes:
        raise ProviderConfigError("Nothing was applied: the plan was declined.", code="declined")
    note = "" if done.verification or failure else "Nothing was verified."
    streams.answer(
        output,
        text=lambda: report.results_text.applied(done, streams.answer_style(), note=note, most=MOST_RESULTS),
        json=lambda: report.json.applied(done, failure),
        markdown=lambda: report.markdown.applied(done, note=note, failure=failure),
    )
    if failure is None:
        return status.of_apply(done.verification, require_verified=require_verified)
    failures.tell(failure, "text")
    return status.after_commit(failure)
