"""The answer of nearly all runs, without reading anything but digests: nothing has changed, neither in the
files nor in the rows. Where that is not certain there is no answer, and values are compared.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.core.options import PlanOptions
from reconciler.core.plan import Plan
from reconciler.core.plan_digest import plan_digest
from reconciler.core.prints import Prints
from reconciler.store.remembered import Look


def unchanged(look: Look, prints: Prints | None, options: PlanOptions) -> Plan | None:
    """The plan of a directory that is as it was applied, on rows that are as that left them; else `None`.

    Args:
        look: At the source that is planned for.
        prints: The directory's; `None` where they could not be had.
        options: How to plan.
    """
    if prints is None or (last := look.last) is None:
        return None
    # What was deferred and what is held are told in every plan, with values that have to be read.
    if last.input_digest != prints.digest or not last.is_whole or last.has_overrides:
        return None
    if look.rows != ():
        return None
    plan = Plan(
        source=options.source,
        revision=prints.identity.revision,
        changes=(),
        deferred=(),
        unchanged=last.entities,
        refusals=(),
        problems=last.problems,
    )
    return replace(plan, digest=plan_digest(plan))
