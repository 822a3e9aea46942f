"""Measures what one provider that hangs costs among many that answer, beside the bare client as the floor.

    python tests/bench/verify.py [--models 1000] [--providers 20] [--timeout 10] [--runs 3]

The figures go to standard output as JSON, the story to standard error. Each side is a process of its own:

    floor             the HTTP library alone asks the healthy providers; nothing is decided, nobody hangs
    healthy           we verify the healthy providers, without a limit of pace
    one_hangs         the same with one more provider that never answers
    healthy_usual     as `healthy`, with our usual limits: at most so many requests a second to a provider
    one_hangs_usual   as `one_hangs`, with our usual limits
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as pytest does it

from bench import figures
from bench.figures import Measure
from support.commands import clean_environment

HERE = Path(__file__).parent
# What a run may take beside the work of the healthy ones, in timeouts.
MOST_TIMEOUTS = 1.5
SIDES = {
    "floor": ("floor", False),
    "healthy": ("ours", False),
    "one_hangs": ("ours", True),
    "healthy_usual": ("usual", False),
    "one_hangs_usual": ("usual", True),
}


def main() -> None:
    """Measure, and print what was found."""
    asked = _arguments()
    measures = {name: Measure(f"asking.py {side}") for name, (side, _) in SIDES.items()}
    with tempfile.TemporaryDirectory(prefix="rc-bench-") as folder, endpoints(asked.providers - 1) as urls:
        for number in range(1, asked.runs + 1):
            figures.tell(f"round {number} of {asked.runs}")
            for name, measure in measures.items():
                _measure(name, measure, urls, asked, Path(folder))
    print(json.dumps(_report(asked, measures), indent=2))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what one provider that hangs costs.")
    parser.add_argument("--models", type=int, default=1000, help="how many in all (default: %(default)s)")
    parser.add_argument("--providers", type=int, default=20, help="how many (default: %(default)s)")
    parser.add_argument("--timeout", type=float, default=10.0, help="of a probe, in s (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="how many rounds (default: %(default)s)")
    asked = parser.parse_args()
    if asked.providers < 2 or asked.models < asked.providers or asked.runs < 1 or asked.timeout <= 0:
        parser.error("at least two providers, a model for each, one round and some time")
    return asked


@contextmanager
def endpoints(healthy: int) -> Iterator[list[str]]:
    """The base URLs of so many providers that answer, and of one that hangs."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "endpoints.py"), str(healthy)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())
        server.stdin.close()


def _measure(name: str, measure: Measure, urls: list[str], asked: argparse.Namespace, folder: Path) -> None:
    """Run one side once, and make sure that it did the work that it is measured for."""
    side, hangs = SIDES[name]
    chosen = urls if hangs else urls[:-1]
    each = asked.models // asked.providers
    case = {"side": side, "urls": chosen, "models": each, "timeout": asked.timeout}
    words = [sys.executable, str(HERE / "asking.py"), json.dumps(case)]
    took = figures.run(words, environment=clean_environment(), folder=folder)
    found = json.loads(took.answer)
    silent = found.get("timeout", 0) + found.get("skipped", 0)
    if found.get("ok") != each * (len(urls) - 1) or silent != each * hangs:
        raise SystemExit(f"{name} found {found}")
    measure.runs.append(took)
    figures.tell(f"  {name}: {took.wall:,.0f} ms, {took.peak:,.0f} MiB")


def _report(asked: argparse.Namespace, measures: dict[str, Measure]) -> dict[str, Any]:
    floor = measures["floor"]
    return {
        "format": 1,
        "models": asked.models // asked.providers * asked.providers,
        "providers": asked.providers,
        "timeout_ms": asked.timeout * 1000,
        "runs": asked.runs,
        "machine": {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "processors": os.cpu_count(),
            "load": round(os.getloadavg()[0], 2),
        },
        "packages": {"httpx2": metadata.version("httpx2")},
        "measures": {
            name: measure.summary(None if name == "floor" else floor) for name, measure in measures.items()
        },
        "limits": [
            _limit("one_hangs", "healthy", asked, measures),
            _limit("one_hangs_usual", "healthy_usual", asked, measures),
        ],
    }


def _limit(name: str, beside: str, asked: argparse.Namespace, measures: dict[str, Measure]) -> dict[str, Any]:
    """What the hanging provider may add to the work of the others, and what it added, in timeouts."""
    pairs = zip(measures[name].runs, measures[beside].runs, strict=True)
    added = [(whole.wall - healthy.wall) / (asked.timeout * 1000) for whole, healthy in pairs]
    found = figures.spread(added, digits=2)
    return {
        "of": f"{name} beyond {beside}, in timeouts",
        "at_most": MOST_TIMEOUTS,
        "found": found,
        "met": found["max"] <= MOST_TIMEOUTS,
    }


if __name__ == "__main__":
    main()
