"""Measures what the registry costs the programs that use it: each of its three sides by the script of that
side, one after the other, and all limits together.

    python tests/bench/library.py [--models 50000] [--batch 10000] [--programs 10] [--runs 5]

The figures go to standard output as JSON, the story to standard error; docs/performance.md says what they
mean.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def main() -> None:
    """Measure, and print what was found."""
    asked = _arguments()
    shared = ["--runs", str(asked.runs)]
    if asked.database_url:
        shared += ["--database-url", asked.database_url]
    models = ["--models", str(asked.models)]
    parts = {
        "registry_get": _part("registry_get", *models, "--programs", str(asked.programs), *shared),
        "list_providers": _part("library_list", *models, *shared),
        "register": _part("register", "--models", str(asked.batch), *shared),
    }
    limits = [{"part": name, **limit} for name, part in parts.items() for limit in part.pop("limits")]
    print(json.dumps({"format": 1, **parts, "limits": limits}, indent=2))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the registry as programs use it.")
    parser.add_argument("--models", type=int, default=50_000, help="to read (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=10_000, help="to register (default: %(default)s)")
    parser.add_argument("--programs", type=int, default=10, help="that wait (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="rounds (default: %(default)s)")
    parser.add_argument("--database-url", help="a server where databases may be made and dropped")
    asked = parser.parse_args()
    if min(asked.models, asked.batch, asked.programs, asked.runs) < 1:
        parser.error("at least one of each")
    return asked


def _part(script: str, *words: str) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, str(HERE / f"{script}.py"), *words], stdout=subprocess.PIPE, text=True, check=False
    )
    if ran.returncode != 0:
        raise SystemExit(ran.returncode)
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


if __name__ == "__main__":
    main()
