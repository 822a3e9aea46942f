"""What a reader needs to follow the registry: the models of which anything changed since a generation, and
marks that betray what is gone without a row to tell of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.store import effective
from reconciler.store.effective import Statement
from reconciler.store.fetching import Row, fetched
from reconciler.store.observe import snapshot
from reconciler.store.session import Connection


@dataclass(frozen=True, slots=True)
class Marks:
    """What tells of deletions, cheap enough to be read at every change.

    Attributes:
        models: How many models there are.
        providers: The names of the registered providers.
    """

    models: int
    providers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Changes:
    """Models as they were at one commit.

    Attributes:
        rows: One row a model, in no order; `reconciler.runtime.reading` knows what is where.
        generation: The registry's generation then.
        now: The database's time then.
        marks: Those of that commit.
    """

    rows: Sequence[Row]
    generation: int
    now: datetime
    marks: Marks


# Looked up one by one; more are read with all the others.
FEW = 5_000

_MARKS = """
SELECT (SELECT COALESCE(max(generation), 0) FROM registry), statement_timestamp(),
       (SELECT count(*) FROM provider_model_configs), ARRAY(SELECT name FROM providers)
"""
# Each table by itself, and not the rows that are put together of them: what changed is little, and is looked
# up where it is; the largest tables have indexes for that. Models with an override come always: no row tells
# of one that is deleted beside another. What a run gains or loses for its source bears the run.
_CHANGED = """
SELECT provider_name, model_id FROM provider_model_configs WHERE generation > %(since)s
UNION SELECT c.provider_name, c.model_id
      FROM providers x JOIN provider_model_configs c ON c.provider_name = x.name
      WHERE x.generation > %(since)s
UNION SELECT c.provider_name, c.model_id
      FROM llm_parameters x JOIN provider_model_configs c ON c.parameters_id = x.id
      WHERE x.generation > %(since)s
UNION SELECT c.provider_name, c.model_id
      FROM prompt_templates x JOIN provider_model_configs c ON c.prompt_template_id = x.id
      WHERE x.generation > %(since)s
UNION SELECT split_part(e.key, '/', 1), substr(e.key, strpos(e.key, '/') + 1)
      FROM managed_entities e JOIN reconcile_runs r ON r.id = e.run
      WHERE e.kind = 'model' AND r.generation > %(since)s
UNION SELECT c.provider_name, c.model_id
      FROM managed_entities e JOIN reconcile_runs r ON r.id = e.run
      JOIN llm_parameters x ON x.name = e.key JOIN provider_model_configs c ON c.parameters_id = x.id
      WHERE e.kind = 'parameters' AND r.generation > %(since)s
UNION SELECT c.provider_name, c.model_id
      FROM managed_entities e JOIN reconcile_runs r ON r.id = e.run
      JOIN prompt_templates x ON x.name = e.key JOIN provider_model_configs c ON c.prompt_template_id = x.id
      WHERE e.kind = 'template' AND r.generation > %(since)s
UNION SELECT split_part(key, '/', 1), substr(key, strpos(key, '/') + 1)
      FROM overrides WHERE kind = 'model' AND (generation > %(since)s OR ends_at > statement_timestamp())
"""


def everything(connection: Connection) -> Changes:
    """All models.

    Raises:
        SchemaError: The database has none of our tables, or older ones.
    """
    with snapshot(connection):
        (told,) = fetched(connection, Statement(_MARKS, {}))
        return _changes(told, fetched(connection, effective.chosen()))


def since(connection: Connection, generation: int, *, also: Collection[tuple[str, str]]) -> Changes:
    """The models of which anything changed after a generation.

    Args:
        connection: A connection in autocommit mode.
        generation: The generation.
        also: Models that are read whether they changed or not, by provider and id.

    Raises:
        SchemaError: The database has none of our tables, or older ones.
    """
    with snapshot(connection):
        (told,) = fetched(connection, Statement(_MARKS, {}))
        changed = fetched(connection, Statement(_CHANGED, {"since": generation}))
        return _changes(told, _rows(connection, {*((row[0], row[1]) for row in changed), *also}))


def _rows(connection: Connection, pairs: Collection[tuple[str, str]]) -> Sequence[Row]:
    if not pairs:
        return ()
    few = len(pairs) <= FEW
    return fetched(connection, effective.addressed(pairs) if few else effective.chosen())


def _changes(told: Row, rows: Sequence[Row]) -> Changes:
    generation, now, models, providers = told
    return Changes(tuple(rows), generation, now, Marks(models, frozenset(providers)))
