"""The verbs that compare and ask: plan, drift and verify."""

from __future__ import annotations

import time

from reconciler import report
from reconciler.cli import calls, failures, options, progress, status, streams
from reconciler.core.options import Examination, PlanOptions, Selection
from reconciler.core.plan import Plan
from reconciler.errors import UsageError
from reconciler.settings import Settings


def plan(
    directory: options.Directory = options.DEFAULT_DIRECTORY,
    *,
    output: options.Output = "text",
    database_url: options.DatabaseUrl = None,
    source: options.Source = None,
    home: options.Home = None,
    accept: options.Accept = None,
    adopt: options.Adopt = False,
    no_deactivate: options.NoDeactivate = False,
    detailed_exitcode: options.DetailedExitcode = False,
    verify: options.VerifyPlan = False,
    probe: options.ProbeFirst = "generate",
) -> int:
    """Show what apply would do; writes nothing.

    Deactivations come first. Exits with 3 where a safety rule stands against the plan.
    """
    chosen = calls.settings(database_url, source, home)
    wanted = PlanOptions(chosen.source, tuple(accept or ()), adopt, no_deactivate)
    first = Examination(probe, progress.watched) if verify else None
    with calls.registry_for(directory, chosen, write=False) as (registry, tree):
        found = registry.plan(tree, wanted, first=first)
    calls.tell_warnings(found.problems, directory, output)
    _answer_plan(found, output, str(directory))
    return status.of_plan(found, detailed=detailed_exitcode)


def _answer_plan(found: Plan, output: streams.Format, directory: str) -> None:
    streams.answer(
        output,
        text=lambda: report.results_text.examined(found, streams.answer_style()),
        json=lambda: report.json.plan(found),
        markdown=lambda: report.markdown.plan(found, directory=directory),
    )


def drift(
    *,
    output: options.Output = "text",
    database_url: options.DatabaseUrl = None,
    source: options.Source = None,
    home: options.Home = None,
) -> int:
    """Show what was changed behind the files' back.

    Compares it with what was applied last; the files are not read. Exits with 2 where there is drift.
    """
    chosen = calls.settings(database_url, source, home)
    with calls.registry(chosen, write=False) as registry:
        found = registry.drift(chosen.source)
    streams.answer(
        output,
        text=lambda: report.plan_text.drift(found, streams.answer_style()),
        json=lambda: report.json.plan(found),
        markdown=lambda: report.markdown.drift(found),
    )
    return status.of_drift(found)


def verify(
    addresses: options.Addresses = None,
    *,
    output: options.Output = "text",
    database_url: options.DatabaseUrl = None,
    source: options.Source = None,
    home: options.Home = None,
    due: options.Due = False,
    failed: options.Failed = False,
    every: options.Every = False,
    probe: options.Probe = None,
    fresh: options.Fresh = False,
    budget: options.Budget = None,
    dry_run: options.DryRun = False,
) -> int:
    """Ask the providers whether the models can be used.

    Exits with 5 where an answer is definitive and bad; what may pass by itself is shown and is no failure.
    """
    from reconciler.core.address import parse_address

    if sum((bool(addresses), due, failed, every)) > 1:
        raise UsageError(
            "Name addresses, or one of --due, --failed and --all.", hint="see `reconciler verify --help`"
        )
    named = tuple(map(parse_address, addresses or ()))
    selection = Selection(named, failed, every, probe, fresh, budget)
    chosen = calls.settings(database_url, source, home)
    if dry_run:
        return _rehearse(chosen, selection, output)
    return _verify(chosen, selection, output)


def _verify(chosen: Settings, selection: Selection, output: streams.Format) -> int:
    began, failure = time.monotonic(), None
    with calls.registry(chosen, write=False) as registry, progress.watched() as counter:
        try:
            results = registry.verification.verify(selection, on_result=counter)
        except KeyboardInterrupt as stop:
            # It carries what is known by now; a second Ctrl-C does not.
            results = getattr(stop, "results", ())
            failure = failures.InterruptedByUserError("Stopped while verifying; what was found is kept.")
    seconds = time.monotonic() - began
    streams.answer(
        output,
        text=lambda: report.results_text.verification(results, streams.answer_style()),
        json=lambda: report.json.verification(results, seconds, failure),
        markdown=lambda: report.markdown.verification(results),
    )
    return status.of_verification(results) if failure is None else failures.tell(failure, "text")


def _rehearse(chosen: Settings, selection: Selection, output: streams.Format) -> int:
    with calls.registry(chosen, write=False) as registry:
        planned = registry.verification.rehearse(selection)
    streams.answer(
        output,
        text=lambda: report.results_text.rehearsal(planned, streams.answer_style()),
        json=lambda: report.json.rehearsal(planned),
        markdown=lambda: report.markdown.rehearsal(planned),
    )
    return status.DONE
