"""Measures what reading the registry from the database costs a program: all models and one, beside a plain
psycopg cursor that fetches the same tuples by the same statements as the floor.

    python tests/bench/library_list.py [--models 50000] [--runs 7] [--database-url URL]

The figures go to standard output as JSON, the story to standard error. Every model has a parameter set of its
own, for shared ones are built once and cost less. Both sides take turns within a round, and neither pays for
walks of the garbage collector: the floor is run without it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as pytest does it

import psycopg
from bench import figures, generated_files, registries
from bench.rounds import APPLY, program
from support import reading_models
from support.commands import clean_environment

from reconciler.core.collector import paused
from reconciler.runtime import reading
from reconciler.runtime.async_reader import AsyncProviderConfigReader
from reconciler.runtime.reads import Reads
from reconciler.store.effective import Statement
from reconciler.store.session import libpq_url

# What listing 50,000 models may take.
LARGEST_RATIO = 3.0
# How many single models are asked for in a round.
SINGLES = 200

Figures = dict[str, list[float]]


def main() -> None:
    """Measure, and print what was found."""
    asked = _arguments()
    if asked.reading is not None:
        print(json.dumps(_reading(asked.reading, asked.runs)))
        return
    with (
        tempfile.TemporaryDirectory(prefix="rc-bench-") as folder,
        registries.opened(asked.database_url) as server,
        server.migrated() as template,
        server.database(template) as url,
    ):
        files = generated_files.write(Path(folder, "DIR"), asked.models)
        figures.tell(f"{asked.models} models in {files} files")
        figures.run(
            [*program(), *APPLY],
            environment=clean_environment({"RECONCILER_DATABASE_URL": url}),
            folder=Path(folder),
        )
        server.execute("VACUUM (ANALYZE)", database=url)  # what autovacuum does within a minute
        found = _run(url, asked)
        report = _machine(asked) | {"server": server.described()} | _report(found)
    print(json.dumps(report, indent=2))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure reading the registry beside a plain cursor.")
    parser.add_argument("--models", type=int, default=50_000, help="how many models (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=7, help="how many rounds (default: %(default)s)")
    parser.add_argument("--database-url", help="a server where databases may be made and dropped")
    parser.add_argument("--reading", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if min(asked.models, asked.runs) < 1:
        parser.error("at least one of each")
    return asked


def _run(url: str, asked: argparse.Namespace) -> Figures:
    """Read in a process of its own, which holds nothing else."""
    words = [sys.executable, __file__, "--reading", url, "--runs", str(asked.runs)]
    ran = subprocess.run(words, env=clean_environment(), stdout=subprocess.PIPE, text=True, check=True)
    found: Figures = json.loads(ran.stdout)
    if found["models"] != [asked.models]:
        raise SystemExit(f"read {found['models']} models")
    return found


def _reading(url: str, runs: int) -> Figures:
    everything = reading.listed()
    assert everything is not None
    with psycopg.connect(libpq_url(url), autocommit=True) as plain, reading_models.reader(url) as service:
        before = _resident()
        listed = service.list_providers().providers
        found: Figures = {"models": [len(listed)], "memory_mib": [(_resident() - before) / 2**20]}
        keys = [(one.provider_name, one.model_id) for one in listed]
        del listed
        for number in range(runs):
            some = random.Random(number).sample(keys, min(SINGLES, len(keys)))
            took = _round(plain, service, everything, some, url)
            figures.tell(", ".join(f"{name} {value:.2f}" for name, value in took.items()))
            for name, value in took.items():
                found.setdefault(name, []).append(value)
    return found


def _round(
    plain: psycopg.Connection,
    service: Reads,
    everything: Statement,
    some: Sequence[tuple[str, str]],
    url: str,
) -> Mapping[str, float]:
    return {
        "floor_ms": _floor(plain, [everything]),
        "list_ms": _milliseconds(service.list_providers),
        "async_list_ms": asyncio.run(_listed_meanwhile(url)),
        "floor_one_ms": _floor(plain, list(map(_one, some))) / len(some),
        "get_one_ms": _milliseconds(lambda: [service.get_provider_model(*key) for key in some]) / len(some),
    }


def _floor(plain: psycopg.Connection, asked: Sequence[Statement]) -> float:
    """What a plain cursor takes for the same tuples, if nothing is collected meanwhile."""
    with paused():
        return _milliseconds(lambda: [plain.execute(one.text, one.values).fetchall() for one in asked])


def _one(key: tuple[str, str]) -> Statement:
    asked = reading.found([key])
    assert asked is not None
    return asked


async def _listed_meanwhile(url: str) -> float:
    """The same from a coroutine, with a connection that is open already."""
    async with AsyncProviderConfigReader.opened(url, connections=1) as reader:
        await reader.get_provider_model("", "")
        gc.collect()
        began = time.perf_counter()
        kept = await reader.list_providers()
        took = (time.perf_counter() - began) * 1000
        del kept
        return took


def _milliseconds(act: Callable[[], object]) -> float:
    """What an act takes until its answer is there; what becomes of the answer is not its matter."""
    gc.collect()
    began = time.perf_counter()
    kept = act()
    took = (time.perf_counter() - began) * 1000
    del kept
    return took


def _resident() -> int:
    """Bytes of memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _machine(asked: argparse.Namespace) -> dict[str, Any]:
    return {
        "format": 1,
        "models": asked.models,
        "runs": asked.runs,
        "machine": {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "processors": os.cpu_count(),
            "load": round(os.getloadavg()[0], 2),
        },
    }


def _report(found: Figures) -> dict[str, Any]:
    """Medians with their spread; ratios are of the two sides of one round, because machines drift."""
    floors = {"list_ms": "floor_ms", "async_list_ms": "floor_ms", "get_one_ms": "floor_one_ms"}
    measures: dict[str, Any] = {
        name: figures.spread(values, digits=2) for name, values in found.items() if name != "models"
    }
    for name, floor in floors.items():
        ratios = [one / least for one, least in zip(found[name], found[floor], strict=True)]
        measures[name]["times_floor"] = figures.spread(ratios, digits=2)
    ratio = measures["list_ms"]["times_floor"]["median"]
    limit = {
        "of": "list_ms.times_floor",
        "at_most": LARGEST_RATIO,
        "found": ratio,
        "met": ratio <= LARGEST_RATIO,
    }
    return {"measures": measures, "limits": [limit]}


if __name__ == "__main__":
    main()
