"""Plans as plain text: what goes inactive first and apart, then the rest in order, then what stands
against it and exactly what to pass.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from reconciler.core.address import Address
from reconciler.core.changes import Change, Create, Deactivate, Refusal
from reconciler.core.plan import Plan, action_of
from reconciler.core.problem import Place
from reconciler.report import text
from reconciler.report.escape import printable
from reconciler.report.layout import PLAIN, Colour, Style, counted
from reconciler.report.values import field_line, field_value

# What a reader must not miss comes first.
ORDER = ("deactivate", "create", "update", "activate", "adopt")
_MARKS: Mapping[str, tuple[str, Colour]] = {
    "create": ("+", "green"),
    "update": ("~", "yellow"),
    "activate": ("^", "green"),
    "deactivate": ("-", "red"),
    "adopt": ("=", "cyan"),
}
# The title of what was changed behind the files' back.
DRIFT = "Drift of"
_CAUSES = {"files": "", "drift": " [drift]", "both": " [files and drift]"}

# Why a rule exists, for someone who meets it for the first time.
MEANINGS: Mapping[str, str] = {
    "deactivations": "Much would be switched off at once; often the wrong directory or a half-read one.",
    "provider-vanished": "A whole provider left the files; a renamed one looks the same.",
    "empty-source": "Nothing is described; often a wrong path.",
    "empty-file": "A file that described entities describes none any more.",
    "protected": "It was protected at the last apply.",
    "moved-source": "Another directory under this source's name would switch the first one off.",
    "in-use": "Models still need it. Nothing lifts this: change those models first.",
    "ownership": "Only rows of this source are changed; what nobody manages can be adopted.",
    "verification": "Asked before anything is written; nothing lifts this but to apply without asking first.",
}


def plan(found: Plan, style: Style = PLAIN, *, title: str = "Plan for", most: int | None = None) -> str:
    """The whole plan; `most` bounds how many changes other than deactivations are written out."""
    if is_empty(found):
        return "\n\n".join((unchanged(found), *_overrides(found, style)))
    sections = [_header(found, title), *changes(found.changes, found.used_by, style, most=most)]
    sections += _section("Left out by --no-deactivate", found.deferred, found.used_by, style)
    sections += _overrides(found, style, title)
    sections += refusals(found.refusals, style)
    return "\n\n".join(sections)


def _overrides(found: Plan, style: Style, title: str = "Plan for") -> Iterator[str]:
    """What is held beside a plan; mostly nothing is."""
    if found.overrides:
        from reconciler.report import override_text

        yield from override_text.section(found.overrides, style, changer(title))


def drift(found: Plan, style: Style = PLAIN) -> str:
    """What was changed in the database since the last apply, as the repair that an apply would make."""
    if is_empty(found):
        nothing = f"No drift. {_matching(found.unchanged, 'what was applied')}"
        return "\n\n".join((nothing, *_overrides(found, style)))
    return plan(found, style, title=DRIFT)


def changer(title: str) -> str:
    """Who changes something, in a plan of this title."""
    return "the repair" if title == DRIFT else "the files"


def is_empty(found: Plan) -> bool:
    """Whether there is nothing to do, nothing left out and nothing in the way."""
    return not (found.changes or found.deferred or found.refusals)


def unchanged(found: Plan) -> str:
    """The one line for a plan without changes."""
    return f"No changes. {_matching(found.unchanged)}"


def _matching(number: int, what: str = "") -> str:
    return f"{counted(number, 'entity matches', 'entities match')}{' ' + what if what else ''}."


def counts(summary: Mapping[str, int]) -> str:
    """A plan's counts, deactivations first: `1 to deactivate, 2 to create, 40 unchanged`."""
    parts = [f"{summary[action]:,} to {action}" for action in ORDER if summary.get(action)]
    return ", ".join((*parts, f"{summary['unchanged']:,} unchanged"))


def _header(found: Plan, title: str) -> str:
    if not (found.changes or found.refusals):
        return unchanged(found)
    revision = f" at {printable(found.revision[:12])}" if found.revision else ""
    return f"{title} source {printable(found.source)}{revision}: {counts(found.summary)}."


def changes(
    found: Sequence[Change], used_by: Mapping[Address, int], style: Style = PLAIN, *, most: int | None = None
) -> Iterator[str]:
    """The sections of the changes: deactivations apart and always whole, then the rest."""
    leaving = [change for change in found if isinstance(change, Deactivate)]
    rest = [change for change in found if not isinstance(change, Deactivate)]
    yield from _section("Deactivate", leaving, used_by, style)
    yield from _section("Change", rest, used_by, style, most=most)


def _section(
    title: str,
    found: Sequence[Change],
    used_by: Mapping[Address, int],
    style: Style,
    *,
    most: int | None = None,
) -> Iterator[str]:
    if not found:
        return
    lines = [style.paint(f"{title} ({len(found):,})", "bold")]
    for change in found[:most]:
        lines += _change(change, used_by.get(change.address, 0), style)
    if most is not None and len(found) > most:
        lines.append(f"  … and {len(found) - most:,} more")
    yield "\n".join(lines)


def _change(change: Change, users: int, style: Style) -> Iterator[str]:
    action = action_of(change)
    mark, colour = _MARKS[action]
    name = style.paint(f"{mark} {action:<10} {printable(str(change.address))}", colour)
    used = f", used by {counted(users, 'model')}" if users else ""
    yield f"  {name}{_CAUSES[change.cause]} ({reason(change)}{used})"
    if isinstance(change, Create):
        if change.fields:
            yield "      " + ", ".join(field_value(field) for field in change.fields)
    else:
        yield from (f"      {field_line(field)}" for field in change.fields)


def reason(change: Change) -> str:
    """Where a change comes from: its place in the files, or that it is there no longer."""
    where = text.where(place(change))
    match change:
        case Deactivate(desired=None):
            return f"no longer in the files, was {where}"
        case Create(desired=wanted) if not wanted.active:
            return f"{where}, inactive"
        case _:
            return where


def place(change: Change) -> Place:
    """Where the files say so, or said so last; the line, not the column."""
    if isinstance(change, Deactivate):
        return Place(change.file, change.line, 0)
    return change.desired.place._replace(column=0)


def refusals(found: Sequence[Refusal], style: Style = PLAIN) -> Iterator[str]:
    """What stands against a plan, what that means and what lifts it."""
    if not found:
        return
    lines = [style.paint(f"Refused ({len(found):,}): nothing is applied.", "red")]
    for refusal in found:
        lines += _refusal(refusal)
    if len(found) > 1 and all(refusal.accept for refusal in found):
        lines.append(f"  To go ahead with all of it, pass: {' '.join(passing(one) for one in found)}")
    yield "\n".join(lines)


def _refusal(refusal: Refusal) -> Iterator[str]:
    yield f"  {refusal.rule}: {printable(refusal.message)}"
    if refusal.rule in MEANINGS:
        yield f"      {MEANINGS[refusal.rule]}"
    if refusal.accept:
        yield f"      If this is meant, pass: {passing(refusal)}"


def passing(refusal: Refusal) -> str:
    """What to pass on the command line to lift a refusal, quoted for a shell.

    >>> passing(Refusal("deactivations", "…", accept="deactivate=41"))
    '--accept deactivate=41'
    """
    option = refusal.accept.startswith("--")
    return printable(refusal.accept if option else f"--accept {shlex.quote(refusal.accept)}")
