"""A snapshot: what is merged into it is what a whole load would find, and time alone ends overrides."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.runtime import snapshot
from reconciler.runtime.responses import ProviderModelConfigResponse, trusted
from reconciler.store.changes import Changes, Marks
from reconciler.store.effective import MODEL_FIELDS

START = datetime(2026, 1, 1, tzinfo=UTC)
PLACES = {name: place for place, name in enumerate(MODEL_FIELDS)}


def later(seconds):
    return START + timedelta(seconds=seconds)


def build(rows, at):
    """Models of which one reads what was read: the version, and the override that holds at a moment."""
    for row in rows:
        told = {name: row[place] for name, place in PLACES.items()}
        live = [
            one[0]
            for one in json.loads(told["held"] or "[]")
            if datetime.fromisoformat(one[4]) <= at < datetime.fromisoformat(one[5])
        ]
        names = ("id", "provider_name", "model_id", "version", "managed_by")
        more = {"kind": row[-1], "notices": tuple(live[:1])}
        yield trusted(ProviderModelConfigResponse, {name: told[name] for name in names} | more)


@dataclass(frozen=True)
class Model:
    name: tuple[str, str]
    version: int = 0
    owner: str | None = None
    owned: int = 0
    generation: int = 0


@dataclass
class Tables:
    """A registry as its tables are, with what the database says of them."""

    generation: int = 0
    seconds: int = 0
    models: dict[int, Model] = field(default_factory=dict)
    providers: dict[str, int] = field(default_factory=dict)
    overrides: dict[int, tuple[tuple[str, str], int, int, int]] = field(default_factory=dict)
    numbers: int = 0

    def number(self):
        self.numbers += 1
        return self.numbers

    def row(self, number):
        model = self.models[number]
        told = {
            "id": number,
            "provider_name": model.name[0],
            "model_id": model.name[1],
            "version": str(model.version),
            "managed_by": model.owner,
            "held": json.dumps(self.held(model.name)) if self.held(model.name) else None,
        }
        kind = "openai" if model.name[0] in self.providers else ""
        return (*(told.get(name) for name in MODEL_FIELDS), kind)

    def held(self, name):
        """The overrides of a model that have not ended, the newest first."""
        live = [(number, *one) for number, one in self.overrides.items() if one[0] == name]
        return [
            [number, {}, "", None, later(starts).isoformat(), later(ends).isoformat()]
            for number, _, starts, ends, _ in sorted(live, reverse=True)
            if ends > self.seconds
        ]

    def read(self, since=None, also=()):
        rows = [
            self.row(number)
            for number, model in self.models.items()
            if since is None or model.name in also or self.is_changed(model, since)
        ]
        marks = Marks(len(self.models), frozenset(self.providers))
        return Changes(tuple(rows), self.generation, later(self.seconds), marks)

    def is_changed(self, model, since):
        of_it = [one for one in self.overrides.values() if one[0] == model.name]
        return (
            max(model.generation, model.owned) > since
            or self.providers.get(model.name[0], 0) > since
            or any(ends > self.seconds or generation > since for _, _, ends, generation in of_it)
        )


NAMES = st.tuples(st.sampled_from("pq"), st.sampled_from("abc"))
STEPS = st.one_of(
    st.tuples(st.just("insert"), NAMES),
    st.tuples(st.just("change"), NAMES),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("rename"), NAMES, NAMES),
    st.tuples(st.just("own"), NAMES, st.sampled_from([None, "default", "other"])),
    st.tuples(st.just("register"), st.sampled_from("pq")),
    st.tuples(st.just("unregister"), st.sampled_from("pq")),
    st.tuples(st.just("override"), NAMES, st.integers(-3, 3), st.integers(1, 5)),
    st.tuples(st.just("lift"), st.integers(0, 3)),
    st.tuples(st.just("wait"), st.integers(1, 3)),
    st.tuples(st.just("read")),
)


def step(tables, word, *words):  # noqa: C901 each case is one
    """One commit, or some time, as a hand would have it."""
    tables.generation += word not in {"wait", "read"}
    at = tables.generation
    numbers = {model.name: number for number, model in tables.models.items()}
    number = numbers.get(words[0]) if words else None
    match word:
        case "insert" if number is None:
            tables.models[tables.number()] = Model(words[0], generation=at)
        case "change" if number:
            model = tables.models[number]
            tables.models[number] = replace(model, version=model.version + 1, generation=at)
        case "delete" if number:
            del tables.models[number]
        case "rename" if number:
            other = numbers.get(words[1])
            tables.models[number] = replace(tables.models[number], name=words[1], generation=at)
            if other not in {None, number}:
                tables.models[other] = replace(tables.models[other], name=words[0], generation=at)
        case "own" if number:
            # An owner changes without its row, as where files adopt what is as they ask.
            tables.models[number] = replace(tables.models[number], owner=words[1], owned=at)
        case "register":
            tables.providers[words[0]] = at
        case "unregister":
            tables.providers.pop(words[0], None)
        case "override":
            starts = tables.seconds + words[1]
            ends = max(starts, tables.seconds) + words[2]
            tables.overrides[tables.number()] = (words[0], starts, ends, at)
        case "lift" if tables.overrides:
            del tables.overrides[sorted(tables.overrides)[words[0] % len(tables.overrides)]]
        case "wait":
            tables.seconds += words[0]


def read(tables, view):
    """What a reader does: merge what changed, or load everything."""
    merged = None if view is None else snapshot.merge(view, tables.read(view.generation, view.timed), build)
    return merged or snapshot.whole(tables.read(), build)


def seen(view, seconds):
    return list(view.all(later(seconds)))


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_merging_whatever_changed_equals_a_whole_load(steps):
    tables, view = Tables(), None
    for one in steps:
        step(tables, *one)
        if one[0] == "read":
            view = read(tables, view)
    view = read(tables, view)
    fresh = snapshot.whole(tables.read(), build)
    assert (view.models.keys(), view.rows) == (fresh.models.keys(), fresh.rows)
    for seconds in range(tables.seconds, tables.seconds + 10):
        assert seen(view, seconds) == seen(fresh, seconds)


def filled(*names):
    tables = Tables(generation=1, providers={"p": 1})
    for name in names:
        step(tables, "insert", tuple(name.split("/")))
    return tables


def test_what_did_not_change_is_the_same_value():
    tables = filled("p/a", "p/b")
    view = read(tables, None)
    step(tables, "change", ("p", "a"))
    merged = read(tables, view)
    assert merged.models["p", "b"] is view.models["p", "b"]
    assert (merged.models["p", "a"].version, view.models["p", "a"].version) == ("1", "0")


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([("delete", ("p", "a"))], id="deleted"),
        pytest.param([("delete", ("p", "a")), ("insert", ("p", "c"))], id="deleted, and another came"),
        pytest.param([("delete", ("p", "a")), ("insert", ("p", "a"))], id="deleted and made anew"),
        pytest.param([("unregister", "p")], id="its provider is gone"),
    ],
)
def test_what_leaves_no_row_behind_is_noticed(steps):
    tables = filled("p/a", "p/b")
    view = read(tables, None)
    for one in steps:
        step(tables, *one)
    assert snapshot.merge(view, tables.read(view.generation, view.timed), build) is None


def test_a_change_of_nothing_is_a_later_generation_of_the_same_models():
    tables = filled("p/a")
    view = read(tables, None)
    step(tables, "register", "q")
    merged = read(tables, view)
    assert (merged.generation, merged.models) == (view.generation + 1, view.models)


def test_overrides_begin_and_end_one_inside_the_other():
    tables = filled("p/a")
    step(tables, "override", ("p", "a"), 2, 6)
    step(tables, "override", ("p", "a"), 4, 2)
    view = read(tables, None)
    outer, inner = sorted(tables.overrides)
    held = [seen(view, seconds)[0].notices for seconds in range(10)]
    assert held == [(), (), (outer,), (outer,), (inner,), (inner,), (outer,), (outer,), (), ()]


def test_an_override_that_holds_already_ends():
    tables = filled("p/a")
    step(tables, "override", ("p", "a"), -1, 3)
    view = read(tables, None)
    (number,) = tables.overrides
    assert [seen(view, seconds)[0].notices for seconds in (0, 2, 3)] == [(number,), (number,), ()]


@pytest.mark.parametrize(
    ("starts", "ends", "expected"),
    [
        pytest.param(-5, 5, [5], id="holds"),
        pytest.param(1, 5, [1, 5], id="is to come"),
        pytest.param(0, 5, [5], id="begins now"),
    ],
)
def test_a_model_changes_where_an_override_begins_or_ends(starts, ends, expected):
    held = json.dumps([[1, {}, "", None, later(starts).isoformat(), later(ends).isoformat()]])
    assert list(snapshot.moments(held, after=START)) == [later(seconds) for seconds in expected]


def test_an_override_without_an_end_that_a_calendar_has_ends_at_its_last_day():
    (end,) = snapshot.moments(json.dumps([[1, {}, "", None, "-infinity", "infinity"]]), after=START)
    assert end == datetime.max.replace(tzinfo=UTC)


def test_models_are_listed_by_code_point():
    view = read(filled("p/b", "q/a", "p/B", "p/a"), None)
    assert [model.model_id for model in view.all(START)] == ["B", "a", "b", "a"]


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_attempts_come_after_a_tenth_of_a_second_to_five(chance):
    delays = [snapshot.delay(attempt, chance) for attempt in (0, 1, 2, 5, 10, 10**6)]
    assert delays == sorted(delays)
    assert delays[0] >= 0.1
    assert delays[-1] <= 5.0
    assert (delays[0] == delays[-1]) == (chance == 0.0)


@pytest.mark.parametrize(
    ("attempt", "lived", "after"),
    [
        pytest.param(0, 0.0, 1, id="the first fails"),
        pytest.param(5, 1.0, 6, id="again and again"),
        pytest.param(5, 10.0, 0, id="one was good for a while"),
    ],
)
def test_attempts_are_counted_until_a_connection_was_good(attempt, lived, after):
    assert snapshot.next_attempt(attempt, lived=lived) == after


def test_readers_do_not_all_ask_at_once_and_none_asks_late():
    intervals = {snapshot.interval(2.0, chance / 10) for chance in range(11)}
    assert len(intervals) == 11
    assert max(intervals) < 2.0
    assert min(intervals) > 1.0
