"""Measures what reading the registry from a program's own memory costs: the look-up beside a plain `dict` as
the floor, the load, the memory, and how soon programs see a commit.

    python tests/bench/registry_get.py [--models 50000] [--programs 10] [--runs 5] [--database-url URL]

The figures go to standard output as JSON, the story to standard error. Every model has a parameter set of its
own, and files own it. Each look-up is for another model, in random order: neither side has them in the
processor's cache. The commits change one model and come while the programs wait; times are from the commit's
end to what a program sees, in milliseconds.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as pytest does it

from bench import figures, registries
from support.commands import clean_environment
from support.registry_readers import readers

from reconciler.store.session import connect

# What a look-up may take at most.
MOST_MICROSECONDS = 5.0
MOST_MILLISECONDS = 100.0
PROVIDERS = 40

# With their generations, so that nothing is marked row by row.
_FILL = """
INSERT INTO providers (name, kind, generation)
    SELECT 'p' || n, 'openai', 1 FROM generate_series(1, {providers}) n;
INSERT INTO prompt_templates (name, system_prompt, generation)
    VALUES ('words', 'You answer in one sentence.', 1);
INSERT INTO llm_parameters (name, temperature, top_p, max_new_tokens, generation)
    SELECT 'set-' || n, n % 20 / 10.0, 0.9, n % 4000 + 1, 1 FROM generate_series(1, {models}) n;
INSERT INTO provider_model_configs
        (provider_name, model_id, parameters_id, prompt_template_id, version, labels, limits, generation)
    SELECT 'p' || (s.id % {providers} + 1), 'vendor/model-' || s.id, s.id, t.id, '2026-01',
           '{{"team": "rag"}}', '{{"context": 128000}}', 1
    FROM llm_parameters s CROSS JOIN prompt_templates t WHERE s.name LIKE 'set-%';
INSERT INTO reconcile_runs (source, succeeded, generation) VALUES ('default', TRUE, 1);
INSERT INTO managed_entities (kind, key, source, spec, active, file, line, run)
    SELECT 'model', provider_name || '/' || model_id, 'default', '{{"mode": "chat", "version": "2026-01"}}',
           TRUE, provider_name || '.yaml', 1, (SELECT max(id) FROM reconcile_runs)
    FROM provider_model_configs;
UPDATE registry SET generation = 1;
"""


def main() -> None:
    """Measure, and print what was found."""
    asked = _arguments()
    if asked.reading is not None:
        print(json.dumps(_reading(asked.reading, asked.runs)))
        return
    with (
        registries.opened(asked.database_url) as server,
        server.migrated() as template,
        server.database(template) as url,
    ):
        with connect(url) as connection:
            connection.execute(_FILL.format(providers=PROVIDERS, models=asked.models))
            connection.execute("VACUUM ANALYZE")
        figures.tell(f"{asked.models} models: one program reads")
        found = _run(url, asked)
        figures.tell(f"{asked.programs} programs wait for {asked.runs} commits")
        seen = _seen(url, asked)
        print(json.dumps(_report(asked, found, seen, server.described()), indent=2))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure reading the registry from memory.")
    parser.add_argument("--models", type=int, default=50_000, help="how many (default: %(default)s)")
    parser.add_argument("--programs", type=int, default=10, help="that wait (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="rounds and commits (default: %(default)s)")
    parser.add_argument("--database-url", help="a server where databases may be made and dropped")
    parser.add_argument("--reading", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if min(asked.models, asked.programs, asked.runs) < 1:
        parser.error("at least one of each")
    return asked


def _run(url: str, asked: argparse.Namespace) -> dict[str, Any]:
    """One program that reads, as a process of its own: its memory is nobody else's."""
    words = [sys.executable, __file__, "--reading", url, "--runs", str(asked.runs)]
    ran = subprocess.run(words, env=clean_environment(), capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise SystemExit(ran.stderr)
    found: dict[str, Any] = json.loads(ran.stdout)
    if found["models"] != asked.models:
        raise SystemExit(f"read {found['models']} models")
    return found


def _reading(url: str, runs: int) -> dict[str, Any]:
    from reconciler.runtime.registry import Registry

    gc.collect()
    before, began = _resident(), time.perf_counter()
    with Registry(url) as registry:
        load = time.perf_counter() - began
        gc.collect()
        memory = _resident() - before
        keys = [(one.provider_name, one.model_id) for one in registry.list_providers()]
        random.Random(7).shuffle(keys)
        # Fresh tuples and texts, as an application would come with.
        plain = dict(registry._keeper.view.models)
        wanted = [tuple(json.loads(json.dumps(key))) for key in keys]
        return {
            "models": len(registry),
            "load_ms": load * 1000,
            "memory_mib": memory / 2**20,
            "floor_us": [
                _each(lambda provider, model: plain.get((provider, model)), wanted) for _ in range(runs)
            ],
            "get_us": [_each(registry.get, wanted) for _ in range(runs)],
            "list_ms": [_took(registry.list_providers) * 1000 for _ in range(runs)],
        }


def _each(ask: Callable[[str, str], object], keys: Sequence[tuple[str, str]]) -> float:
    """Microseconds a call."""
    began = time.perf_counter()
    for provider, model in keys:
        if ask(provider, model) is None:
            raise SystemExit(f"{provider}/{model} is not there")
    return (time.perf_counter() - began) / len(keys) * 1e6


def _took(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _resident() -> int:
    """Bytes of memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _seen(url: str, asked: argparse.Namespace) -> list[list[float]]:
    """Milliseconds until each program saw a commit, one list a commit."""
    found = []
    with connect(url) as connection, readers(url, asked.programs, poll=60) as started:
        for number in range(asked.runs):
            for reader in started:
                reader.await_generation(number + 2)
            with connection.transaction():
                connection.execute(
                    "UPDATE provider_model_configs SET version = %s WHERE model_id = 'vendor/model-77'",
                    [str(number)],
                )
            committed = time.monotonic()
            found.append([(float(reader.says()) - committed) * 1000 for reader in started])
    return found


def _report(
    asked: argparse.Namespace, found: dict[str, Any], seen: list[list[float]], server: dict[str, object]
) -> dict[str, Any]:
    times = [one / floor for one, floor in zip(found["get_us"], found["floor_us"], strict=True)]
    everyone = [one for commit in seen for one in commit]
    measures = {
        "floor_us": figures.spread(found["floor_us"], digits=3),
        "get_us": {
            **figures.spread(found["get_us"], digits=3),
            "times_floor": figures.spread(times, digits=2),
        },
        "list_ms": figures.spread(found["list_ms"]),
        "load_ms": round(found["load_ms"]),
        "memory_mib": round(found["memory_mib"], 1),
        "seen_after_ms": figures.spread(everyone),
        "last_program_after_ms": figures.spread([max(commit) for commit in seen]),
    }
    return {
        "format": 1,
        "models": asked.models,
        "programs": asked.programs,
        "runs": asked.runs,
        "machine": {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "processors": os.cpu_count(),
            "load": round(os.getloadavg()[0], 2),
        },
        "server": server,
        "measures": measures,
        "limits": [
            _limit("get, in microseconds", MOST_MICROSECONDS, found["get_us"]),
            _limit("a commit seen by a program, in milliseconds", MOST_MILLISECONDS, everyone),
        ],
    }


def _limit(of: str, most: float, found: Sequence[float]) -> dict[str, Any]:
    spread = figures.spread(found, digits=2)
    return {"of": of, "at_most": most, "found": spread, "met": spread["median"] <= most}


if __name__ == "__main__":
    main()
