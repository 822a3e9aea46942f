"""From rows to answers: what an application sees of models, sets, templates and providers. Rows are taken as
they are, what a hand has spoilt reads as unset, and what many models share is built once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

from reconciler.core.address import Address
from reconciler.core.collector import paused
from reconciler.errors import UsageError
from reconciler.runtime import assembly
from reconciler.runtime.assembly import Assembly
from reconciler.runtime.responses import (
    LLMParametersResponse,
    PromptTemplateResponse,
    ProviderModelConfigResponse,
    ProviderRegistryResponse,
    ProviderResponse,
    trusted,
)
from reconciler.runtime.sound import is_storable
from reconciler.store import effective, entities
from reconciler.store.effective import Statement
from reconciler.store.fetching import Row, fetched
from reconciler.store.session import Connection

Labels = str | Mapping[str, str | None]

_BY_NAME = itemgetter(1, 2)


def answers(rows: Iterable[Row], *, at: datetime | None = None) -> tuple[ProviderModelConfigResponse, ...]:
    """The models of rows, in their order.

    Args:
        rows: What the statements of `effective` read.
        at: The moment whose overrides count; by default when the rows were read.
    """
    with paused():
        model = Assembly(at).model
        return tuple([model(row) for row in rows])


def read_models(
    connection: Connection,
    *,
    addresses: Collection[Address] | None = None,
    provider: str | None = None,
    label: Labels | None = None,
    active_only: bool = False,
    verified_only: bool = False,
) -> tuple[ProviderModelConfigResponse, ...]:
    """The models that fulfil every condition, by provider and id; or, whatever else is asked, those of these
    addresses that there are.

    Raises:
        SchemaError: The database has none of our tables, or older ones.
    """
    if addresses is None:
        asked = listed(provider=provider, label=label, active_only=active_only, verified_only=verified_only)
    else:
        asked = found((one.provider, one.model_id) for one in addresses)
    with paused():
        rows = fetched(connection, asked) if asked else []
        rows.sort(key=_BY_NAME)
        return answers(rows)


def pairs(models: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Models as they are asked for, by provider and id.

    Raises:
        UsageError: What is given is no pair of texts.
    """
    return tuple(map(_pair, models))


def _pair(given: Any) -> tuple[str, str]:
    try:
        provider, model_id = given if isinstance(given, (tuple, list)) else ()
    except ValueError as error:
        raise UsageError("A model is asked for by its provider and its id.", hint="give pairs") from error
    require_texts(provider=provider, model_id=model_id)
    return provider, model_id


def require_texts(**given: object) -> None:
    """Raise `UsageError` where one of these is no text."""
    for name, value in given.items():
        if not isinstance(value, str):
            raise UsageError(f"The {name} must be a text, and is of the type {type(value).__name__}.")


def found(asked: Iterable[tuple[str, str]]) -> Statement | None:
    """What is to be asked of the database for these models; `None` where it can hold none of them."""
    storable = [pair for pair in asked if all(map(is_storable, pair))]
    return effective.addressed(storable) if storable else None


def placed(
    asked: Sequence[tuple[str, str]], rows: Iterable[Row]
) -> tuple[ProviderModelConfigResponse | None, ...]:
    """The models that were asked for, in that order; `None` for each that there is not."""
    models = {(one.provider_name, one.model_id): one for one in answers(rows)}
    return tuple(map(models.get, asked))


def listed(
    *,
    provider: str | None = None,
    label: Labels | None = None,
    active_only: bool = False,
    verified_only: bool = False,
) -> Statement | None:
    """What is to be asked of the database for a list; `None` where nothing that it can hold would do.

    Raises:
        UsageError: A condition is no text.
    """
    wanted = labels(label)
    texts = [*wanted, *(value for value in wanted.values() if value is not None), provider or ""]
    for text in texts:
        require_texts(condition=text)
    if not all(map(is_storable, texts)):
        return None
    return effective.chosen(
        provider=provider, labels=wanted, active_only=active_only, verified_only=verified_only
    )


def registry(rows: list[Row]) -> ProviderRegistryResponse:
    """A list's answer; the rows are sorted where they are."""
    rows.sort(key=_BY_NAME)
    return trusted(ProviderRegistryResponse, {"providers": answers(rows)})


def labels(asked: Labels | None) -> Mapping[str, str | None]:
    """The labels that are asked for; `None` for a label with any value.

    >>> labels("team=rag"), labels("team"), labels({"team": "rag"})
    ({'team': 'rag'}, {'team': None}, {'team': 'rag'})
    """
    if not isinstance(asked, str):
        if not isinstance(asked, Mapping | None):
            raise UsageError("A label is a text or a mapping of texts.", hint="give team=rag, or a mapping")
        return asked or {}
    name, equals, value = asked.partition("=")
    return {name: value if equals else None}


def read_parameters(
    connection: Connection, *, names: Collection[str] | None = None, with_users: bool = False
) -> tuple[LLMParametersResponse, ...]:
    """Parameter sets by name; those there are none of are left out.

    Raises:
        SchemaError: The database has none of our tables, or older ones.
    """
    rows = entities.sets(connection, _storable(names), with_users=with_users)
    with paused():
        return tuple([assembly.parameters(row[1:], row[0] or ()) for row in rows])


def read_templates(
    connection: Connection, *, names: Collection[str] | None = None, with_users: bool = False
) -> tuple[PromptTemplateResponse, ...]:
    """Templates by name; those there are none of are left out.

    Raises:
        SchemaError: The database has none of our tables, or older ones.
    """
    rows = entities.templates(connection, _storable(names), with_users=with_users)
    with paused():
        return tuple([assembly.template(row[1:], row[0] or ()) for row in rows])


def read_providers(
    connection: Connection, *, names: Collection[str] | None = None
) -> tuple[ProviderResponse, ...]:
    """Providers by name; those there are none of are left out.

    Raises:
        SchemaError: The database has none of our tables, or older ones.
    """
    return tuple(assembly.provider(row) for row in entities.providers(connection, _storable(names)))


def _storable(names: Collection[str] | None) -> Collection[str] | None:
    for name in names or ():
        require_texts(name=name)
    return None if names is None else [name for name in names if is_storable(name)]
