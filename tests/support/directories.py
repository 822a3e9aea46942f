"""A folder with a directory of YAML in it, and a database that it is applied to: what a story is played with,
every line of it by the command as a process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import psycopg
from support.commands import Answer, run_command

FORMS = ("text", "json", "markdown")


def write_files(directory: Path, **texts: str) -> Path:
    """Write `NAME.yaml` for each name into a directory, which is made if it is not there, and return it.

    Each text is what comes after `version: 1`; its common indentation does not count.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (directory / f"{name}.yaml").write_text(f"version: 1\n{dedent(text)}", encoding="utf-8")
    return directory


def provider(name: str, *models: str, kind: str = "openai-compatible", **fields: Any) -> str:
    """A provider's section: its models by id, and its further fields as YAML, on one line each.

    >>> print(provider("here", "a", base_url="http://127.0.0.1/v1"))
    providers:
      here:
        kind: openai-compatible
        base_url: http://127.0.0.1/v1
        models:
          "a": {}
    <BLANKLINE>
    """
    lines = [f"kind: {kind}", *(f"{field}: {value}" for field, value in fields.items())]
    lines += ["models:", *(f'  "{model}": {{}}' for model in models)] if models else []
    return f"providers:\n  {name}:\n" + "".join(f"    {line}\n" for line in lines)


@dataclass(frozen=True)
class Story:
    """A folder, the address of a database, and the environment that commands run in.

    Attributes:
        folder: Where commands run; `providers.d` in it is what they read unless they are told otherwise.
        database: The address of the database.
        env: Further variables.
    """

    folder: Path
    database: str
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        """The directory of YAML."""
        return self.folder / "providers.d"

    def with_env(self, **more: str) -> Story:
        """The same story where more variables are set."""
        return replace(self, env={**self.env, **more})

    def write(self, **texts: str) -> None:
        """Write files of the directory; the others stay as they are."""
        write_files(self.directory, **texts)

    def run(self, *words: str | Path, **more: Any) -> Answer:
        """Run a command."""
        # What a command keeps besides, it keeps in the story's folder and not on the machine.
        home = str(self.folder / "home")
        env = {"RECONCILER_DATABASE_URL": self.database, "RECONCILER_HOME": home, **self.env}
        return run_command(*words, env=env, cwd=self.folder, **more)

    def ask(self, *words: str | Path, status: int = 0) -> Any:
        """Run a command with this exit status, and return its answer as JSON."""
        answer = self.run(*words, "--output", "json")
        assert answer.status == status, (answer.status, answer.stdout[-2000:], answer.stderr)
        document = answer.document
        assert document["format"] == 1
        return document

    def apply(self, *words: str | Path, status: int = 0) -> Any:
        """Apply without verifying, and return the answer as JSON."""
        return self.ask("apply", "--yes", "--no-verify", *words, status=status)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the database says."""
        with psycopg.connect(self.database) as connection:
            return connection.execute(query, values or None).fetchall()

    def edit(self, *statements: str) -> None:
        """Change rows as a person at psql would."""
        with psycopg.connect(self.database) as connection:
            for statement in statements:
                connection.execute(statement)

    def counts(self, *tables: str) -> tuple[int, ...]:
        """How many rows some tables have."""
        return tuple(self.rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables)

    def everything(self) -> list[tuple[str, str]]:
        """Every row of every table, each with its table's name, as one text."""
        tables = self.rows(
            "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables"
            " WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
        )
        return [
            (table, text)
            for (table,) in sorted(tables)
            for (text,) in self.rows(f"SELECT t::text FROM {table} t ORDER BY 1")
        ]


def refused(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The rules that stand against a plan, each with what lifts it."""
    return [(refusal["rule"], refusal["accept"]) for refusal in document["refusals"]]


def steps(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """A plan's changes: action, address and cause."""
    return [(change["action"], change["address"], change["cause"]) for change in document["changes"]]
