"""Answers for a pull request's comment. Foreign text stands in code spans and blocks, where it can be
neither markup nor a mention; a comment has a largest size, so long answers are cut and say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from reconciler.core.changes import Change, Create, Deactivate, Refusal
from reconciler.core.listing import Event, ListedModel, Run, ShownEntity
from reconciler.core.outcome import Result
from reconciler.core.overrides import ShownOverride
from reconciler.core.plan import Applied, Plan, action_of
from reconciler.core.problem import Problem, has_errors
from reconciler.core.rehearsal import PlannedProbe
from reconciler.core.schema_secrets import shareable
from reconciler.errors import ProviderConfigError, SourceError
from reconciler.report import override_text, plan_text, registry_text, results_text, text
from reconciler.report.escape import cell, code_span, fenced, prose
from reconciler.report.layout import counted, moment, stages
from reconciler.report.values import field_line, field_value

# Code forges take 65,536 characters of a comment; this leaves room for what others put around it.
LARGEST = 60_000

_CAUSES = {"files": "", "drift": "<br>drift", "both": "<br>files and drift"}


def validation(found: Sequence[Problem], counts: Mapping[str, int], directory: str) -> str:
    """The answer of `validate`."""
    verdict = "**Not valid.**" if has_errors(found) else f"**Valid**: {text.entity_count(counts)}."
    return _joined((verdict, *_problems(found, directory)))


def _problems(found: Sequence[Problem], directory: str = "") -> Iterator[str]:
    if found:
        yield fenced(text.problems(found, directory).splitlines())


def plan(found: Plan, *, directory: str = "") -> str:
    """The answer of `plan`: counts first, what stands against it, what goes inactive, then the rest."""
    return _joined(_plan(found, directory=directory))


def drift(found: Plan) -> str:
    """The answer of `drift`."""
    if plan_text.is_empty(found):
        nothing = plan_text.drift(replace(found, overrides=()))
        return _joined((nothing, *_overrides(found.overrides)))
    return _joined(_plan(found, title=plan_text.DRIFT))


def _plan(found: Plan, *, title: str = "Plan for", directory: str = "") -> Iterator[str]:
    if plan_text.is_empty(found):
        yield plan_text.unchanged(found)
    else:
        revision = f" at {code_span(found.revision[:12])}" if found.revision else ""
        yield f"### {title} source {code_span(found.source)}{revision}"
        yield f"**{plan_text.counts(found.summary)}**"
        yield from _refusals(found.refusals)
        yield from _changes(found)
    yield from _overrides(found.overrides, plan_text.changer(title))
    if found.verification:
        yield from _verification(found.verification)
    yield from _problems(found.problems, directory)


def _changes(found: Plan) -> Iterator[str]:
    leaving = [change for change in found.changes if isinstance(change, Deactivate)]
    rest = [change for change in found.changes if not isinstance(change, Deactivate)]
    sections = (("Deactivate", leaving), ("Change", rest), ("Left out by `--no-deactivate`", found.deferred))
    for name, changes in sections:
        if changes:
            rows = (_change(change, found.used_by.get(change.address, 0)) for change in changes)
            yield f"#### {name} ({len(changes):,})"
            yield _table(("Action", "Entity", "Fields", "Where"), rows)


def _change(change: Change, users: int) -> tuple[str, ...]:
    used = f"<br>used by {counted(users, 'model')}" if users else ""
    line = field_value if isinstance(change, Create) else field_line
    fields = "<br>".join(cell(line(field)) for field in change.fields)
    action = action_of(change) + _CAUSES[change.cause]
    return action, cell(str(change.address)) + used, fields, cell(plan_text.reason(change))


def _overrides(found: Sequence[ShownOverride], changer: str = "the files") -> Iterator[str]:
    if found:
        yield f"#### Overrides ({len(found):,})"
        rows = (_override(one, changer) for one in found)
        yield _table(("Model", "Until", "Held", "Reason", "By"), rows)


def _override(one: ShownOverride, changer: str) -> tuple[str, ...]:
    fields = [cell(override_text.held(change)) for change in one.changes]
    if hiding := override_text.hiding(one, changer):
        fields.append(prose(hiding))
    end = f"{override_text.until(one.ends_at)} ({override_text.remaining(one.ends_at, one.seen_at)})"
    reason = prose(str(shareable("reason", one.reason)))
    return cell(str(one.address)), end, "<br>".join(fields), reason, cell(one.actor or "")


def _refusals(found: Sequence[Refusal]) -> Iterator[str]:
    if found:
        yield "#### Refused: nothing is applied"
        yield "\n".join(_refusal(refusal) for refusal in found)


def _refusal(refusal: Refusal) -> str:
    passing = f" If this is meant, pass {code_span(plan_text.passing(refusal))}." if refusal.accept else ""
    meaning = plan_text.MEANINGS.get(refusal.rule, "")
    return f"- **{prose(refusal.rule)}**: {prose(refusal.message)} {meaning}{passing}"


def applied(done: Applied, *, note: str = "", failure: ProviderConfigError | None = None) -> str:
    """The answer of `apply`: what was done, what was found, then the plan that was carried out."""
    if done.run is None:
        return _joined(_plan(done.plan))
    counts = results_text.applied_counts(done.counts)
    head = f"**Applied as run {done.run}: {counts}.** {stages(done.seconds)}"
    found = _verification(done.verification) if done.verification else (note,)
    failed = _error(failure) if failure else ()
    return _joined((head, *failed, *found, *_plan(done.plan)))


def verification(results: Sequence[Result]) -> str:
    """The answer of `verify`."""
    return _joined(_verification(results)) if results else "No models to verify."


def _verification(results: Sequence[Result]) -> Iterator[str]:
    rows = (_result(result) for result in results_text.by_urgency(results))
    yield results_text.outcome_count(results)
    yield _table(("Model", "Outcome", "Probe", "HTTP", "Latency", "Detail"), rows)


def _result(result: Result) -> tuple[str, ...]:
    outcome = f"**{result.outcome}**" if result.is_bad else result.outcome
    status = "" if result.http_status is None else str(result.http_status)
    latency = "" if result.latency_ms is None else f"{result.latency_ms:,} ms"
    return cell(str(result.address)), outcome, result.probe, status, latency, prose(result.detail)


def rehearsal(planned: Sequence[PlannedProbe]) -> str:
    """The answer of `verify --dry-run`."""
    if not planned:
        return "No models to verify."
    rows = (_planned(one) for one in planned)
    headings = ("Model", "Probe", "Host", "Calls", "Tokens", "Note")
    return _joined((results_text.rehearsal_total(planned), _table(headings, rows)))


def _planned(one: PlannedProbe) -> tuple[str, ...]:
    calls, tokens = f"{len(one.calls):,}", f"{one.tokens:,}"
    return cell(str(one.address)), one.probe, cell(one.host), calls, tokens, prose(one.reason)


def models(listed: Sequence[ListedModel]) -> str:
    """The answer of `list`."""
    headings = ("Model", "Active", "Status", "Last verified", "Parameters", "Template", "Managed by")
    if not registry_text.has_overrides(listed):
        return _joined((_table(headings, map(_model, listed)),)) if listed else "No models."
    rows = ((*_model(model), _held_until(model)) for model in listed)
    return _joined((_table((*headings, "Override"), rows),))


def _held_until(model: ListedModel) -> str:
    return "" if model.override is None else override_text.end(model.override.ends_at, None)


def _model(model: ListedModel) -> tuple[str, ...]:
    return (
        cell(str(model.address)),
        registry_text.activity(model),
        model.status,
        moment(model.last_verified),
        cell(str(model.parameters.get("name", ""))),
        cell(model.prompt_template or ""),
        cell(model.managed_by or "") or "nobody",
    )


def entity(found: ShownEntity) -> str:
    """The answer of `show`."""
    title, *rest = registry_text.entity(found).splitlines()
    return _joined((f"### {code_span(title)}", fenced(rest)))


def history(events: Sequence[Event], runs: Sequence[Run]) -> str:
    """The answer of `history`."""
    return _joined((fenced(registry_text.history(events, runs).splitlines()),))


def error(failure: ProviderConfigError, directory: str = "") -> str:
    """Why a command failed."""
    return _joined(_error(failure, directory))


def _error(failure: ProviderConfigError, directory: str = "") -> Iterator[str]:
    yield f"**Error** {code_span(failure.code)}: {prose(failure.message)}"
    if failure.hint:
        yield f"Hint: {prose(failure.hint)}"
    if isinstance(failure, SourceError):
        yield from _problems(failure.problems, directory)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(map(_row, (headings, ["---"] * len(headings), *rows)))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _joined(parts: Iterable[str]) -> str:
    """The parts one after the other; what does not fit into a comment is cut at a line, and that is said."""
    room, kept = LARGEST, list[str]()
    for part in filter(None, parts):
        room -= len(part) + 2
        if room < 0:
            return "\n\n".join(
                (*kept, *_cut(part, room + len(part)), "**… cut here: too long for a comment.**")
            )
        kept.append(part)
    return "\n\n".join(kept)


def _cut(part: str, room: int) -> Iterator[str]:
    whole = part[: max(room, 0)].rpartition("\n")[0]
    if whole:
        first = part.partition("\n")[0]
        fence = "`" * (len(first) - len(first.lstrip("`")))
        yield f"{whole}\n{fence}" if len(fence) > len("``") else whole
