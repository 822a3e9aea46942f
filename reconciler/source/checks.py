"""A kind's rules against every model's parameters, and where to say so: at the field where a set is written
in its model, and at the reference where it is shared, with the set's line beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from reconciler.core import rules
from reconciler.core.problem import Place, Problem, Related
from reconciler.core.provider_kind import ProviderKind
from reconciler.core.rule_checks import RuleChecks
from reconciler.core.state import Spec
from reconciler.source.collect import Table
from reconciler.source.places import clean, place
from reconciler.source.records import SetRecord

# A value that is wrong is shown at the value; one that does not belong there, at its name.
_AT_VALUE = frozenset({"out-of-range", "wrong-value"})


class Used(NamedTuple):
    """A model's parameters: the resolved values, and how the model came to them.

    Attributes:
        values: The resolved set.
        name: The declared set; `None` where the model has one of its own.
        inline: The model's own set.
        file: The file of the model.
        at: The packed place of the reference: the model's, or its provider's.
        path: The path of that reference.
    """

    values: Spec
    name: str | None
    inline: SetRecord | None
    file: str
    at: int
    path: str


class Checker:
    """Checks models against the rules of their kinds; what many models share is checked once."""

    def __init__(self, sets: Table[SetRecord]) -> None:
        self._sets = sets
        self._checks = RuleChecks()

    def problems(self, kind: ProviderKind, model_id: str, mode: str, used: Used) -> Iterator[Problem]:
        """What a kind has against a model's parameters."""
        if not used.values:
            return
        findings = self._checks.found(kind, model_id, mode, used.values, name=used.name)
        if findings:
            yield from self._told(findings, used)

    def _told(self, findings: Iterable[rules.Finding], used: Used) -> Iterator[Problem]:
        shared = []
        for finding in findings:
            if used.inline is not None and finding.field in used.inline.shape:
                yield self._at_field(finding, used, used.inline)
            else:
                shared.append(finding)
        # One reference is one thing to mend, however many fields are left out because of it.
        left_out = [finding for finding in shared if finding.code == "unsupported-parameter"]
        together = [[finding] for finding in shared if finding not in left_out]
        for some in [left_out, *together]:
            if some:
                yield self._at_reference(some, used)

    def _at_field(self, finding: rules.Finding, used: Used, inline: SetRecord) -> Problem:
        return Problem(
            finding.severity,
            finding.code,
            place(used.file, inline.at_field(finding.field, value=finding.code in _AT_VALUE)),
            clean(f"{used.path}.{finding.field}"),
            finding.message,
            finding.hint,
        )

    def _at_reference(self, findings: list[rules.Finding], used: Used) -> Problem:
        parent = used.name if used.inline is None else used.inline.extends
        related = [self._origin(parent, finding.field) for finding in findings]
        return Problem(
            findings[0].severity,
            findings[0].code,
            place(used.file, used.at if used.inline is None else used.inline.at_field("extends", value=True)),
            clean(used.path if used.inline is None else f"{used.path}.extends"),
            "; ".join(dict.fromkeys(finding.message for finding in findings)),
            "; ".join(dict.fromkeys(finding.hint for finding in findings)),
            tuple(one for one in related if one),
        )

    def _origin(self, name: str | None, field: str) -> Related | None:
        """Where a shared set, or the one that it inherits from, sets a field."""
        where = origin(self._sets, name, field)
        return Related(where, f"{field} is set here") if where else None


def origin(sets: Table[SetRecord], name: str | None, field: str) -> Place | None:
    """The place in a declared set, or in the nearest of its parents, that gives a field its value."""
    seen: set[str] = set()
    while name is not None and name in sets and name not in seen:
        seen.add(name)
        file, record = sets[name]
        if field in record.shape:
            return place(file, record.at_field(field))
        name = record.extends
    return None


def kind_of(name: str, own: Mapping[str, ProviderKind]) -> ProviderKind | None:
    """A kind of ours or of the files, if there is one of that name."""
    from reconciler import kinds

    if name in own:
        return own[name]
    return kinds.built_in(name) if name in kinds.names() else None
