"""What a model refers to, read from its spec: said once, for the rules, the plan and the export."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.address import Address
from reconciler.core.state import Spec


def used_by_model(spec: Spec) -> Iterator[Address]:
    """The parameter set that a model uses, and its template if it has one.

    >>> [str(address) for address in used_by_model({"parameters": "base", "mode": "chat"})]
    ['parameters:base']
    """
    yield Address("parameters", str(spec["parameters"]))
    if "prompt_template" in spec:
        yield Address("template", str(spec["prompt_template"]))
