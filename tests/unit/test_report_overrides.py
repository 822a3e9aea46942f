"""Overrides in every form of answer: plans, lists, one model, the trail, metrics."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support import answers

from reconciler.core.address import parse_address
from reconciler.core.changes import FieldChange
from reconciler.core.listing import Measurements
from reconciler.core.overrides import LiveOverride, shown
from reconciler.core.plan import Applied
from reconciler.report import json as report
from reconciler.report import markdown, metrics, override_text, plan_text, registry_text, results_text

END = datetime(2026, 11, 24, 6, tzinfo=UTC)
NOW = END - timedelta(hours=5, minutes=30)
FIELDS = {"parameters": {"temperature": 0.0}}
LIVE = LiveOverride(
    3, parse_address("model:openai/gpt-4"), FIELDS, "incident 4711", "alice", NOW - timedelta(hours=1), END
)
ONE = shown(LIVE, now=NOW, stored={"temperature": 0.7})
HIDING = shown(LIVE, now=NOW, stored={"temperature": 0.7}, hidden=["temperature"])
LINE = (
    "model:openai/gpt-4 until 2026-11-24T06:00Z (in 5 h): temperature 0.7 -> 0.0 - incident 4711 (by alice)"
)
KEY = "sk-" + "a" * 30


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (timedelta(seconds=-1), "in 0 s"),
        (timedelta(seconds=0), "in 0 s"),
        (timedelta(seconds=119, milliseconds=999), "in 119 s"),
        (timedelta(minutes=2), "in 2 min"),
        (timedelta(minutes=119, seconds=59), "in 119 min"),
        (timedelta(hours=2), "in 2 h"),
        (timedelta(hours=47, minutes=59), "in 47 h"),
        (timedelta(days=2), "in 2 d"),
        (timedelta(days=30), "in 30 d"),
    ],
)
def test_the_time_that_is_left_is_told_in_the_largest_unit_that_fits(left, told):
    assert override_text.remaining(NOW + left, NOW) == told


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (END, "2026-11-24T06:00Z"),
        (END + timedelta(seconds=5), "2026-11-24T06:00:05Z"),
        (END.astimezone(), "2026-11-24T06:00Z"),
    ],
)
def test_an_end_is_told_in_utc(at, told):
    assert override_text.until(at) == told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (FieldChange("temperature", 0.7, 0.0), "temperature 0.7 -> 0.0"),
        (FieldChange("top_k", 5, None), "top_k 5 -> (unset)"),
        (FieldChange("is_active", before=True, after=True), "is_active true"),
        (FieldChange("prompt_template", "qa", None), "prompt_template qa -> (unset)"),
        (FieldChange("prompt_template", None, KEY), 'prompt_template (unset) -> "***"'),
    ],
)
def test_what_is_held_is_told_beside_what_is_stored(change, told):
    assert override_text.held(change) == told


# -- plans


def with_overrides(*overrides, changes=()):
    return replace(answers.plan(*changes), overrides=overrides)


def test_a_plan_without_changes_shows_what_is_in_force():
    assert plan_text.plan(with_overrides(ONE)).splitlines() == [
        "No changes. 42 entities match.",
        "",
        "Overrides (1)",
        f"  {LINE}",
    ]


def test_a_plan_says_what_it_changes_under_an_override():
    lines = plan_text.plan(with_overrides(HIDING, changes=[answers.update()])).splitlines()
    assert lines[-3:] == [
        "Overrides (1)",
        f"  {LINE}",
        "      the files change temperature too; the override hides it until 2026-11-24T06:00Z",
    ]


def test_drift_shows_them_too():
    assert plan_text.drift(with_overrides(ONE)).splitlines()[-2:] == ["Overrides (1)", f"  {LINE}"]
    repair = "the repair changes temperature too; the override hides it until 2026-11-24T06:00Z"
    found = with_overrides(HIDING, changes=[answers.update(cause="drift")])
    assert plan_text.drift(found).splitlines()[-1] == f"      {repair}"
    assert "the repair changes temperature too" in markdown.drift(found)


def test_an_apply_shows_them_and_its_last_line_stays_the_last():
    nothing = Applied(with_overrides(ONE), None, {}, seconds={"plan": 0.5})
    assert results_text.applied(nothing).splitlines() == [
        "No changes. 42 entities match. (plan 0.50 s)",
        "",
        "Overrides (1)",
        f"  {LINE}",
    ]
    done = Applied(with_overrides(ONE, changes=[answers.update()]), 7, {"update": 1})
    assert results_text.applied(done).splitlines() == [
        "Overrides (1)",
        f"  {LINE}",
        "Applied as run 7: 1 updated.",
    ]


def test_a_plan_in_json_has_them_always():
    assert json.loads(report.plan(answers.plan()))["overrides"] == []
    document = json.loads(report.applied(Applied(with_overrides(HIDING), None, {})))
    assert document["overrides"] == [
        {
            "address": "model:openai/gpt-4",
            "fields": FIELDS,
            "until": "2026-11-24T06:00:00Z",
            "reason": "incident 4711",
            "actor": "alice",
            "starts_at": "2026-11-23T23:30:00Z",
            "changes": [{"path": "temperature", "before": 0.7, "after": 0.0}],
            "hidden": ["temperature"],
        }
    ]


def test_a_plan_in_markdown_has_a_table_of_them():
    assert markdown.plan(with_overrides(ONE)).splitlines()[2:] == [
        "#### Overrides (1)",
        "",
        "| Model | Until | Held | Reason | By |",
        "| --- | --- | --- | --- | --- |",
        (
            "| `model:openai/gpt-4` | 2026-11-24T06:00Z (in 5 h) | `temperature 0.7 -> 0.0` | incident 4711 "
            "| `alice` |"
        ),
    ]
    assert "the override hides it until" in markdown.plan(with_overrides(HIDING))
    assert "#### Overrides" in markdown.drift(with_overrides(ONE))
    assert "Overrides" not in markdown.plan(answers.plan())


# -- the registry


def test_a_list_has_a_column_for_them_where_there_is_one():
    held = answers.listed("model:openai/gpt-4", is_active=False, override=LIVE)
    lines = registry_text.models([answers.listed(), held], now=NOW).splitlines()
    assert lines[0].endswith("MANAGED BY  OVERRIDE")
    assert lines[1].endswith("  -")
    assert lines[2].endswith("until 2026-11-24T06:00Z (in 5 h)")
    assert "OVERRIDE" not in registry_text.models([answers.listed()])
    table = markdown.models([answers.listed(), held]).splitlines()
    assert table[0].endswith("| Managed by | Override |")
    assert table[2].endswith("|  |")
    assert table[3].endswith("| until 2026-11-24T06:00Z |")


def test_a_list_in_json_tells_of_it():
    held = answers.listed("model:openai/gpt-4", override=LIVE)
    first, second = json.loads(report.models([answers.listed(), held]))["models"]
    assert first["override"] is None
    assert second["override"]["fields"] == FIELDS
    assert second["override"]["until"] == "2026-11-24T06:00:00Z"


@pytest.mark.parametrize(
    ("fields", "usable", "activity"),
    [
        ({"is_active": True}, True, "yes, by an override"),
        ({"is_active": False}, False, "no, by an override"),
        ({"is_active": True}, False, "yes, by an override, but not usable: its provider is inactive"),
        (FIELDS, False, "yes, but not usable: its provider is inactive"),
    ],
)
def test_a_model_is_shown_with_what_is_held_and_what_is_stored(fields, usable, activity):
    one = shown(replace(LIVE, fields=fields), now=NOW, stored={"is_active": True, "temperature": 0.7})
    lines = registry_text.entity(answers.shown(override=one, usable=usable)).splitlines()
    assert lines[1:3] == [
        f"  active: {activity}",
        "  override: until 2026-11-24T06:00Z (in 5 h) - incident 4711 (by alice)",
    ]
    assert lines[3].startswith("  held: ")


def test_a_model_in_json_has_what_is_held_and_what_is_stored():
    document = json.loads(report.entity(answers.shown(override=ONE)))
    assert document["override"]["changes"] == [{"path": "temperature", "before": 0.7, "after": 0.0}]
    assert json.loads(report.entity(answers.shown()))["override"] is None


def test_metrics_tell_when_overrides_end():
    held = answers.listed("model:openai/gpt-4", override=LIVE)
    text = metrics.exposition(Measurements((answers.listed(), held)))
    series = [line for line in text.splitlines() if line.startswith("reconciler_override")]
    assert series == [
        f'reconciler_override_until_seconds{{provider="openai",model="gpt-4"}} {END.timestamp()}'
    ]
    assert "override_until" not in metrics.exposition(Measurements((answers.listed(),)))


# -- the trail

BEGUN = {
    "fields": {"is_active": False, "parameters": {"temperature": 0.0}},
    "starts_at": "2026-11-23T23:30:00+00:00",
    "ends_at": "2026-11-24T06:00:00+00:00",
}
BY_CODE = {"run": None, "source": None, "cause": "code", "application": "rag", "action": "override"}


def told(**more):
    event = answers.event(**{**BY_CODE, "address": "model:a/b", "reason": "incident 4711", **more})
    return [registry_text.event_line(event).partition("Z  ")[2], *registry_text.event_fields(event)]


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        pytest.param(
            {"before": None, "after": BEGUN},
            [
                (
                    "override model:a/b (by code, alice, with rag, until 2026-11-24T06:00Z: is_active false, "
                    "temperature 0.0, reason: incident 4711)"
                )
            ],
            id="set",
        ),
        pytest.param(
            {"before": {"ends_at": BEGUN["ends_at"]}, "after": {"ends_at": "2026-11-24T02:00:00+00:00"}},
            [
                (
                    "override model:a/b (by code, alice, with rag, until 2026-11-24T02:00Z instead of "
                    "2026-11-24T06:00Z, reason: incident 4711)"
                )
            ],
            id="ended early",
        ),
        pytest.param(
            {"before": BEGUN, "after": None, "cause": None, "actor": None, "application": "psql"},
            [
                (
                    "override model:a/b (by hand, llm, with psql, taken away: is_active false, "
                    "temperature 0.0, reason: incident 4711)"
                )
            ],
            id="deleted by hand",
        ),
        pytest.param(
            {"before": {"reason": "a"}, "after": {"reason": "b"}, "cause": None},
            ["override model:a/b (by hand, alice, with rag, reason: incident 4711)", "reason: a -> b"],
            id="edited by hand",
        ),
        pytest.param(
            {"before": None, "after": None, "cause": None},
            ["override model:a/b (by hand, alice, with rag, taken away, reason: incident 4711)"],
            id="truncated",
        ),
        pytest.param(
            {"before": None, "after": {"fields": [1], "ends_at": "infinity"}},
            ["override model:a/b (by code, alice, with rag, until infinity: [1], reason: incident 4711)"],
            id="spoilt by hand",
        ),
        pytest.param(
            {"before": None, "after": BEGUN, "reason": KEY, "actor": None},
            [
                (
                    "override model:a/b (by code, llm, with rag, until 2026-11-24T06:00Z: is_active false, "
                    "temperature 0.0, reason: ***)"
                )
            ],
            id="a pasted key",
        ),
    ],
)
def test_the_trail_of_an_override_reads_well(event, lines):
    assert told(**event) == lines


def test_what_a_program_did_is_told_from_a_hand():
    line = registry_text.event_line(answers.event(**{**BY_CODE, "action": "update"}))
    assert line.endswith("update parameters:base (by code, alice, with rag)")


# -- what nobody may obey


def test_what_an_override_holds_cannot_command_a_terminal_or_a_page():
    nasty = answers.NASTY
    address = parse_address(f"model:a/{nasty}")
    fields = {"prompt_template": nasty, "parameters": {nasty: nasty}}
    live = replace(LIVE, address=address, fields=fields, reason=nasty, actor=nasty)
    one = shown(live, now=NOW, stored={}, hidden=[nasty])
    plan = with_overrides(one, changes=[answers.update()])
    event = answers.event(**BY_CODE, before=None, after={"fields": fields, "ends_at": nasty}, reason=nasty)
    texts = (
        plan_text.plan(plan),
        registry_text.models([answers.listed(override=live)], now=NOW),
        registry_text.entity(answers.shown(override=one)),
        registry_text.history([event], []),
        markdown.plan(plan),
        metrics.exposition(Measurements((answers.listed(f"model:a/{nasty}", override=live),))),
    )
    assert all(line.isprintable() for text in texts for line in text.splitlines())
    for line in markdown.plan(plan).splitlines():
        if line.startswith("| `model:"):
            assert "<script>" not in line.split("|")[-3]
            assert "@team" not in line.split("|")[-3]


def test_a_pasted_key_is_shown_nowhere():
    live = replace(LIVE, fields={"prompt_template": KEY}, reason=f"with {KEY}")
    one = shown(live, now=NOW, stored={"prompt_template": KEY})
    plan = with_overrides(one)
    event = answers.event(**BY_CODE, before=None, after={"fields": live.fields}, reason=KEY)
    texts = (
        *(plan_text.plan(plan), report.plan(plan), markdown.plan(plan)),
        *(report.models([answers.listed(override=live)]), report.entity(answers.shown(override=one))),
        *(registry_text.entity(answers.shown(override=one)), registry_text.history([event], [])),
        report.history([event], []),
    )
    assert not [text for text in texts if KEY in text]
