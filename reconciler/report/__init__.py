"""Answers as strings: pure functions from values to text, JSON and Markdown. Nothing here prints.

Each form is loaded when it is asked for: a run needs one of them, and start-up is most of most runs.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.report import block as block
    from reconciler.report import json as json
    from reconciler.report import markdown as markdown
    from reconciler.report import metrics as metrics
    from reconciler.report import plan_text as plan_text
    from reconciler.report import registry_text as registry_text
    from reconciler.report import results_text as results_text
    from reconciler.report import text as text
else:

    def __getattr__(name: str) -> ModuleType:
        if name.startswith("_"):
            raise AttributeError(name)
        return import_module(f"{__name__}.{name}")
