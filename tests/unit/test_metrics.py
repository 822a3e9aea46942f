"""The registry in Prometheus' text format, read back by the format's own grammar."""

import re
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import answers

from reconciler.core.address import model_address
from reconciler.core.health import Health
from reconciler.core.listing import Measurements
from reconciler.core.outcome import OUTCOMES
from reconciler.report import metrics

HELP = re.compile(r"# HELP (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*) (?P<text>(?:[^\\\n]|\\\\|\\n)+)")
TYPE = re.compile(
    r"# TYPE (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*) (?P<type>counter|gauge|histogram|summary|untyped)"
)
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*"'
SAMPLE = re.compile(
    rf"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{(?P<labels>{LABEL}(?:,{LABEL})*)\}})? (?P<value>\S+)"
)
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class Family(NamedTuple):
    help: str
    type: str
    samples: dict


def parsed(text):
    """Families by name, each with its samples by labels; fails where the grammar does."""
    found = {}
    lines = iter(text.split("\n")[:-1])
    assert text.endswith("\n")
    for line in lines:
        if line.startswith("#"):
            told, typed = HELP.fullmatch(line), TYPE.fullmatch(next(lines))
            assert told, line
            assert typed, line
            assert told["name"] == typed["name"]
            assert told["name"] not in found, "a family stands together"
            found[told["name"]] = Family(told["text"], typed["type"], {})
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample, line
        assert sample["name"] == list(found)[-1], "samples stand below their family"
        labels = tuple(
            (one["name"], re.sub(r"\\.", lambda escape: ESCAPES[escape[0]], one["value"]))
            for one in re.finditer(r'(?P<name>\w+)="(?P<value>(?:[^"\\]|\\.)*)"', sample["labels"] or "")
        )
        samples = found[sample["name"]].samples
        assert labels not in samples, "no series stands twice"
        samples[labels] = float(sample["value"])
    return found


def samples(found, name):
    return parsed(metrics.exposition(found))[f"reconciler_{name}"].samples


GPT = (("provider", "openai"), ("model", "gpt-4o"))
WHOLE = Measurements(
    (
        answers.listed(outcome="ok", failures=0),
        answers.listed("model:x/y", is_active=False, status="failing", outcome="auth_failed", failures=3),
        answers.listed("model:x/z", status="unverified", last_verified=None),
    ),
    health={
        model_address("openai", "gpt-4o"): {"24h": Health(4, 3, 1, 84, 210), "7d": Health(9, 7, 1, 90, 1500)},
        model_address("x", "y"): {"24h": Health(), "7d": Health(2)},
    },
    generation=41,
    applied={"team-b": answers.WHEN, "default": datetime(2026, 3, 2, microsecond=500_000, tzinfo=UTC)},
    budgets={"default": 12},
)


def test_the_text_is_this_one():
    small = Measurements(
        (answers.listed(outcome="ok"),),
        health={model_address("openai", "gpt-4o"): {"24h": Health(1, 1, 0, 84, 84), "7d": Health(2)}},
        generation=7,
    )
    name = '{provider="openai",model="gpt-4o"'
    assert [line for line in metrics.exposition(small).splitlines() if not line.startswith("# HELP")] == [
        "# TYPE reconciler_model_status gauge",
        f'reconciler_model_status{name},status="verified"}} 1',
        "# TYPE reconciler_model_up gauge",
        f"reconciler_model_up{name}}} 1",
        "# TYPE reconciler_model_usable gauge",
        f"reconciler_model_usable{name}}} 1",
        "# TYPE reconciler_model_last_verified_timestamp_seconds gauge",
        f"reconciler_model_last_verified_timestamp_seconds{name}}} 1772368205.0",
        "# TYPE reconciler_model_consecutive_failures gauge",
        f"reconciler_model_consecutive_failures{name}}} 0",
        "# TYPE reconciler_model_uptime_ratio gauge",
        f'reconciler_model_uptime_ratio{name},window="24h"}} 1.0',
        "# TYPE reconciler_model_latency_seconds gauge",
        f'reconciler_model_latency_seconds{name},window="24h",quantile="0.5"}} 0.084',
        f'reconciler_model_latency_seconds{name},window="24h",quantile="0.95"}} 0.084',
        "# TYPE reconciler_model_probes gauge",
        f'reconciler_model_probes{name},window="24h"}} 1',
        f'reconciler_model_probes{name},window="7d"}} 2',
        "# TYPE reconciler_registry_generation gauge",
        "reconciler_registry_generation 7",
    ]


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("model_status", {(*GPT, ("status", "verified")): 1}),
        ("model_up", {GPT: 1, (("provider", "x"), ("model", "y")): 0}),
        ("model_usable", {GPT: 1, (("provider", "x"), ("model", "y")): 0}),
        ("model_consecutive_failures", {(("provider", "x"), ("model", "y")): 3}),
        ("model_last_verified_timestamp_seconds", {GPT: answers.WHEN.timestamp()}),
        (
            "model_uptime_ratio",
            {(*GPT, ("window", "24h")): 0.75, (*GPT, ("window", "7d")): 0.875},
        ),
        (
            "model_latency_seconds",
            {
                (*GPT, ("window", "24h"), ("quantile", "0.5")): 0.084,
                (*GPT, ("window", "7d"), ("quantile", "0.95")): 1.5,
            },
        ),
        ("model_probes", {(("provider", "x"), ("model", "y"), ("window", "7d")): 2}),
        ("registry_generation", {(): 41}),
        ("last_apply_timestamp_seconds", {(("source", "default"),): 1772409600.5}),
        ("generate_budget_used", {(("source", "default"),): 12}),
    ],
)
def test_every_figure_is_told_under_its_name(name, series):
    found = samples(WHOLE, name)
    assert {labels: found[labels] for labels in series} == series


