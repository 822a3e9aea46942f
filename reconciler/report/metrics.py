"""The registry for a monitoring system, in Prometheus' text format: values in, text out. It is written by
hand because the format is small, and a client library would keep values that the database keeps already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from reconciler.core.health import WINDOWS, Health, verdict
from reconciler.core.listing import ListedModel, Measurements
from reconciler.report.escape import printable

Labels: TypeAlias = tuple[tuple[str, str], ...]
# One series: its labels and its value; without a value there is no series.
_Sample: TypeAlias = tuple[Labels, float | None]


class _Family(NamedTuple):
    name: str
    help: str
    samples: Iterable[_Sample]


def exposition(found: Measurements) -> str:
    """The whole text, in the same order for the same values; every family is a gauge.

    A model has at most thirteen series, fewer where it was not probed, none once it has left the registry;
    an override adds one while it is in force. 50,000 models have 650,000 series, some 60 MB at each reading:
    narrow the models down where that is too many. `reconciler_model_status` has one series a model, of its
    status now, and not one for each status: `count by (status) (reconciler_model_status)` and
    `reconciler_model_status{status="failing"}` are what dashboards and alerts
    ask. Details of probes, labels and parameters are never told here.

    >>> print(exposition(Measurements((), generation=7)), end="")
    # HELP reconciler_registry_generation Raised by every run that writes.
    # TYPE reconciler_registry_generation gauge
    reconciler_registry_generation 7
    """
    return "".join(line for family in _families(found) for line in _lines(family))


def _lines(family: _Family) -> Iterator[str]:
    has_begun = False
    for labels, value in family.samples:
        if value is None:
            continue
        if not has_begun:
            yield f"# HELP {family.name} {family.help}\n# TYPE {family.name} gauge\n"
            has_begun = True
        yield f"{family.name}{_labels(labels)} {value}\n"


def _labels(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}" if labels else ""


def _escaped(value: str) -> str:
    # A line break in a value would end the line; whatever else no terminal may see is spelt out first.
    return printable(value).replace("\\", r"\\").replace('"', r"\"")


def _families(found: Measurements) -> Iterator[_Family]:
    yield from _states(found)
    yield from _health(found)
    yield _Family(
        "reconciler_registry_generation", "Raised by every run that writes.", [((), found.generation)]
    )
    yield _Family(
        "reconciler_last_apply_timestamp_seconds",
        "When the source last applied something.",
        [((("source", name),), _seconds(at)) for name, at in sorted(found.applied.items())],
    )
    yield _Family(
        "reconciler_generate_budget_used",
        "Probes that generated for the source today, UTC.",
        [((("source", name),), used) for name, used in sorted(found.budgets.items())],
    )


def _states(found: Measurements) -> Iterator[_Family]:
    """What is known of each model now."""
    named = [(model, _name(model)) for model in found.models]
    yield _Family(
        "reconciler_model_status",
        "Always 1; the label is what verification says of the model now.",
        (((*name, ("status", model.status)), 1) for model, name in named),
    )
    yield _Family(
        "reconciler_model_up",
        "Whether the last result was good; absent where it says nothing of the model.",
        ((name, _up(model)) for model, name in named),
    )
    yield _Family(
        "reconciler_model_usable",
        "Whether the model and its provider are active, overrides counted.",
        ((name, int(model.is_active)) for model, name in named),
    )
    yield _Family(
        "reconciler_model_last_verified_timestamp_seconds",
        "When the model last answered well.",
        ((name, _seconds(model.last_verified)) for model, name in named),
    )
    yield _Family(
        "reconciler_model_consecutive_failures",
        "Failures in a row that say that the model cannot be used.",
        ((name, model.failures) for model, name in named),
    )
    yield _Family(
        "reconciler_override_until_seconds",
        "When the override ends that is in force for the model.",
        (
            (name, None if model.override is None else _seconds(model.override.ends_at))
            for model, name in named
        ),
    )


def _health(found: Measurements) -> Iterator[_Family]:
    """What each model's results of a window say."""
    windows = [
        ((*_name(model), ("window", window)), health[window])
        for model in found.models
        if (health := found.health.get(model.address))
        for window in WINDOWS
    ]
    yield _Family(
        "reconciler_model_uptime_ratio",
        "The share of conclusive results in the window that were good.",
        ((name, one.uptime) for name, one in windows),
    )
    yield _Family(
        "reconciler_model_latency_seconds",
        "How long good answers in the window took.",
        (sample for name, one in windows for sample in _latencies(name, one)),
    )
    yield _Family(
        "reconciler_model_probes",
        "Results in the window, whatever they were.",
        ((name, one.probes) for name, one in windows),
    )


def _latencies(name: Labels, one: Health) -> Iterator[_Sample]:
    for quantile, latency in (("0.5", one.p50_ms), ("0.95", one.p95_ms)):
        yield (*name, ("quantile", quantile)), None if latency is None else latency / 1000


def _name(model: ListedModel) -> Labels:
    return ("provider", model.address.provider), ("model", model.address.model_id)


def _up(model: ListedModel) -> int | None:
    last: Any = None if model.outcome is None else verdict(model.outcome)
    return {"up": 1, "down": 0}.get(last)


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()
