"""Measures a program that registers models in one batch, beside COPY of the same rows.

    python tests/bench/register.py [--models 10000] [--runs 5] [--database-url URL]

Each model has a set of six parameters of its own, and forty share a provider. The floor copies the rows that
such a registration wrote into all the tables and the trail, over an open connection and with nothing decided;
the registration is one call of the service, with its connection, its checks, and the answer that it returns,
in a program that has registered a model before. Both are timed within a process of their own. The figures go
to standard output as JSON, the story to standard error; docs/performance.md says what they mean.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as pytest does it

from bench import figures, registries
from bench.registries import Server
from support.commands import clean_environment

MODELS_A_PROVIDER = 40
# What a registration of 10,000 models may take.
LARGEST_RATIO = 2.5
TABLES = ("providers", "llm_parameters", "prompt_templates", "provider_model_configs", "audit_events")
_OURS = {"llm_parameters": "name <> 'default'", "audit_events": "cause IS NOT NULL"}
PACKAGES = ("psycopg", "pydantic", "SQLAlchemy")
_BLOCK = 1 << 20


def main() -> None:
    """Measure, and print what was found."""
    asked = _arguments()
    if asked.part:
        print(json.dumps({"register": _register, "copy": _copy}[asked.part](asked)))
        return
    before = os.getloadavg()
    with (
        tempfile.TemporaryDirectory(prefix="rc-bench-") as folder,
        registries.opened(asked.database_url) as server,
        server.migrated() as template,
    ):
        rounds, rows = _rounds(asked, server, template, Path(folder))
        described = server.described()
    print(json.dumps(_report(asked, rounds, rows, before) | {"server": described}, indent=2))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measure a registration beside the least that it could cost."
    )
    parser.add_argument("--models", type=int, default=10_000, help="how many models (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="how many rounds (default: %(default)s)")
    parser.add_argument(
        "--database-url",
        help="a server where databases may be made and dropped; without it a private one is started",
    )
    parser.add_argument("--part", choices=["register", "copy"], help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _rounds(
    asked: argparse.Namespace, server: Server, template: str, folder: Path
) -> tuple[list[dict[str, float]], dict[str, int]]:
    """Every side once a round, one after the other, so that a slow moment is everybody's."""
    rows = folder / "rows"
    with server.database(template) as url:
        _child(asked, "register", url)
        _dump(url, rows)
        counts = registries.row_counts(server, url)
    rounds = []
    for number in range(1, asked.runs + 1):
        took = {}
        for part in ("copy", "register"):
            with server.database(template) as url:
                if part == "copy":
                    registries.without_triggers(server, url)
                server.settle()
                took[part] = _child(asked, part, url, rows)
                found = registries.row_counts(server, url)
            if any(found[table] != counts[table] for table in TABLES):
                raise SystemExit(f"after {part} there are {found} rows, and not {counts}")
        figures.tell(f"round {number}: copy {took['copy']:,.0f} ms, register {took['register']:,.0f} ms")
        rounds.append(took)
    return rounds, {table: counts[table] for table in TABLES}


def _child(asked: argparse.Namespace, part: str, url: str, rows: Path | None = None) -> float:
    """The milliseconds that one side took in a process of its own."""
    words = [sys.executable, __file__, "--part", part, "--models", str(asked.models), "--database-url", url]
    ran = subprocess.run(
        [*words, *(["--rows", str(rows)] if rows else [])],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        raise SystemExit(ran.stderr)
    return float(json.loads(ran.stdout))


def _register(asked: argparse.Namespace) -> float:
    """One call of the service, with what a program has by then: its schemas, and a pool that is connected."""
    import sqlalchemy

    from reconciler.runtime.provider_config import ProviderConfigService
    from reconciler.settings import Settings
    from reconciler.store.doors import EngineDoor
    from reconciler.store.session import sqlalchemy_url

    engine = sqlalchemy.create_engine(sqlalchemy_url(asked.database_url))
    service = ProviderConfigService.through(EngineDoor(engine), settings=Settings(), environ={})
    models = [_model(number) for number in range(asked.models)]
    # What a kind takes is read from its file once.
    service.register_provider_models([_model(asked.models)], verify=False)
    began = time.perf_counter()
    found = service.register_provider_models(models, verify=False)
    took = time.perf_counter() - began
    if [one.model_id for one in found] != [one.model_id for one in models] or not found[-1].is_active:
        raise SystemExit("the answer is not what was asked for")
    engine.dispose()
    return took * 1000


def _model(number: int) -> Any:
    from reconciler.core.requests import LLMParametersCreate, ProviderModelConfigCreate

    provider = f"provider-{number // MODELS_A_PROVIDER:05d}"
    parameters = LLMParametersCreate(
        name=f"set-{number:07d}",
        max_new_tokens=256 + number % 3840,
        temperature=number % 200 / 100,
        top_p=(number % 99 + 1) / 100,
        frequency_penalty=number % 21 / 10,
        presence_penalty=number % 19 / 10,
        seed=number,
    )
    return ProviderModelConfigCreate(
        provider_name=provider,
        model_id=f"family-{number % 7}/model-{number:07d}",
        parameters=parameters,
        kind="openai-compatible",
        base_url=f"https://{provider}.example/v1",
        activation="immediate",
    )


def _copy(asked: argparse.Namespace) -> float:
    """COPY of every table's rows in one transaction, over a connection that is open."""
    import psycopg

    with psycopg.connect(registries.libpq_url(asked.database_url)) as connection:
        connection.execute("SELECT 1")
        connection.commit()
        began = time.perf_counter()
        with connection.cursor() as cursor:
            for path in sorted(asked.rows.iterdir()):
                table = path.name.partition("-")[2]
                with cursor.copy(f'COPY "{table}" FROM STDIN') as copying, path.open("rb") as file:
                    while block := file.read(_BLOCK):
                        copying.write(block)
        connection.commit()
        return (time.perf_counter() - began) * 1000


def _dump(url: str, folder: Path) -> None:
    """Write what a registration wrote to files `N-TABLE`, as `COPY` prints it."""
    import psycopg

    folder.mkdir()
    with psycopg.connect(registries.libpq_url(url)) as connection, connection.cursor() as cursor:
        for number, table in enumerate(TABLES):
            statement = f"COPY (SELECT * FROM {table} WHERE {_OURS.get(table, 'TRUE')}) TO STDOUT"
            with (folder / f"{number}-{table}").open("wb") as file, cursor.copy(statement) as copying:
                file.writelines(copying)


def _report(
    asked: argparse.Namespace,
    rounds: list[dict[str, float]],
    rows: dict[str, int],
    before: tuple[float, float, float],
) -> dict[str, Any]:
    ratios = [took["register"] / took["copy"] for took in rounds]
    least = min(took["register"] for took in rounds) / min(took["copy"] for took in rounds)
    ratio = round(statistics.median(ratios), 2)
    return {
        "format": 1,
        "models": asked.models,
        "runs": asked.runs,
        "machine": {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "processors": os.cpu_count(),
            "load": {"before": round(before[0], 2), "after": round(os.getloadavg()[0], 2)},
        },
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "rows": rows,
        "copy_ms": figures.spread([took["copy"] for took in rounds]),
        "register_ms": figures.spread([took["register"] for took in rounds]),
        "times_copy": {**figures.spread(ratios, digits=2), "of_least": round(least, 2)},
        "limits": [
            {"of": "times_copy", "at_most": LARGEST_RATIO, "found": ratio, "met": ratio <= LARGEST_RATIO}
        ],
    }


if __name__ == "__main__":
    main()