def test_what_is_not_known_has_no_series():
    names = parsed(metrics.exposition(WHOLE))
    never = (("provider", "x"), ("model", "z"))
    bad = (("provider", "x"), ("model", "y"))
    assert never not in names["reconciler_model_up"].samples
    assert never not in names["reconciler_model_last_verified_timestamp_seconds"].samples
    windows = {"reconciler_model_uptime_ratio", "reconciler_model_latency_seconds"}
    assert [labels for name in windows for labels in names[name].samples if labels[:2] == bad] == []


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_up_says_only_what_the_last_result_says_of_the_model(outcome):
    text = metrics.exposition(Measurements((answers.listed(outcome=outcome),)))
    found = parsed(text).get("reconciler_model_up")
    expected = {"up": {GPT: 1}, "down": {GPT: 0}, "neither": None}[metrics.verdict(outcome)]
    assert (found and found.samples) == expected


def test_an_empty_registry_is_a_valid_text_too():
    assert list(parsed(metrics.exposition(Measurements(())))) == ["reconciler_registry_generation"]


def test_a_family_is_a_gauge_with_a_sentence_and_in_base_units():
    for name, family in parsed(metrics.exposition(WHOLE)).items():
        assert family.type == "gauge"
        assert family.help.endswith(".")
        assert not name.endswith(("_ms", "_milliseconds", "_total"))


def test_the_same_values_make_the_same_text_whatever_order_they_were_found_in():
    turned = Measurements(
        WHOLE.models,
        dict(reversed(WHOLE.health.items())),
        WHOLE.generation,
        dict(reversed(WHOLE.applied.items())),
        dict(reversed(WHOLE.budgets.items())),
    )
    assert metrics.exposition(turned) == metrics.exposition(WHOLE)


# A model id holds anything printable: `validate` refuses control characters and line breaks.
IDS = st.text(st.characters(codec="utf-8").filter(str.isprintable), min_size=1, max_size=40)


@given(IDS)
def test_every_id_that_a_file_can_hold_is_read_back_as_it_was(model_id):
    model = answers.listed()
    named = Measurements((type(model)(**{**fields(model), "address": model_address("p", model_id)}),))
    assert samples(named, "model_usable") == {(("provider", "p"), ("model", model_id)): 1}


def fields(model):
    return {name: getattr(model, name) for name in model.__dataclass_fields__}


@pytest.mark.parametrize("model_id", ['say "hi"', "back\\slash", "\\n", '\\"', "a,b}c{d=e", "{", "日本 #1"])
def test_awkward_ids_are_escaped(model_id):
    found = samples(Measurements((answers.listed(f"model:p/{model_id}"),)), "model_usable")
    assert found == {(("provider", "p"), ("model", model_id)): 1}


def test_what_a_hand_put_into_a_row_breaks_no_line_and_commands_no_terminal():
    text = metrics.exposition(
        Measurements((answers.listed(f"model:p/{answers.NASTY}"),), applied={answers.NASTY: answers.WHEN})
    )
    assert all(line.isprintable() for line in text.split("\n"))
    assert len(parsed(text)["reconciler_model_usable"].samples) == 1


def test_neither_labels_nor_parameters_are_told():
    secret = "canary-value"
    model = answers.listed(labels={"team": secret}, parameters={"name": secret}, prompt_template=secret)
    assert secret not in metrics.exposition(Measurements((model,)))
