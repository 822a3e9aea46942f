"""A snapshot of the registry's models, and how what changed is merged into it: pure, so that every way in
which a registry may change is a case of a table or of a law.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple, TypeAlias

from reconciler.runtime.responses import ProviderModelConfigResponse
from reconciler.store.changes import Changes, Marks
from reconciler.store.effective import MODEL_FIELDS
from reconciler.store.fetching import EARLIEST, LATEST, Row, moment

Key: TypeAlias = tuple[str, str]
Build: TypeAlias = Callable[[Sequence[Row], datetime], Iterable[ProviderModelConfigResponse]]

# Between attempts to reach the database again, in seconds.
SHORTEST_DELAY = 0.1
LONGEST_DELAY = 5.0
# A burst of commits is read in parts with rests between them; this keeps each part fresh enough.
LONGEST_PAUSE = 0.05

_HELD = MODEL_FIELDS.index("held")
_STARTS, _ENDS = 4, 5


class Stage(NamedTuple):
    """What a model is from a moment on, without any commit: an override begins or ends."""

    since: datetime
    response: ProviderModelConfigResponse


class Timed(NamedTuple):
    """A model that changes by time alone.

    Attributes:
        response: The model as it was when it was read.
        stages: What it becomes, in that order; at least one.
    """

    response: ProviderModelConfigResponse
    stages: tuple[Stage, ...]

    def at(self, now: datetime) -> ProviderModelConfigResponse:
        """The model at a moment after it was read."""
        begun = [stage.response for stage in self.stages if stage.since <= now]
        return begun[-1] if begun else self.response


@dataclass(frozen=True)
class Snapshot:
    """The registry's models as of one commit.

    Attributes:
        generation: The registry's generation then.
        models: The models by provider and id, as they were when they were read.
        timed: Those among them that change by time alone.
        rows: The models by their row.
        marks: What tells of deletions, as of that commit.
    """

    generation: int
    models: Mapping[Key, ProviderModelConfigResponse]
    timed: Mapping[Key, Timed]
    rows: Mapping[int, ProviderModelConfigResponse]
    marks: Marks

    @cached_property
    def keys(self) -> tuple[Key, ...]:
        """Every provider and id, in order; sorted when it is first asked for."""
        return tuple(sorted(self.models))

    def all(self, now: datetime) -> Iterator[ProviderModelConfigResponse]:
        """Every model as it is at a moment, by provider and id."""
        for key in self.keys:
            changing = self.timed.get(key)
            yield self.models[key] if changing is None else changing.at(now)


def whole(found: Changes, build: Build) -> Snapshot:
    """The snapshot of all that there is."""
    return _with(Snapshot(found.generation, {}, {}, {}, found.marks), found, _built(found, build), build)


def merge(view: Snapshot, changed: Changes, build: Build) -> Snapshot | None:
    """The next snapshot; `None` where all is to be read anew, because something is gone that left no row.

    Whatever there is now is either as it was or among what changed: what is merged can only be too much.
    So where there are as many, they are the same.

    Args:
        view: The present snapshot.
        changed: What changed since its generation, and whatever changes by time alone.
        build: Makes the models of rows, as they are at a moment.
    """
    fresh = _built(changed, build)
    merged = _with(view, changed, fresh, build)
    is_all = len(merged.rows) == changed.marks.models and view.marks.providers <= changed.marks.providers
    return merged if is_all else None


def _built(found: Changes, build: Build) -> dict[int, ProviderModelConfigResponse]:
    return {model.id: model for model in build(found.rows, found.now)}


def _with(
    view: Snapshot, found: Changes, fresh: Mapping[int, ProviderModelConfigResponse], build: Build
) -> Snapshot:
    models, timed = dict(view.models), dict(view.timed)
    # All old names go first: two models may have taken each other's.
    for number in fresh:
        if (stale := view.rows.get(number)) is not None:
            models.pop(_key(stale), None)
            timed.pop(_key(stale), None)
    models.update((_key(model), model) for model in fresh.values())
    timed.update(_timed(found, fresh, build))
    return Snapshot(found.generation, models, timed, {**view.rows, **fresh}, found.marks)


def _key(model: ProviderModelConfigResponse) -> Key:
    return model.provider_name, model.model_id


def _timed(
    found: Changes, fresh: Mapping[int, ProviderModelConfigResponse], build: Build
) -> Iterator[tuple[Key, Timed]]:
    for row in found.rows:
        if row[_HELD] is None:
            continue
        later = moments(row[_HELD], after=found.now)
        stages = tuple(Stage(since, model) for since in later for model in build((row,), since))
        if stages:
            yield _key(fresh[row[0]]), Timed(fresh[row[0]], stages)


def moments(held: str, *, after: datetime) -> Sequence[datetime]:
    """When a model changes by itself, in order: the starts and ends of its overrides that are yet to come."""
    spoken = json.loads(held)
    starts = {moment(one[_STARTS]) or EARLIEST for one in spoken}
    ends = {moment(one[_ENDS]) or LATEST for one in spoken}
    return sorted(when for when in starts | ends if when > after)


def interval(poll: float, chance: float) -> float:
    """Seconds from one question to the next: `poll` is how late an answer may be that takes a while itself,
    and not all readers ask at once.

    Args:
        poll: The longest.
        chance: Between 0 and 1, at random.

    >>> interval(1.0, 0.0), interval(1.0, 1.0)
    (0.9, 0.7)
    """
    return poll * (0.9 - 0.2 * chance)


def delay(attempt: int, chance: float) -> float:
    """Seconds until the next attempt to reach the database, the first being 0.

    >>> delay(0, 0.0), delay(0, 1.0), delay(100, 1.0)
    (0.1, 0.2, 5.0)
    """
    # The exponent is bounded, for attempts never end.
    longest = min(LONGEST_DELAY, SHORTEST_DELAY * 2.0 ** min(attempt + 1, 16))
    return SHORTEST_DELAY + (longest - SHORTEST_DELAY) * chance


def next_attempt(attempt: int, *, lived: float) -> int:
    """The number of the next attempt: a connection that lived for a while was a good one.

    >>> next_attempt(7, lived=0.1), next_attempt(7, lived=60.0)
    (8, 0)
    """
    return 0 if lived >= LONGEST_DELAY else attempt + 1
